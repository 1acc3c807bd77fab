//go:build linux

package postfix

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// An arrivals verifies each message in the moment that it arrives, with the keys that DNS has then.
type arrivals struct {
	server string

	mu        sync.Mutex
	marks     map[string]bool
	selectors []string // with which each message was signed, "r1 e1", in the order in which they came
	wrong     []string // what did not verify
}

func (a *arrivals) arrived(message string) {
	results, err := signatures(a.server, message)
	var selectors, wrong []string
	if err != nil {
		wrong = append(wrong, fmt.Sprintf("%s: %v", markOf(message), err))
	}
	for _, r := range results {
		if r.Code != dkim.Pass {
			wrong = append(wrong, fmt.Sprintf("%s: the signature with %s: %s (%v)", markOf(message), r.Selector, r.Code, r.Err))
		}
		selectors = append(selectors, r.Selector)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.marks[markOf(message)] = true
	a.selectors = append(a.selectors, strings.Join(selectors, " "))
	a.wrong = append(a.wrong, wrong...)
}

// last tells whether the last n messages were all signed with these selectors.
func (a *arrivals) last(n int, selectors string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.selectors) < n {
		return false
	}
	return !slices.ContainsFunc(a.selectors[len(a.selectors)-n:], func(s string) bool { return s != selectors })
}

// settled waits until mail is signed with these selectors, and nothing from before is under way any more.
func (a *arrivals) settled(t *testing.T, l *load, selectors string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("mail signed with %q", selectors), func() bool { return a.last(20, selectors) })
	accepted := l.all()
	waitFor(t, "the mail before", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return !slices.ContainsFunc(accepted, func(x answer) bool { return x.code == 250 && !a.marks[x.mark] })
	})
}

// stays wants the next n messages signed with the same selectors as now.
func (a *arrivals) stays(t *testing.T, n int, selectors string) {
	t.Helper()
	a.mu.Lock()
	from := len(a.selectors)
	a.mu.Unlock()
	waitFor(t, "more mail", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.selectors) >= from+n
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.selectors[from:] {
		if s != selectors {
			t.Errorf("a message is signed with %q, want %q", s, selectors)
		}
	}
}

// in gives the keys in a state, RSA first, and their selectors as arrivals have them.
func in(keys []signing.Key, state signing.State) (found []signing.Key, selectors string) {
	for _, algorithm := range signing.Algorithms {
		for _, k := range keys {
			if k.State == state && k.Algorithm == algorithm {
				found = append(found, k)
				selectors = strings.TrimSpace(selectors + " " + k.Selector)
			}
		}
	}
	return found, selectors
}

// A key is made, published by dynamic update, used, replaced, revoked and removed while mail is signed all the time. Each message verifies
// when it arrives, with what DNS shows in that moment.
func TestKeysRotateWhileMailFlows(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	bind := startBIND(t)
	secret := filepath.Join(filepath.Dir(b.gate.config), "tsig.key")
	writeFile(t, secret, secretFile(bindSecret))
	table := signingTable + fmt.Sprintf("[[signing.nsupdate]]\nzone = \"example.org\"\nserver = %q\nsecret_file = %q\nttl = \"1m\"\n", bind.address, secret)
	b.gate.configure(t, bind.address, table)
	a := &arrivals{server: bind.address, marks: map[string]bool{}}
	b.sink.arrived = a.arrived
	b.open(t)
	l := startLoad(b.mta.address, 2, 0, func(s, i int) letter {
		time.Sleep(20 * time.Millisecond)
		mark := fmt.Sprintf("rotate-%d-%d", s, i)
		return letter{ownNetwork, mark, message(mark, "From: a@example.org")}
	})
	a.settled(t, l, "") // without keys

	b.gate.run(t, 0, "keys", "rotate", "example.org")
	first := b.gate.keys(t)
	for _, k := range first {
		if got := bind.text(t, k.Name("example.org")); got != k.Record {
			t.Errorf("BIND shows %q, want %q", got, k.Record)
		}
	}
	_, firstOnes := in(first, signing.Waiting)
	a.settled(t, l, firstOnes)

	// A rotation that cannot publish: the old keys go on.
	writeFile(t, secret, secretFile(wrongSecret))
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	waitFor(t, "the wrong secret", func() bool { return strings.Contains(b.gate.log.String(), "configuration read again") })
	if said := b.gate.run(t, 0, "keys", "rotate", "example.org"); !strings.Contains(said, "it does not take our signature: BADSIG") {
		t.Errorf("keys rotate does not say why the record is not published:\n%s", said)
	}
	second, secondOnes := in(b.gate.keys(t), signing.Publish)
	if len(second) != 2 {
		t.Fatalf("want two new keys that are not published, got %+v", b.gate.keys(t))
	}
	for _, k := range second {
		series := fmt.Sprintf("gatepost_key_state{algorithm=%q,domain=\"example.org\",selector=%q,state=\"publish\"}", k.Algorithm, k.Selector)
		waitFor(t, "the gate to notice "+k.Selector, func() bool { return b.gate.metric(t, series) == 1 })
	}
	a.stays(t, 40, firstOnes)
	for _, k := range second {
		if got := bind.text(t, k.Name("example.org")); got != "" {
			t.Errorf("BIND shows %q, which it cannot have from us", got)
		}
	}

	// Once it can, they are published and take over, by the gate alone.
	writeFile(t, secret, secretFile(bindSecret))
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	a.settled(t, l, secondOnes)
	retiring, names := in(b.gate.keys(t), signing.Retiring)
	if names != firstOnes {
		t.Errorf("%q are retiring, want %q", names, firstOnes)
	}
	for _, k := range retiring {
		if got := bind.text(t, k.Name("example.org")); got != k.Record {
			t.Errorf("a key whose mail may be under way is gone: BIND shows %q", got)
		}
	}

	b.end(t, bind, retiring)
	a.stays(t, 40, secondOnes)
	l.stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, wrong := range a.wrong {
		t.Error(wrong)
	}
	for _, x := range l.all() {
		if x.code != 250 {
			t.Errorf("%s: reply %d %s", x.mark, x.code, x.text)
		}
	}
	t.Logf("%d messages, each verified when it arrived", len(a.selectors))
}

// end has keys revoked and removed, without the waits.
func (b *bench) end(t *testing.T, bind *bind, keys []signing.Key) {
	t.Helper()
	for _, k := range keys {
		name := k.Name("example.org")
		b.gate.run(t, 0, "keys", "next", "example.org", "--skip-wait", k.Selector)
		waitFor(t, "the revocation of "+k.Selector, func() bool { return bind.text(t, name) == k.RevokedRecord() })
		b.gate.run(t, 0, "keys", "next", "example.org", "--skip-wait", k.Selector)
		waitFor(t, "the removal of "+k.Selector, func() bool { return bind.text(t, name) == "" })
	}
}
