//go:build !windows

package address

import (
	"os"
	"syscall"
)

// ownAs gives a file the owner of the folder that it is put in, where we are root and may: the gate is another user.
func ownAs(folder, path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}
