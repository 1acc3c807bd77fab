// Package notify tells systemd how the gate is (sd_notify(3)). Where systemd did not start it, nothing happens.
//
//	n := notify.New()
//	defer n.Close()
//	n.Ready("listening on 127.0.0.1:8891")
//	go n.Watch(ctx, func() bool { return g.Alive() })
package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Notifier speaks to systemd. Its methods are safe for concurrent use.
type Notifier struct {
	conn     *net.UnixConn // nil where nobody listens
	watchdog time.Duration // how often systemd wants to hear of us; 0 for never
}

// New takes what systemd says in the environment, and removes it, so that no process that we start speaks in our name.
func New() *Notifier {
	n := &Notifier{}
	socket, usec, pid := os.Getenv("NOTIFY_SOCKET"), os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID")
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} {
		os.Unsetenv(name)
	}
	if socket == "" {
		return n
	}
	// A name that begins with @ is an abstract one, which net writes so too.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return n
	}
	n.conn = conn
	if us, err := strconv.ParseUint(usec, 10, 40); err == nil && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(us) * time.Microsecond
	}
	return n
}

// Ready says that the gate takes mail; after Reloading, that it is done.
func (n *Notifier) Ready(status string) { n.send("READY=1", "STATUS="+status) }

// Reloading says that the configuration is being read again.
func (n *Notifier) Reloading() {
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic()), "STATUS=reading the configuration again")
}

// Stopping says that no more mail is taken.
func (n *Notifier) Stopping() {
	n.send("STOPPING=1", "STATUS=finishing the messages that are under way")
}

// Status says in a line, for systemctl status, how it goes.
func (n *Notifier) Status(text string) { n.send("STATUS=" + text) }

// Watch tells systemd twice in each stretch of WatchdogSec= that we live, as long as alive says so; without that systemd starts us
// again. It returns when ctx is done, or at once where no watchdog is set.
func (n *Notifier) Watch(ctx context.Context, alive func() bool) {
	if n.watchdog <= 0 {
		return
	}
	tick := time.NewTicker(max(n.watchdog/2, time.Millisecond))
	defer tick.Stop()
	for {
		if alive() {
			n.send("WATCHDOG=1")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends it.
func (n *Notifier) Close() {
	if n.conn != nil {
		n.conn.Close()
	}
}

// send hands over lines. That systemd does not take them is no reason for the gate to fail.
func (n *Notifier) send(lines ...string) {
	if n.conn == nil {
		return
	}
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "\n", " ")
	}
	n.conn.SetWriteDeadline(time.Now().Add(time.Second))
	n.conn.Write([]byte(strings.Join(lines, "\n")))
}
