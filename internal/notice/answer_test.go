package notice

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/inbox/address"
)

func tokens() *Tokens { return NewTokens("notices@example.org", []address.Secret{{1}, {2}}) }

func dsn(action, status, token string) string {
	return "From: MAILER-DAEMON@mx.example.com\r\nTo: " + token + "\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n" +
		"Final-Recipient: rfc822; postmaster@example.com\r\nAction: " + action + "\r\nStatus: " + status + "\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n--b--\r\n"
}

func TestAnswersAreReadForWhatTheyAre(t *testing.T) {
	o := tokens()
	token := o.New()
	to := o.Address(token)
	plain := func(header string) string {
		return header + "To: <" + to + ">\r\nFrom: a@example.com\r\nSubject: hello\r\n\r\nx\r\n"
	}
	returned := strings.Replace(dsn("failed", "5.1.1", "other@example.org"), "--b--", "--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@example.org\r\n"+
		"List-Unsubscribe: <mailto:"+to+"?subject=unsubscribe>\r\n\r\ntext\r\n--b--", 1)
	complaint := strings.Replace(strings.Replace(returned, "report-type=delivery-status", "report-type=feedback-report", 1), "Action: failed", "X: y", 1)
	for name, c := range map[string]struct{ message, kind, detail string }{
		"failed":            {dsn("failed", "5.1.1", to), Bounce, "5.1.1: 550 no such user"},
		"in other case":     {dsn("Failed", "5.1.1", strings.ToUpper(to)), Bounce, "5.1.1: 550 no such user"},
		"delayed":           {dsn("delayed", "4.4.1", to), Passing, "4.4.1"},
		"delivered":         {dsn("delivered", "2.0.0", to), Passing, "2.0.0"},
		"what came back":    {returned, Bounce, "5.1.1: 550 no such user"},
		"complaint":         {complaint, Unsubscribe, "a complaint"},
		"a person":          {plain(""), Unsubscribe, "hello"},
		"on holiday":        {plain("Auto-Submitted: auto-replied\r\n"), Passing, "hello"},
		"holiday, null":     {plain("Return-Path: <>\r\nAuto-Submitted: auto-replied (vacation)\r\n"), Passing, "hello"},
		"a bounce in prose": {plain("Return-Path: <>\r\n"), Bounce, "hello"},
	} {
		a, ok := o.Read(strings.NewReader(c.message))
		if !ok || a.Token != token || a.Kind != c.kind || a.Detail != c.detail {
			t.Errorf("%s: %t, %+v, want %s %q", name, ok, a, c.kind, c.detail)
		}
	}
}

func TestWithoutATokenOfOursNothingIsAnAnswer(t *testing.T) {
	o := tokens()
	stranger := NewTokens("notices@example.org", []address.Secret{{9}})
	good := o.New()
	flipped := "a" + good[1:]
	if good[0] == 'a' {
		flipped = "b" + good[1:]
	}
	for name, to := range map[string]string{
		"another's secret": stranger.Address(stranger.New()), "a bit flipped": o.Address(flipped), "none": "notices@example.org",
		"short": "notices+abc@example.org", "another host": strings.Replace(o.Address(good), "example.org", "example.net", 1),
	} {
		if a, ok := o.Read(strings.NewReader(dsn("failed", "5.1.1", to))); ok {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for _, text := range []string{"", "no message", "Subject: x\r\n\r\nplease write to " + o.Address(good) + "\r\n"} {
		if a, ok := o.Read(strings.NewReader(text)); ok {
			t.Errorf("%q: %+v", text, a)
		}
	}
}

func TestATokenOfAnOlderSecretIsStillKnownAndFitsIntoAnAddress(t *testing.T) {
	old := NewTokens("notices@example.org", []address.Secret{{2}})
	to := old.Address(old.New())
	if !tokens().Recipient(to) {
		t.Errorf("%s is not known", to)
	}
	if local, _, _ := strings.Cut(to, "@"); len(local) > 64 {
		t.Errorf("%s is too long", to)
	}
}

func FuzzRead(f *testing.F) {
	o := tokens()
	to := o.Address(o.New())
	f.Add(dsn("failed", "5.1.1", to))
	f.Add("To: " + to + "\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if a, ok := o.Read(strings.NewReader(text)); ok && (len(a.Token) != tokenLength || a.Kind == "" || strings.ContainsAny(a.Detail, "\r\n")) {
			t.Errorf("%+v", a)
		}
	})
}
