// Package owner gives files that root makes to whom they are for: the gate, another user, is to use them too.
package owner

import "os"

// As gives what stands at path, and not what a link there leads to, the owner of a model, where we are root and the model is not root's.
func As(model, path string) error {
	uid, gid, ok, err := of(model)
	if err != nil || !ok {
		return err
	}
	return os.Lchown(path, uid, gid)
}

// FileAs is As for a file that is open.
func FileAs(model string, f *os.File) error {
	uid, gid, ok, err := of(model)
	if err != nil || !ok {
		return err
	}
	return f.Chown(uid, gid)
}
