//go:build linux

package postfix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// asking are letters that each need DNS for a domain of their own, in the place of what is remembered. Their marks say what becomes of
// them when DNS answers.
func (b *bench) asking(t *testing.T, test string, n int) (letters []letter, zone string) {
	t.Helper()
	var z strings.Builder
	for i := range n {
		domain := fmt.Sprintf("%s-%d.example", test, i)
		own := sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@" + domain}
		other := good // whose records are remembered
		from := "From: a@" + domain
		fmt.Fprintf(&z, "%s. TXT \"v=spf1 ip4:192.0.2.1 -all\"\n_dmarc.%s. TXT \"v=DMARC1; p=reject\"\n", domain, domain)
		var l letter
		switch i % 4 {
		case 0:
			l = letter{from: own, mark: fmt.Sprintf("%s-%d-accept-spf", test, i)}
		case 1:
			own.ip = "192.0.2.9"
			l = letter{from: own, mark: fmt.Sprintf("%s-%d-refuse-spf", test, i)}
		case 2:
			fmt.Fprintln(&z, dkim.ZoneRecord("s1", domain, dkim.Record(b.key.Public())))
			l = letter{from: other, mark: fmt.Sprintf("%s-%d-accept-dkim", test, i)}
		case 3:
			l = letter{from: other, mark: fmt.Sprintf("%s-%d-refuse-dmarc", test, i)}
		}
		l.text = message(l.mark, from)
		if i%4 == 2 {
			l.text = b.signAs(t, domain, l.text)
		}
		letters = append(letters, l)
	}
	return letters, z.String()
}

// Without DNS nothing that depends on it is accepted or refused; it is put off. Mail of our own flows, and is signed. When DNS is back, all
// becomes what it would have been.
func TestWithoutDNSMailIsPutOffAndFlowsAgainAfterwards(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "[limits]\ntime = \"2s\"\n"+signingTable)
	const senders = 4
	tests := []struct {
		name, preset string
		away, back   func()
	}{
		{"stopped", "standard", b.dns.Stop, func() { b.dns.Resume(t) }},
		{"silent", "strict", func() { b.dns.Silence(true) }, func() { b.dns.Silence(false) }},
	}
	b.publishKeys(t)
	text := ourZone
	for _, k := range b.gate.keys(t) {
		text += dkim.ZoneRecord(k.Selector, "example.org", k.Record) + "\n"
	}
	letters := map[string][]letter{}
	for _, c := range tests {
		more, zone := b.asking(t, c.name, 400)
		letters[c.name] = more
		text += zone
	}
	b.dns.SetZone(t, text)
	b.open(t)
	for _, c := range tests {
		b.reconfigure(t, "policy = \""+c.preset+"\"\n[limits]\ntime = \"2s\"\n"+signingTable)
		b.send(t, good, message(c.name+"-remember", fromGood)) // so that the sender's own records are
		l := startLoad(b.mta.address, senders, 0, func(s, i int) letter { return letters[c.name][(i*senders+s)%400] })
		own := startLoad(b.mta.address, 1, 0, func(_, i int) letter {
			time.Sleep(20 * time.Millisecond)
			mark := fmt.Sprintf("%s-own-%d", c.name, i)
			return letter{ownNetwork, mark, message(mark, "From: a@example.org")}
		})
		l.wait(t, 2, 4)
		c.away()
		l.wait(t, 4, 2*senders) // each sender has been put off
		from, ownFrom := len(l.all()), len(own.all())
		l.wait(t, 4, 2*senders)
		during, ownDuring := l.all()[from:], own.all()[ownFrom:]
		if _, ready := b.gate.page(t, "/readyz"); !strings.Contains(ready, `"ready": false`) {
			t.Errorf("%s: /readyz says\n%s", c.name, ready)
		}
		c.back()
		l.wait(t, 2, 4)
		l.wait(t, 5, 4)
		l.stop()
		own.stop()
		for _, a := range during {
			if a.code/100 != 4 || a.id() == "" {
				t.Errorf("%s: without DNS %s got %d %s", c.name, a.mark, a.code, a.text)
			}
		}
		if len(ownDuring) == 0 || slices.ContainsFunc(own.all(), func(a answer) bool { return a.code != 250 }) {
			t.Errorf("%s: mail of our own did not flow: %v", c.name, own.codes())
		}
		for _, a := range l.all() {
			if want := strings.Contains(a.mark, "-accept-"); a.code/100 != 4 && want != (a.code == 250) {
				t.Errorf("%s: %s got %d %s in the end", c.name, a.mark, a.code, a.text)
			}
		}
		t.Logf("%s: %d put off without DNS, %d of our own accepted meanwhile", c.name, len(during), len(ownDuring))
		b.checkArrived(t, l, own)
	}
}

// checkArrived wants what was accepted delivered, with our results, and with two signatures where it is our own.
func (b *bench) checkArrived(t *testing.T, l, own *load) {
	t.Helper()
	for _, a := range append(l.all(), own.all()...) {
		if a.code != 250 {
			continue
		}
		got := b.sink.wait(t, "Message-ID: <"+a.mark+"@")
		switch {
		case strings.Contains(a.mark, "-own-"):
			if strings.Count(got, " d=example.org;") != 2 {
				t.Errorf("%s is not signed:\n%.500s", a.mark, got)
			}
		case !strings.HasPrefix(got, "Authentication-Results: mx.example.org;") || !strings.Contains(got, "dmarc=pass"):
			t.Errorf("%s was let in unverified:\n%.500s", a.mark, got)
		}
	}
}
