//go:build linux

package postfix

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// Books are what the store holds.
type books struct {
	decisions map[string]store.Decision // by queue id
	counted   int64                     // the sum of the observations
	verdicts  map[string]int64          // of this, by what was done
}

// books reads the store. A message that is there twice is an error.
func (p *process) books(t *testing.T) books {
	t.Helper()
	b, err := readBooks(filepath.Join(p.state, "gatepost.db"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type twice string

func (id twice) Error() string { return "the message " + string(id) + " is in the store twice" }

func readBooks(path string) (books, error) {
	b := books{decisions: map[string]store.Decision{}, verdicts: map[string]int64{}}
	ctx := context.Background()
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return b, err
	}
	defer s.Close()
	decisions, err := s.Decisions(ctx, store.DecisionFilter{Limit: 1 << 20})
	if err != nil {
		return b, err
	}
	for _, d := range decisions {
		if _, known := b.decisions[d.QueueID]; known {
			return b, twice(d.QueueID)
		}
		b.decisions[d.QueueID] = d
	}
	for c, err := range s.Observations(ctx, store.ObservationFilter{}) {
		if err != nil {
			return b, err
		}
		b.counted += c.Count
		b.verdicts[c.Done] += c.Count
	}
	return b, nil
}

// decided are the answers that the gate gave: those to a message that it took, refused or put off, by queue id.
func (l *load) decided() map[string]answer {
	ids := map[string]answer{}
	for _, a := range l.all() {
		if id := a.id(); id != "" {
			ids[id] = a
		}
	}
	return ids
}

// checkDecisions wants every message that got an answer from the gate written down, once, as the answer says, and each that is written
// down known to Postfix. Those whose answer was lost are given.
func checkDecisions(t *testing.T, b books, l *load, m *mta) (unanswered int64) {
	t.Helper()
	decided := l.decided()
	for id, a := range decided {
		d, ok := b.decisions[id]
		want := map[int]string{4: "defer", 5: "reject"}[a.code/100]
		if a.code == 250 {
			want = "accept"
			if d.Done == "mark" {
				want = "mark"
			}
		}
		switch {
		case !ok:
			t.Errorf("%s (%s) was answered %d, and is not in the store", id, a.mark, a.code)
		case d.Done != want:
			t.Errorf("%s was answered %d %s, and the store says %s", id, a.code, a.text, d.Done)
		case !strings.Contains(d.MessageID, a.mark):
			t.Errorf("%s is %s in the store, and was %s", id, d.MessageID, a.mark)
		}
	}
	log := m.log()
	for id := range b.decisions {
		if _, answered := decided[id]; answered {
			continue
		}
		unanswered++
		if !strings.Contains(log, id) {
			t.Errorf("%s is in the store, and Postfix does not know it", id)
		}
	}
	if b.counted != int64(len(b.decisions)) {
		t.Errorf("%d messages are counted, and %d written down", b.counted, len(b.decisions))
	}
	return unanswered
}
