// Package control is how a running gate is spoken to from the command line: HTTP over a Unix socket in the state directory, which
// its owner alone may open.
//
//	listener, err := control.Listen(filepath.Join(stateDir, control.SocketName)) // in the gate
//	go control.Serve(ctx, listener, gate)
//	err := control.NewClient(path).Reload(ctx)                                   // in gatepost reload
package control

import (
	"context"
	"time"
)

// SocketName is what the socket is called in the state directory.
const SocketName = "control"

// A Handler is the gate.
type Handler interface {
	// Reload reads the configuration again, all or nothing. Its error says what is wrong with it, with file and line.
	Reload(ctx context.Context) error
	Status(ctx context.Context) Status
}

// A Status is what there is to know of a running gate.
type Status struct {
	Version    string    `json:"version"`
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Config     string    `json:"config"` // the file; empty without one
	ConfigRead time.Time `json:"config_read"`
	// ConfigError is why the configuration could not be read when that was last tried; empty if it could.
	ConfigError string   `json:"config_error"`
	Listening   []string `json:"listening"`
	Policy      string   `json:"policy"`
	Mode        string   `json:"mode"`
	Sessions    int      `json:"sessions"` // connections of mail servers that are open
	MaxSessions int      `json:"max_sessions"`
	Messages    uint64   `json:"messages"` // since the start
	Refused     uint64   `json:"refused"`  // of these
	Signing     []string `json:"signing"`  // the domains that it signs for
	Pending     int64    `json:"pending"`  // decisions that are not in the store yet
	Problems    []string `json:"problems"` // what is wrong, one line each
}

// A Refusal is the gate's own word that it did not do what it was asked, and why.
type Refusal struct{ Reason string }

func (e *Refusal) Error() string { return e.Reason }

// An Unreachable error says that no gate answers on a socket.
type Unreachable struct {
	Path string
	Err  error
}

func (e *Unreachable) Error() string { return "no gate answers on " + e.Path + ": " + e.Err.Error() }
func (e *Unreachable) Unwrap() error { return e.Err }
