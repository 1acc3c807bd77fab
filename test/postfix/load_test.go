//go:build linux

package postfix

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A letter is one message of a load.
type letter struct {
	from sender
	mark string // stands in its Message-ID
	text string
}

// An answer is what Postfix said to a letter, once.
type answer struct {
	mark string
	code int
	text string
	at   time.Time
}

// id is the queue id that the message had, if the answer tells: "queued as ID" of Postfix, "ref ID" of the gate.
func (a answer) id() string {
	for _, before := range []string{"queued as ", "; ref "} {
		if _, rest, ok := strings.Cut(a.text, before); ok {
			id, _, _ := strings.Cut(rest, ",")
			return strings.TrimSpace(id)
		}
	}
	return ""
}

// A load is mail from several senders at once, who come again as long as they are put off.
type load struct {
	address string
	next    func(sender, i int) letter
	senders sync.WaitGroup
	begun   time.Time
	stopped chan struct{}
	broken  atomic.Int64 // connections that ended without an answer

	mu      sync.Mutex
	answers []answer
	letters map[string]letter
}

// loadPause is how long a sender waits who was put off.
const loadPause = 50 * time.Millisecond

// startLoad sends until stop, or each so many letters if that is not 0.
func startLoad(address string, senders, each int, next func(sender, i int) letter) *load {
	l := &load{address: address, next: next, begun: time.Now(), stopped: make(chan struct{}), letters: map[string]letter{}}
	for s := range senders {
		l.senders.Go(func() {
			for i := 0; (each == 0 || i < each) && !l.ending(); i++ {
				l.deliver(next(s, i))
			}
		})
	}
	return l
}

func (l *load) ending() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

// patient is how long a sender comes again.
const patient = 2 * time.Minute

// deliver sends a letter until there is an answer that lasts.
func (l *load) deliver(m letter) {
	l.mu.Lock()
	l.letters[m.mark] = m
	l.mu.Unlock()
	for end := time.Now().Add(patient); time.Now().Before(end); time.Sleep(loadPause) {
		code, text, err := m.from.send(l.address, m.text)
		if err != nil {
			l.broken.Add(1)
			continue
		}
		l.mu.Lock()
		l.answers = append(l.answers, answer{m.mark, code, text, time.Now()})
		l.mu.Unlock()
		if code/100 != 4 {
			return
		}
	}
}

// stop has every sender finish the letter that he is at, and waits.
func (l *load) stop() {
	close(l.stopped)
	l.senders.Wait()
}

// all are the answers so far.
func (l *load) all() []answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]answer(nil), l.answers...)
}

// codes counts the answers so far by their first digit.
func (l *load) codes() map[int]int {
	n := map[int]int{}
	for _, a := range l.all() {
		n[a.code/100]++
	}
	return n
}

// wait waits until there are so many more answers that begin with a digit.
func (l *load) wait(t *testing.T, digit, more int) {
	t.Helper()
	want := l.codes()[digit] + more
	waitFor(t, fmt.Sprintf("%d more answers %dxx", more, digit), func() bool { return l.codes()[digit] >= want })
}

// checkAll wants every letter answered for good, and each that was accepted delivered once, and verified.
func (l *load) checkAll(t *testing.T, s *sink) {
	t.Helper()
	accepted := map[string]bool{}
	settled := map[string]bool{}
	for _, a := range l.all() {
		if a.code/100 != 4 {
			settled[a.mark] = true
		}
		if a.code == 250 {
			accepted[a.mark] = true
		}
	}
	for mark := range l.letters {
		if !settled[mark] {
			t.Errorf("%s has no answer that lasts", mark)
		}
	}
	waitFor(t, "every message", func() bool { return len(s.all()) >= len(accepted) })
	seen := map[string]int{}
	for _, m := range s.all() {
		mark := markOf(m)
		seen[mark]++
		if !strings.HasPrefix(m, "Authentication-Results: mx") || !strings.Contains(m, "spf=") {
			t.Errorf("%s came through without being verified:\n%.300s", mark, m)
		}
		if !accepted[mark] {
			t.Errorf("%s was delivered, and nobody was told that it was accepted", mark)
		}
	}
	for mark := range accepted {
		if seen[mark] != 1 {
			t.Errorf("%s was delivered %d times", mark, seen[mark])
		}
	}
}

// markOf is what tells the letters of a test apart.
func markOf(message string) string {
	_, id, _ := strings.Cut(message, "Message-ID: <")
	id, _, _ = strings.Cut(id, "@")
	return id
}
