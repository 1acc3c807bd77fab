package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Listen opens a door: on "tcp", "tcp4", "tcp6", or "unix" with the mode that the socket gets. A socket that nobody answers on any
// more is replaced. The error says how to mend it.
func Listen(network, address string, mode fs.FileMode) (net.Listener, error) {
	if network == "unix" {
		if err := removeStale(address); err != nil {
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

// removeStale removes a socket that a gate which was killed left behind, and nothing else.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return errors.New("there is something that is no socket: remove it, or listen elsewhere")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return errBusy
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("a socket is there and it is not known whether anybody answers on it: %w", err)
	}
	return os.Remove(path)
}

var errBusy = errors.New("address already in use: another gatepost or milter runs there; stop it, or listen elsewhere")

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
		cause = errBusy
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		cause = fmt.Errorf("%w: this host does not have it; listen on 127.0.0.1 or on one that it has", cause)
	case errors.Is(err, syscall.EACCES):
		cause = fmt.Errorf("%w: take a port above 1023, or a folder that this user may write to", cause)
	case errors.Is(err, syscall.ENOENT):
		cause = fmt.Errorf("%w: make the folder of the socket first", cause)
	}
	return fmt.Errorf("listen %s: %w", address, cause)
}
