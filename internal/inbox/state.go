package inbox

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
)

// A State tells how an input does.
type State struct {
	Connected   bool      // it can see what it watches
	Since       time.Time // since when it can or cannot
	LastSuccess time.Time // when it last was through with all that was there
	LastError   string    // empty if all is well again
	LastErrorAt time.Time

	// Since the start.
	Items       int64 // handed over
	New         int64 // reports
	Known       int64
	Conflicting int64
	Bad         int64 // items in which nothing could be read
	TooLarge    int64 // items that were not looked at
	Failed      int64 // times that an item could not be had or stored
	Waiting     int64 // items in the store now that could not yet be moved, flagged or deleted
}

// A Status keeps the State of an input and writes its changes to the log. Its methods are safe for concurrent use.
type Status struct {
	log *slog.Logger

	mu    sync.Mutex
	state State
	said  string // the reason that was logged, without its digits
}

// NewStatus makes one. The log may be nil.
func NewStatus(name string, log *slog.Logger) *Status {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Status{log: log.With("input", name), state: State{Since: time.Now().UTC()}}
}

// Log is the input's own.
func (s *Status) Log() *slog.Logger { return s.log }

// State is how things are now.
func (s *Status) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Up says that the input can see what it watches.
func (s *Status) Up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.state.Connected {
		s.state.Connected, s.state.Since = true, time.Now().UTC()
	}
}

// Succeeded says that the input is through with what was there.
func (s *Status) Succeeded() {
	s.Up()
	s.mu.Lock()
	first, again := s.state.LastSuccess.IsZero(), s.said != ""
	s.state.LastSuccess = time.Now().UTC()
	s.state.LastError, s.said = "", ""
	s.mu.Unlock()
	switch {
	case again:
		s.log.Info("the input works again")
	case first:
		s.log.Info("the input works")
	}
}

// Through says that the input is through with what was there, but for some of it, of which Trouble told.
func (s *Status) Through() {
	s.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.LastSuccess = time.Now().UTC()
}

// Failed says that the input cannot do its work, and why. The log has it once: not again until things change.
func (s *Status) Failed(err error) {
	s.trouble(err, true)
}

// Trouble is like Failed for what does not keep the input from looking at what it watches.
func (s *Status) Trouble(err error) {
	s.trouble(err, false)
}

func (s *Status) trouble(err error, down bool) {
	text := Line(err.Error(), 1000)
	kind := strings.Map(func(r rune) rune { // ports, times and counts change from attempt to attempt
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	s.mu.Lock()
	now := time.Now().UTC()
	if down && s.state.Connected {
		s.state.Connected, s.state.Since = false, now
	}
	s.state.LastError, s.state.LastErrorAt = text, now
	said := s.said == kind
	s.said = kind
	s.mu.Unlock()
	if !said {
		s.log.Warn("the input has trouble and will try again", "error", text)
	}
}

// Down says that the input ended, without any fault.
func (s *Status) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Connected {
		s.state.Connected, s.state.Since = false, time.Now().UTC()
	}
}

// Bad says of one item that it is bad and what becomes of it.
func (s *Status) Bad(item, reason, fate string) {
	s.log.Warn("there is no report that can be read in it", "item", item, "reason", reason, "fate", fate)
}

// TooLarge counts an item that is not looked at because of its size.
func (s *Status) TooLarge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.TooLarge++
}

// NotHad counts an item that could not be fetched.
func (s *Status) NotHad() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Failed++
}

// Waiting sets how many items are committed that could not yet be moved.
func (s *Status) Waiting(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Waiting = int64(n)
}

func (s *Status) count(o intake.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Items++
	s.state.New += int64(o.New)
	s.state.Known += int64(o.Known)
	s.state.Conflicting += int64(o.Conflicting)
	switch {
	case o.Failed != nil:
		s.state.Failed++
	case o.Bad():
		s.state.Bad++
	}
}

// Sum is the State of an input that consists of several: connected if all are, as successful as the one that lags.
func Sum(all ...State) State {
	var sum State
	for i, s := range all {
		if i == 0 {
			sum = s
			continue
		}
		sum.Connected = sum.Connected && s.Connected
		if s.Since.After(sum.Since) {
			sum.Since = s.Since
		}
		if s.LastSuccess.Before(sum.LastSuccess) {
			sum.LastSuccess = s.LastSuccess
		}
		if s.LastErrorAt.After(sum.LastErrorAt) {
			sum.LastErrorAt = s.LastErrorAt
			if s.LastError != "" {
				sum.LastError = s.LastError
			}
		}
		if sum.LastError == "" {
			sum.LastError = s.LastError
		}
		sum.Items += s.Items
		sum.New += s.New
		sum.Known += s.Known
		sum.Conflicting += s.Conflicting
		sum.Bad += s.Bad
		sum.TooLarge += s.TooLarge
		sum.Failed += s.Failed
		sum.Waiting += s.Waiting
	}
	return sum
}
