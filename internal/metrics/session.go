package metrics

import "time"

// SessionOpened counts a connection that was taken.
func (m *Metrics) SessionOpened() {
	if m != nil {
		m.sessions.Inc()
		m.sessionsTotal.Inc()
	}
}

// SessionClosed is called once for each SessionOpened.
func (m *Metrics) SessionClosed() {
	if m != nil {
		m.sessions.Dec()
	}
}

// SessionRefused counts a connection that found no free slot, and had to wait or was closed.
func (m *Metrics) SessionRefused() {
	if m != nil {
		m.sessionsRefused.Inc()
		m.limits[LimitSessions].Inc()
	}
}

// Panic counts a fault of ours that ended a session.
func (m *Metrics) Panic() {
	if m != nil {
		m.panics.Inc()
	}
}

// A Limit is one of those that an attacker meets.
type Limit int

// The limits.
const (
	LimitSessions   Limit = iota // connections at once
	LimitMessages                // messages in one session
	LimitHeader                  // bytes or fields of a header
	LimitBody                    // bytes of a message
	LimitQueries                 // DNS queries for one message
	LimitTime                    // time of look-ups for one message
	LimitSignatures              // DKIM signatures looked at
	LimitIdle                    // a mail server that was silent for too long
	limitKinds
)

var limitNames = [limitKinds]string{"sessions", "messages", "header", "body", "queries", "time", "signatures", "idle"}

// LimitReached counts a limit that a message or a mail server reached.
func (m *Metrics) LimitReached(l Limit) {
	if m != nil && l >= 0 && l < limitKinds {
		m.limits[l].Inc()
	}
}

// Reloaded counts an attempt to read the configuration again; with an error, the one before stays.
func (m *Metrics) Reloaded(err error) {
	switch {
	case m == nil:
	case err != nil:
		m.reloads[0].Inc()
		m.reloadSuccess.Set(0)
	default:
		m.reloads[1].Inc()
		m.reloadSuccess.Set(1)
		m.reloadTime.Set(float64(time.Now().Unix()))
	}
}
