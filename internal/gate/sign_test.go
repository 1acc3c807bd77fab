package gate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
)

var signingKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// signersFunc is a set of keys.
type signersFunc func(string) ([]dkim.Signer, error)

func (f signersFunc) Signers(domain string) ([]dkim.Signer, error) { return f(domain) }

func oursAlone(domain string) ([]dkim.Signer, error) {
	if domain != "ours.example" {
		return nil, errors.New(domain + " is not a domain that we sign for")
	}
	return []dkim.Signer{{Domain: domain, Selector: "s1", Key: signingKey}, {Domain: domain, Selector: "s2", Key: signingKey}}, nil
}

var ours = mail{ip: "127.0.0.1", from: "a@ours.example", header: [][2]string{{"From", " a@ours.example"}, {"Subject", " one\n\ttwo"}}, body: "hello\r\n"}

// received is the message as the mail server passes it on: with what was inserted on top.
func received(m mail, modifications []milter.ModifyAction) string {
	text := ""
	for _, f := range m.header {
		text += f[0] + ":" + f[1] + "\n"
	}
	for _, mod := range modifications {
		if mod.Type == milter.ActionInsertHeader {
			text = mod.HeaderName + ":" + mod.HeaderValue + "\n" + text
		}
	}
	return strings.ReplaceAll(text+"\n", "\n", "\r\n") + m.body
}

func keyZone(t *testing.T, names ...string) dns.Resolver {
	t.Helper()
	text := zone
	for _, name := range names {
		selector, domain, _ := strings.Cut(name, " ")
		text += dkim.ZoneRecord(selector, domain, dkim.Record(signingKey.Public())) + "\n"
	}
	z, err := dns.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestOwnMailIsSignedWithEveryKeyOfItsDomain(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Signers = signersFunc(oursAlone) })
	modifications, action := d.deliver(t, ours)
	wantAction(t, action, milter.ActionAccept)
	results, err := dkim.Verify(context.Background(), keyZone(t, "s1 ours.example", "s2 ours.example"),
		strings.NewReader(received(ours, modifications)), dkim.Options{})
	if err != nil || len(results) != 2 {
		t.Fatalf("got %d signatures, %v, want 2\n%s", len(results), err, list(modifications))
	}
	for _, r := range results {
		if r.Code != dkim.Pass {
			t.Errorf("%s: %s, %v", r.Selector, r.Code, r.Err)
		}
	}
	if results[0].Selector != "s1" {
		t.Errorf("the first key's signature is to stand on top: %s", results[0].Selector)
	}
}

func TestWhatBecomesOfOwnMailThatCannotBeSignedIsASetting(t *testing.T) {
	for _, c := range []struct {
		unsigned policy.Action
		header   [][2]string
		want     string
	}{
		{policy.Reject, [][2]string{{"From", " a@theirs.example"}}, "550 5.7.1 This message cannot be signed: theirs.example is not a domain that we sign for"},
		{policy.Reject, [][2]string{{"From", " a@ours.example"}, {"From", " b@ours.example"}}, "550 5.7.1 This message cannot be signed: 2 From fields"},
		{policy.Reject, [][2]string{{"Subject", " x"}}, "550 5.7.1 This message cannot be signed: no From field"},
		{policy.Defer, [][2]string{{"From", " a@theirs.example"}}, "451 4.7.0 This message cannot be signed"},
		{policy.Accept, [][2]string{{"From", " a@theirs.example"}}, ""},
		{"", [][2]string{{"From", " a@theirs.example"}}, ""},
	} {
		d := open(t, Options{}, func(s *Settings) { s.Signers, s.Unsigned = signersFunc(oursAlone), c.unsigned })
		m := ours
		m.header = c.header
		modifications, action := d.deliver(t, m)
		if c.want == "" {
			wantAction(t, action, milter.ActionAccept)
		} else {
			wantRefused(t, action, c.want)
		}
		if strings.Contains(list(modifications), "DKIM-Signature") {
			t.Errorf("signed for a domain that is not ours:\n%s", list(modifications))
		}
		if !strings.Contains(d.log.String(), "rule=unsigned") {
			t.Errorf("log: %s", d.log)
		}
	}
}

func TestMailFromOutsideIsNeverSigned(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Signers = signersFunc(oursAlone); s.Monitor = true })
	m := ours
	m.ip = "192.0.2.1"
	modifications, _ := d.deliver(t, m)
	if strings.Contains(list(modifications), "DKIM-Signature") {
		t.Errorf("signed:\n%s", list(modifications))
	}
}

func TestMessagesForForwardersAreSealed(t *testing.T) {
	r := keyZone(t, "s1 fwd.example")
	d := open(t, Options{}, func(s *Settings) {
		s.Sealing = &Sealing{
			Sealer:     arc.Sealer{Domain: "fwd.example", Selector: "s1", Key: signingKey, AuthservID: authservID},
			Recipients: []string{"example.org"},
		}
	})
	m := mail{header: [][2]string{{"From", " a@example.com"}, {"Subject", " hello"}}, body: "hello\r\n"}
	modifications, action := d.deliver(t, m)
	wantAction(t, action, milter.ActionAccept)
	chain, err := arc.Verify(context.Background(), r, strings.NewReader(received(m, modifications)), arc.Options{})
	if err != nil || chain.Code != arc.Pass || !strings.Contains(strings.Join(chain.AuthResults, ""), "dmarc=pass") {
		t.Errorf("got %+v, %v, want a chain that passes and holds our results\n%s", chain, err, list(modifications))
	}
	if first := modifications[len(modifications)-1]; first.HeaderName != "Authentication-Results" {
		t.Errorf("Authentication-Results is to stand on top, not %s", first.HeaderName)
	}

	d.gate.settings.Load().Sealing.Recipients = []string{"other.example"}
	modifications, _ = d.deliver(t, m)
	if strings.Contains(list(modifications), "ARC-Seal") {
		t.Errorf("sealed for a recipient that does not forward:\n%s", list(modifications))
	}
}

func TestRuleForOwnMailIsAskedAboutIt(t *testing.T) {
	d := ruled(t, `
then = "strict"

[[rule]]
name = "no-spoofing"
when = 'authenticated && !isSubdomain(domainOf(client.mail_from), "ours.example")'
action = "reject"
reply = "550 5.7.1 Send as an address of ours.example, not as {client.mail_from}"
`, nil)
	m := ours
	_, action := d.deliver(t, m)
	wantAction(t, action, milter.ActionAccept)
	m.from = "ceo@theirs.example"
	_, action = d.deliver(t, m)
	wantRefused(t, action, "550 5.7.1 Send as an address of ours.example, not as ceo@theirs.example")
}

func TestMonitorRefusesNoMailOfOurOwn(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) {
		s.Signers, s.Unsigned, s.Monitor = signersFunc(oursAlone), policy.Reject, true
	})
	m := ours
	m.header = [][2]string{{"From", " a@theirs.example"}}
	modifications, action := d.deliver(t, m)
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, "X-Gatepost-Verdict: reject; rule=unsigned; mode=monitor;") {
		t.Errorf("got\n%s", got)
	}
}

func TestRuleForOwnMailHoldsThoughTheMailCannotBeSigned(t *testing.T) {
	d := ruled(t, `
then = "strict"

[[rule]]
name = "spammer"
when = 'authenticated && client.mail_from == "spammer@ours.example"'
action = "reject"
reply = "550 5.7.1 No more of this"
`, func(s *Settings) { s.Signers = signersFunc(oursAlone) })
	m := ours
	m.from, m.header = "spammer@ours.example", [][2]string{{"From", " a@theirs.example"}}
	_, action := d.deliver(t, m)
	wantRefused(t, action, "550 5.7.1 No more of this")
}
