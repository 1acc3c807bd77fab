package gate

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// ruled is a gate with a policy of its own.
func ruled(t *testing.T, text string, change func(*Settings)) *door {
	t.Helper()
	p, err := policy.Parse("policy.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, Options{}, func(s *Settings) {
		s.Policy = p
		if change != nil {
			change(s)
		}
	})
}

func TestMarkHasTheAdministratorsFieldAndNobodyElseWritesIt(t *testing.T) {
	d := ruled(t, `
[[rule]]
name = "external"
when = 'spf.result == "softfail"'
action = "mark"
field = "X-Warning"
value = "softfail of {spf.domain}"
`, nil)
	header := [][2]string{{"From", " a@example.com"}, {"x-warning", " none at all"}, {"X-Gatepost-Verdict", " accept"}}
	modifications, action := d.deliver(t, mail{ip: "192.0.2.9", header: header})
	wantAction(t, action, milter.ActionAccept)
	got := list(modifications)
	for _, want := range []string{"change 1 X-Gatepost-Verdict:\nchange 1 X-Warning:\n", "insert 0 X-Warning: softfail of example.com\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestQuarantineRedirectsToAMailbox(t *testing.T) {
	d := ruled(t, `
[[rule]]
name = "all"
when = 'true'
action = "quarantine"
quarantine = "redirect"
redirect = "quarantine@example.org"
reason = "held for {text.client}"
`, nil)
	_, modifications, action := send(t, d.connect(t, nil), "b@example.org", "c@example.org")
	wantAction(t, action, milter.ActionAccept)
	got := list(modifications)
	for _, want := range []string{"b@example.org", "c@example.org", "quarantine@example.org", "X-Gatepost-Verdict: quarantine; rule=all;"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "Quarantine \"") {
		t.Errorf("held in the queue as well:\n%s", got)
	}

	// A mail server that does not let recipients be changed must not hand the message to them.
	s := d.connect(t, nil, milter.WithAction(milter.OptAddHeader|milter.OptQuarantine), milter.WithoutAction(milter.OptRemoveRcpt))
	_, _, action = send(t, s, "b@example.org")
	wantRefused(t, action, "550 5.7.1 held for 192.0.2.9")
}

func TestQuarantineByAHeaderField(t *testing.T) {
	d := ruled(t, `
[[rule]]
name = "all"
when = 'true'
action = "quarantine"
quarantine = "header"
field = "X-Quarantine"
`, nil)
	modifications, action := d.deliver(t, mail{})
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, "X-Quarantine: quarantine; rule=all;") || strings.Contains(got, "Quarantine \"") {
		t.Errorf("got\n%s", got)
	}
}

func TestRuleThatOnlyWatchesIsToldAndDecidesNothing(t *testing.T) {
	d := ruled(t, `
[[rule]]
name = "try-me"
when = 'spf.result == "softfail"'
action = "reject"
mode = "monitor"
reply = "550 5.7.23 no, {text.client}"
`, nil)
	modifications, action := d.deliver(t, mail{ip: "192.0.2.9"})
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, `X-Gatepost-Verdict: reject; rule=try-me; mode=monitor; reason="no, 192.0.2.9"`) {
		t.Errorf("got\n%s", got)
	}
	if log := d.log.String(); !strings.Contains(log, "verdict=accept") || !strings.Contains(log, "watched=\"reject=try-me\"") {
		t.Errorf("log: %s", log)
	}
}

func TestRefusalNamesTheMessageAndAPageThatHelps(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.HelpURL = "https://mail.example.org/why?ref={ref}" })
	_, action := d.deliver(t, mail{ip: "192.0.2.9", macros: map[milter.MacroName]string{milter.MacroQueueId: "4XyZ1a"}})
	wantRefused(t, action, "550 5.7.23 ")
	if want := "; ref 4XyZ1a, see https://mail.example.org/why?ref=4XyZ1a"; !strings.HasSuffix(action.SMTPReply, want) {
		t.Errorf("got %s, want it to end %s", action.SMTPReply, want)
	}
	if !strings.Contains(d.log.String(), "queue_id=4XyZ1a") {
		t.Errorf("log: %s", d.log)
	}

	_, action = d.deliver(t, mail{ip: "192.0.2.9"})
	_, ref, _ := strings.Cut(action.SMTPReply, "; ref ")
	ref, _, _ = strings.Cut(ref, ",")
	if len(ref) != 10 || !strings.Contains(d.log.String(), "ref="+ref) {
		t.Errorf("without a queue ID: the reference %q is not in the log\n%s", ref, d.log)
	}
}

// recorded keeps what was written down.
type recorded struct{ all []store.Decision }

func (r *recorded) Record(d *store.Decision) { r.all = append(r.all, *d) }

func TestEveryDecisionIsWrittenDown(t *testing.T) {
	r := &recorded{}
	d := open(t, Options{Recorder: r}, nil)
	queue := map[milter.MacroName]string{milter.MacroQueueId: "4XyZ"}
	d.deliver(t, mail{header: [][2]string{{"From", " a@example.com"}, {"Message-ID", " <1@example.com>"}}, macros: queue})
	d.deliver(t, mail{ip: "192.0.2.9", macros: queue})
	d.gate.settings.Load().byDefault.Monitor = true
	d.deliver(t, mail{ip: "192.0.2.9", macros: queue})
	d.deliver(t, mail{ip: "127.0.0.1", macros: queue})
	if len(r.all) != 4 {
		t.Fatalf("got %d decisions, want 4", len(r.all))
	}
	for i, want := range []store.Decision{
		{Verdict: "accept", Done: "accept", Mode: "enforce", MessageID: "<1@example.com>", AuthorDomain: "example.com", DMARC: "pass"},
		{Verdict: "reject", Done: "reject", Mode: "enforce", Rule: "spf-softfail", AuthorDomain: "example.com", DMARC: "fail"},
		{Verdict: "reject", Done: "accept", Mode: "monitor", Rule: "spf-softfail", AuthorDomain: "example.com", DMARC: "fail"},
		{Verdict: "accept", Done: "accept", Mode: "monitor", Rule: "own-network"},
	} {
		got := r.all[i]
		if got.Verdict != want.Verdict || got.Done != want.Done || got.Mode != want.Mode || got.Rule != want.Rule || got.MessageID != want.MessageID ||
			got.AuthorDomain != want.AuthorDomain || got.DMARC != want.DMARC || got.QueueID != "4XyZ" || got.Reference != "4XyZ" || got.Time.IsZero() ||
			len(got.Recipients) != 1 || got.Recipients[0] != "b@example.org" {
			t.Errorf("decision %d: got %+v\nwant %+v", i, got, want)
		}
	}
	if s := d.gate.Stats(); s.Messages != 4 || s.Refused != 1 {
		t.Errorf("got %+v, want 4 messages of which one was refused", s)
	}
}

// allowed is a store with one exception in it.
type allowed struct{ exception store.Exception }

func (a allowed) Exceptions(context.Context) ([]store.Exception, error) {
	return []store.Exception{a.exception}, nil
}
func (a allowed) ExceptionsVersion(context.Context) (int64, error) { return 1, nil }

func TestExceptionLetsItsSenderInAndNobodyElse(t *testing.T) {
	set := exceptions.New(allowed{store.Exception{
		ID: 7, Domain: "example.com", Network: netip.MustParsePrefix("192.0.2.9/32"), Until: time.Now().Add(time.Hour), Reason: "they mend it",
	}}, slog.New(slog.DiscardHandler))
	if err := set.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := &recorded{}
	d := open(t, Options{Recorder: r}, func(s *Settings) { s.Exceptions = set })
	for _, c := range []struct {
		m    mail
		want string // of the reply; empty where it is let in
	}{
		{mail{ip: "192.0.2.9"}, ""},
		{mail{ip: "192.0.2.10"}, "550 5.7.23 "},
		{mail{ip: "192.0.2.9", from: "a@fail.example", header: [][2]string{{"From", " a@fail.example"}}}, "550 5.7.23 "},
		{mail{ip: "192.0.2.9", header: [][2]string{{"From", " a@example.com, b@held.example"}}}, "550 5.7.23 "},
	} {
		_, action := d.deliver(t, c.m)
		if c.want == "" {
			wantAction(t, action, milter.ActionAccept)
		} else {
			wantRefused(t, action, c.want)
		}
	}
	if got := r.all[0]; got.Exception != 7 || got.Rule != exceptions.Rule || r.all[1].Exception != 0 {
		t.Errorf("written down as %+v", got)
	}
	if log := d.log.String(); strings.Count(log, "exception=7") != 1 {
		t.Errorf("log: %s", log)
	}
}

func TestMoreForgedFieldsThanCanBeTakenAwayAreRefused(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Monitor = true })
	header := [][2]string{{"From", " a@example.com"}}
	for range maxForged {
		header = append(header, [2]string{"Authentication-Results", " mx.example.org; spf=pass"})
	}
	_, action := d.deliver(t, mail{header: header})
	wantAction(t, action, milter.ActionAccept)
	header = append(header, [2]string{"Authentication-Results", " mx.example.org; spf=pass"})
	_, action = d.deliver(t, mail{header: header})
	wantRefused(t, action, "550 5.7.1 The header has more than 200 fields that only mx.example.org may write")
}

func TestNoLineOfOurFieldsIsWhiteSpaceAlone(t *testing.T) {
	got := fold("mark; reason=\"aaaa"+strings.Repeat(" ", 300)+"b\"", 20)
	for line := range strings.SplitSeq(got, "\n") {
		if strings.TrimSpace(line) == "" {
			t.Errorf("a line of white space alone in %q", got)
		}
	}
}

func TestMessageThatCannotBeHeldIsRefusedWithItsReference(t *testing.T) {
	d := open(t, Options{}, nil)
	m := mail{from: "a@example.com", header: [][2]string{{"From", " a@sub.held.example"}}, macros: map[milter.MacroName]string{milter.MacroQueueId: "4Q"}}
	_, action := d.deliver(t, m, milter.WithoutAction(milter.OptQuarantine))
	wantRefused(t, action, "550 5.7.1 DMARC fail")
	if !strings.HasSuffix(action.SMTPReply, "; ref 4Q") {
		t.Errorf("got %s, want the reference at its end", action.SMTPReply)
	}
}
