//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

// The bench runs itself again for what must be a process of its own.
const (
	roleVariable = "GATEPOST_BENCHGATE_ROLE"
	roleInside   = "inside"
	roleIdle     = "idle"
	dirVariable  = "GATEPOST_BENCHGATE_DIR"
)

// outside builds the gate and goes on in a network and a file system view of its own. opendmarc asks whom /etc/resolv.conf names, on
// port 53, and cannot be told otherwise; and so nothing can be asked but our own server.
func outside(keep bool) error {
	if missing := missingPrograms(); len(missing) > 0 {
		return fmt.Errorf("%s not found: sudo scripts/test-deps rspamd opendkim opendmarc publicsuffix", strings.Join(missing, ", "))
	}
	dir, err := os.MkdirTemp("", "benchgate")
	if err != nil {
		return err
	}
	if keep {
		fmt.Println("configurations and logs:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	if _, err := lab.Build(dir); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"="+roleInside, dirVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("a network of its own: %w; run it as root, or where user namespaces are allowed", err)
	}
	signals := interrupted()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			cmd.Process.Signal(s)
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return errors.New("nothing was measured to the end; see above")
			}
			return err
		}
	}
}

// separate brings loopback up and names our own DNS server as the one of the system.
func separate(dir string) error {
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	resolv := filepath.Join(dir, "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver "+dnsHost+"\n"), 0o644); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	if err := unix.Mount(resolv, "/etc/resolv.conf", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over /etc/resolv.conf: %w", err)
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

func missingPrograms() []string {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/usr/bin:/sbin")
	var missing []string
	for _, program := range []string{"rspamd", "opendkim", "opendmarc"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	return missing
}
