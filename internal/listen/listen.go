// Package listen opens the doors that others come in by.
//
//	listener, err := listen.On("tcp", "127.0.0.1:8891", 0)
package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// On opens a door: at "tcp", "tcp4", "tcp6", or "unix" with the mode that the socket gets. A socket that nobody answers on any
// more is replaced. The error says how to mend it.
func On(network, address string, mode fs.FileMode) (net.Listener, error) {
	if network == "unix" {
		err := Free(address)
		if errors.Is(err, ErrStale) {
			err = os.Remove(address)
		}
		if err != nil {
			return nil, fmt.Errorf("listen unix:%s: %w", address, err)
		}
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		return nil, listenError(network, address, err)
	}
	if network == "unix" {
		if err := os.Chmod(address, mode); err != nil {
			ln.Close()
			return nil, fmt.Errorf("listen unix:%s: %w", address, err)
		}
	}
	return ln, nil
}

// What stands where a socket is wanted.
var (
	ErrStale = errors.New("a socket that nobody answers on") // it may be replaced
	ErrBusy  = errors.New("address already in use: another gatepost or milter runs there; stop it, or listen elsewhere")
)

// Free tells whether a socket can be made at path: nil if nothing is there, [ErrStale] if a program that was killed left one behind,
// and otherwise why not.
func Free(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("there is something that is no socket: move it away, or choose another path")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return ErrBusy
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("a socket is there and it is not known whether anybody answers on it: %w", err)
	}
	return ErrStale
}

func listenError(network, address string, err error) error {
	if network == "unix" {
		address = "unix:" + address
	}
	var cause error
	var op *net.OpError
	if cause = err; errors.As(err, &op) {
		cause = op.Err
	}
	var call *os.SyscallError
	if errors.As(cause, &call) {
		cause = call.Err
	}
	var lookup *net.DNSError
	switch {
	case errors.As(err, &lookup):
		cause = fmt.Errorf("no such host: %s; write an address of this one", lookup.Name)
	case errors.Is(err, syscall.EADDRINUSE):
		cause = ErrBusy
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		cause = fmt.Errorf("%w: this host does not have it; listen on 127.0.0.1 or on one that it has", cause)
	case errors.Is(err, syscall.EACCES):
		cause = fmt.Errorf("%w: take a port above 1023, or a folder that this user may write to", cause)
	case errors.Is(err, syscall.ENOENT):
		cause = fmt.Errorf("%w: make the folder of the socket first", cause)
	}
	return fmt.Errorf("listen %s: %w", address, cause)
}
