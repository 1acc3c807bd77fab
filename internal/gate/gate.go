// Package gate is the door that mail comes in by: a milter, which a mail server asks about every message.
//
//	g := gate.New(gate.Options{}, gate.Settings{Verifier: verifier, Policy: strict, AuthservID: "mx.example.org", Log: log})
//	listener, err := listen.On("tcp", "127.0.0.1:8891", 0)
//	go g.Serve(listener)
//	…
//	g.Shutdown(ctx)
//
// It says nothing before the end of a message, so that the mail server need not wait for us at each step: the round trips would be
// most of a message's time. At the end it adds header fields, holds, refuses or defers.
package gate

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// Settings are what a message is treated by. A message keeps those that it began with.
type Settings struct {
	Verifier           *verify.Verifier
	Policy             *policy.Policy
	Monitor            bool   // evaluate, mark and log, and let everything pass
	AuthservID         string // our name in Authentication-Results
	HelpURL            string // a page that replies name; {ref} in it becomes the message's reference
	OwnNetworks        []netip.Prefix
	TrustAuthenticated bool            // do not verify what a logged-in user submits
	ReceivedSPF        bool            // add a Received-SPF field too
	Exceptions         *exceptions.Set // nil: none
	Routes             []Route         // for recipients that have a policy of their own
	Signers            Signers         // sign mail of our own; nil: nothing is signed
	Unsigned           policy.Action   // what becomes of mail of our own that cannot be signed; accept if empty
	Sealing            *Sealing        // add ARC sets; nil: none
	Limits             message.Limits
	MaxMessages        int // of one SMTP session; 5000
	Log                *slog.Logger

	byDefault Route    // Policy and Monitor
	written   []string // see writes
}

// Options are fixed while a gate runs. The zero value of each member means its default.
type Options struct {
	MaxSessions int              // connections at once; further ones wait; 500
	IdleTimeout time.Duration    // how long a mail server may be silent; 2 h
	Metrics     *metrics.Metrics // nil: nothing is counted
	Recorder    Recorder         // nil: nothing is written down
}

// A Recorder writes down what was decided. It must not make mail wait.
type Recorder interface {
	Record(d *store.Decision)
}

const (
	defaultMaxSessions = 500
	defaultIdleTimeout = 2 * time.Hour
	defaultHeaderBytes = 1 << 20
	defaultFields      = 2000
	defaultMessages    = 5000
)

// A Gate answers mail servers on any number of listeners.
type Gate struct {
	settings atomic.Pointer[Settings]
	metrics  *metrics.Metrics // nil counts nothing
	recorder Recorder
	messages atomic.Uint64
	refused  atomic.Uint64
	server   *milter.Server
	slots    chan struct{} // one element for each connection
	quit     chan struct{} // closed when no more connections are taken
	empty    chan struct{} // closed when, after that, the last has gone

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[*conn]struct{}
	draining  bool
}

// New makes a gate.
func New(o Options, s Settings) *Gate {
	if o.MaxSessions <= 0 {
		o.MaxSessions = defaultMaxSessions
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	g := &Gate{
		slots: make(chan struct{}, o.MaxSessions), quit: make(chan struct{}), empty: make(chan struct{}),
		conns: map[*conn]struct{}{}, metrics: o.Metrics, recorder: o.Recorder,
	}
	g.Reload(s)
	g.server = milter.NewServer(
		milter.WithDynamicMilter(g.newSession),
		milter.WithActions(wantedActions),
		milter.WithProtocols(wantedProtocol),
		milter.WithNegotiationCallback(g.negotiate),
		milter.WithMacroRequest(milter.StageMail, []milter.MacroName{milter.MacroAuthType, milter.MacroAuthAuthen}),
		milter.WithMacroRequest(milter.StageRcpt, []milter.MacroName{milter.MacroRcptAddr}),
		milter.WithMacroRequest(milter.StageEOM, []milter.MacroName{milter.MacroQueueId}),
		milter.WithReadTimeout(o.IdleTimeout),
	)
	return g
}

// Reload changes the settings for the messages that begin from now on.
func (g *Gate) Reload(s Settings) {
	if s.Limits.HeaderBytes <= 0 {
		s.Limits.HeaderBytes = defaultHeaderBytes
	}
	if s.Limits.Fields <= 0 {
		s.Limits.Fields = defaultFields
	}
	if s.MaxMessages <= 0 {
		s.MaxMessages = defaultMessages
	}
	if s.Unsigned == "" {
		s.Unsigned = policy.Accept
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.byDefault = Route{Policy: s.Policy, Monitor: s.Monitor}
	s.written = s.writes()
	g.settings.Store(&s)
}

// Stats say how a gate does.
type Stats struct {
	Sessions int    // connections of mail servers that are open
	Messages uint64 // since the start
	Refused  uint64 // of these
}

// Stats says how the gate does.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Stats{Sessions: len(g.conns), Messages: g.messages.Load(), Refused: g.refused.Load()}
}

// log is the logger of the present settings.
func (g *Gate) log() *slog.Logger { return g.settings.Load().Log }
