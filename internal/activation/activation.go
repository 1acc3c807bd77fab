// Package activation takes over the sockets that systemd opened for us (sd_listen_fds(3)).
//
//	sockets, err := activation.Listeners()
//	for _, ln := range sockets["milter"] { go g.Serve(ln) }
//
// Mail servers can so connect while the gate starts again: they wait and are not turned away.
package activation

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

const (
	firstFD    = 3 // SD_LISTEN_FDS_START
	maxSockets = 256
)

// Listeners gives the sockets by the names that FileDescriptorName= of their units gave them. There are none where systemd passed
// none. It is called once: the variables that tell of them are removed, so that no process that we start takes them for its own.
func Listeners() (map[string][]net.Listener, error) {
	pid, count, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // meant for another process
	}
	sockets, err := parse(count, names)
	if err != nil {
		return nil, err
	}
	listeners := map[string][]net.Listener{}
	for i, name := range sockets {
		ln, err := listener(firstFD+i, name)
		if err != nil {
			return nil, err
		}
		listeners[name] = append(listeners[name], ln)
	}
	return listeners, nil
}

func listener(fd int, name string) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), name)
	defer f.Close() // the listener has a copy, which no child of ours inherits
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("socket %d (%s) from systemd: %w; it must be a stream socket: ListenStream=", fd, name, err)
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // it is systemd's
	}
	return ln, nil
}

// parse gives the name of each socket.
func parse(count, names string) ([]string, error) {
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil || n > maxSockets {
		return nil, fmt.Errorf("LISTEN_FDS is %q: it must be a number up to %d", count, maxSockets)
	}
	sockets := make([]string, n)
	given := strings.Split(names, ":")
	for i := range sockets {
		sockets[i] = "unknown" // as sd_listen_fds_with_names(3) has it
		if i < len(given) && given[i] != "" {
			sockets[i] = given[i]
		}
	}
	return sockets, nil
}
