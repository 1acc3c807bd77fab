package gate

import (
	"strings"
	"testing"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/policy"
)

// routed is a gate whose default is strict, with recipient domains that want otherwise.
func routed(t *testing.T) *door {
	return open(t, Options{}, func(s *Settings) {
		standard, _ := policy.Preset("standard")
		s.Routes = []Route{
			{Domains: []string{"lenient.example", "*.lenient.example"}, Policy: standard},
			{Domains: []string{"watching.example", "xn--bcher-kva.example"}, Policy: s.Policy, Monitor: true},
		}
	})
}

// send hands a softfailing message to some recipients, and gives the answers to them and to the message.
func send(t *testing.T, s *milter.ClientSession, recipients ...string) (refused []string, modifications []milter.ModifyAction, action *milter.Action) {
	t.Helper()
	greet(t, s, mail{ip: "192.0.2.9"})
	must(t, "mail")(s.Mail("a@example.com", ""))
	for _, r := range recipients {
		a, err := s.Rcpt(r, "")
		if err != nil {
			t.Fatal(err)
		}
		if a != nil && a.Type == milter.ActionRejectWithCode {
			refused = append(refused, r+" "+a.SMTPReply)
		}
	}
	must(t, "data")(s.DataStart())
	must(t, "header")(s.HeaderField("From", " a@none.example", nil))
	must(t, "eoh")(s.HeaderEnd())
	must(t, "body")(s.BodyChunk([]byte("hello\r\n")))
	modifications, action, err := s.End()
	if err != nil {
		t.Fatal(err)
	}
	return refused, modifications, action
}

func TestRecipientDomainsHaveTheirOwnPolicy(t *testing.T) {
	d := routed(t)
	for _, c := range []struct {
		recipients []string
		want       string // of the reply, or of the mark
	}{
		{[]string{"b@example.org"}, "550 5.7.23"},
		{[]string{"b@lenient.example"}, "X-Gatepost-Verdict: mark; rule=spf-softfail;"},
		{[]string{"b@SUB.Lenient.Example", "c@lenient.example"}, "X-Gatepost-Verdict: mark; rule=spf-softfail;"},
		{[]string{"b@notlenient.example"}, "550 5.7.23"},
		{[]string{"b@watching.example"}, "X-Gatepost-Verdict: reject; rule=spf-softfail; mode=monitor;"},
		{[]string{"b@bücher.example"}, "X-Gatepost-Verdict: reject; rule=spf-softfail; mode=monitor;"},
		{[]string{"postmaster"}, "550 5.7.23"},
	} {
		refused, modifications, action := send(t, d.connect(t, nil), c.recipients...)
		if len(refused) > 0 {
			t.Errorf("%v: put off %v", c.recipients, refused)
		}
		if got := action.SMTPReply + list(modifications); !strings.Contains(got, c.want) {
			t.Errorf("%v: got %s, want %s", c.recipients, got, c.want)
		}
	}
}

func TestRecipientOfAnotherPolicyIsPutOff(t *testing.T) {
	d := routed(t)
	refused, modifications, action := send(t, d.connect(t, nil), "b@lenient.example", "c@example.org", "d@lenient.example", "e@watching.example")
	if len(refused) != 2 || !strings.HasPrefix(refused[0], "c@example.org 452 4.5.3 ") || !strings.HasPrefix(refused[1], "e@watching.example 452 4.5.3 ") {
		t.Errorf("put off %q, want those of another policy", refused)
	}
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, "mark; rule=spf-softfail") {
		t.Errorf("got\n%swant the policy of the first", got)
	}
}

func TestStrictestPolicyCountsWhereTheServerDoesNotWait(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil) // which has settled that recipients are not answered
	standard, _ := policy.Preset("standard")
	next := *d.gate.settings.Load()
	next.Routes = []Route{{Domains: []string{"lenient.example"}, Policy: standard}, {Domains: []string{"watching.example"}, Policy: next.Policy, Monitor: true}}
	d.gate.Reload(next)
	refused, _, action := send(t, s, "b@watching.example", "b@lenient.example", "c@example.org")
	if len(refused) > 0 {
		t.Errorf("put off %q by a server that does not listen", refused)
	}
	wantRefused(t, action, "550 5.7.23 ")
}

func TestRecipientsAreNotWaitedForWithoutRoutes(t *testing.T) {
	d := open(t, Options{}, nil)
	if s := d.connect(t, nil); !s.ProtocolOption(milter.OptNoRcptReply) || s.ProtocolOption(milter.OptNoRcptTo) {
		t.Error("recipients are to be told, and not to be waited for")
	}
	if s := routed(t).connect(t, nil); s.ProtocolOption(milter.OptNoRcptReply) {
		t.Error("with routes, the mail server is to wait for the answer to a recipient")
	}
}

func TestOwnMailIsNotPutOff(t *testing.T) {
	d := routed(t)
	s := d.connect(t, nil)
	must(t, "connect")(s.Conn("localhost", milter.FamilyInet, 25, "127.0.0.1"))
	must(t, "helo")(s.Helo("localhost"))
	must(t, "mail")(s.Mail("a@example.com", ""))
	must(t, "rcpt")(s.Rcpt("b@lenient.example", ""))
	must(t, "rcpt")(s.Rcpt("c@example.org", ""))
}

func TestRecipientThatCanBeReadTwoWaysHasTheStrictestPolicy(t *testing.T) {
	d := routed(t)
	for _, r := range []string{
		`"u@lenient.example"`, "u%lenient.example", "lenient.example!u", "u@ lenient.example", "u@lenient.example (c)", `u@lenient\.example`,
		"u@[127.0.0.1]", "u@example.org (@lenient.example", "@example.org:u@lenient.example", "u@example.org@lenient.example", "u",
	} {
		_, modifications, action := send(t, d.connect(t, nil), r)
		if action.Type != milter.ActionRejectWithCode || !strings.HasPrefix(action.SMTPReply, "550 5.7.23") {
			t.Errorf("%s: %v, want the refusal of strict\n%s", r, action, list(modifications))
		}
	}
}

func TestPolicyIsThatOfTheRecipientWhomTheMailServerUnderstood(t *testing.T) {
	d := routed(t)
	_, modifications, _ := send(t, d.connect(t, map[milter.MacroName]string{milter.MacroRcptAddr: "u@lenient.example"}), "u")
	if got := list(modifications); !strings.Contains(got, "mark; rule=spf-softfail") {
		t.Errorf("got\n%swant the policy of lenient.example", got)
	}
}

func TestNobodyIsPutOffWhereAllIsWatchedOrTheSame(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"all watched": func(s *Settings) {
			standard, _ := policy.Preset("standard")
			s.Monitor = true
			s.Routes = []Route{{Domains: []string{"lenient.example"}, Policy: standard, Monitor: true}}
		},
		"the same": func(s *Settings) { s.Routes = []Route{{Domains: []string{"lenient.example"}, Policy: s.Policy}} },
	} {
		d := open(t, Options{}, change)
		if refused, _, _ := send(t, d.connect(t, nil), "a@lenient.example", "b@example.org"); len(refused) > 0 {
			t.Errorf("%s: put off %q", name, refused)
		}
	}
}
