package notice

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/golden"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func stopped() *store.Decision {
	return &store.Decision{
		Time: at, Reference: "k3tqmzv2", ClientIP: netip.MustParseAddr("192.0.2.17"), Helo: "mx.example.com", MailFrom: "annabel.novak@example.com",
		EnvelopeDomain: "example.com", Recipients: []string{"bert@example.org"}, AuthorDomain: "example.com", DMARC: "fail",
		SPF:  []store.SPF{{Identity: "mailfrom", Domain: "example.com", Result: "softfail"}},
		DKIM: []store.Signature{}, Verdict: "reject", Done: "reject", Rule: "spf-softfail",
	}
}

func softfail() audit.Finding {
	return audit.Finding{
		ID: "spf-softfail", Severity: check.Warning, Subject: "example.com", Title: "SPF ends in ~all", Detail: "The record ends in ~all.",
		Fix: "v=spf1 mx -all", Changes: []publish.Change{{Name: "example.com", Type: "TXT", Old: "v=spf1 mx ~all", New: "v=spf1 mx -all"}},
	}
}

func uncovered() audit.Finding {
	return audit.Finding{
		ID: notCovered, Severity: check.Error, Subject: "example.com", Title: "Its own server is missing",
		Changes: []publish.Change{{Name: "example.com", Type: "TXT", Old: "v=spf1 mx ~all", New: "v=spf1 mx ip4:192.0.2.17 ~all"}},
	}
}

func caseOf(language string, d *store.Decision, findings ...audit.Finding) *Case {
	return &Case{
		Subject: Subject{Domain: "example.com", Decision: d, Language: language, Count: 3}, At: at,
		Report: &audit.Report{Domain: "example.com", Findings: findings},
		Sender: Sender{Organization: "Example GmbH", Host: "mx.example.org", Contact: "postmaster@example.org", About: "https://example.org/mail"},
		Token:  "token", Address: "notices+token@example.org",
	}
}

func TestLettersInAllLanguages(t *testing.T) {
	dmarc := audit.Finding{ID: "dmarc-missing", Severity: check.Error, Subject: "_dmarc.example.com", Title: "There is no DMARC record"}
	for _, name := range Languages().Names() {
		for what, k := range map[string]*Case{
			"refused": caseOf(name, stopped(), uncovered(), softfail(), dmarc),
			"found":   caseOf(name, nil, softfail(), dmarc),
		} {
			l, ok := Languages().Write(k)
			if !ok {
				t.Fatalf("%s, %s: no letter", name, what)
			}
			text := "Subject: " + l.Subject + "\n\n" + l.Text
			for _, got := range []struct{ file, text string }{{name + "-" + what + ".txt", text}, {name + "-" + what + ".html", l.HTML}} {
				path := filepath.Join("testdata/letters", got.file)
				golden.Check(t, path, got.text)
			}
			if strings.Contains(text+l.HTML, "%!") {
				t.Errorf("%s, %s: something was not filled in:\n%s", name, what, text)
			}
		}
	}
}

func TestALetterTellsOfNoPerson(t *testing.T) {
	for _, name := range Languages().Names() {
		l, _ := Languages().Write(caseOf(name, stopped(), uncovered()))
		for _, person := range []string{"annabel", "novak", "bert@"} {
			if strings.Contains(l.Subject+l.Text+l.HTML, person) {
				t.Errorf("%s: %s is in it", name, person)
			}
		}
	}
}

func TestTheFirstFaultIsWhatTheMessageWasStoppedFor(t *testing.T) {
	l, ok := Languages().Write(caseOf("en", stopped(), softfail(), uncovered()))
	if !ok || l.Faults[0] != notCovered || !strings.Contains(l.Text, "ip4:192.0.2.17") {
		t.Errorf("%v\n%s", l.Faults, l.Text)
	}
	if !strings.Contains(l.Text, "somebody used your domain") {
		t.Errorf("it does not say that the server may be a stranger's:\n%s", l.Text)
	}
}

func TestAFaultThatDNSDoesNotShowIsOneOfTheMail(t *testing.T) {
	d := stopped()
	d.SPF[0].Result, d.DKIM = "none", []store.Signature{{Result: "fail", SDID: "example.com", Selector: "s1"}}
	d.Reason = "DMARC fail: (d=example.com: the body hash does not match)"
	l, ok := Languages().Write(caseOf("en", d))
	if !ok || l.Faults[0] != "mail:dkim-changed" || !strings.Contains(l.Text, "dig +short TXT s1._domainkey.example.com") {
		t.Errorf("%v\n%s", l.Faults, l.Text)
	}
}

func TestWithoutAFaultThereIsNoLetter(t *testing.T) {
	good := audit.Finding{ID: "dmarc-fine", Severity: check.Info}
	if l, ok := Languages().Write(caseOf("en", nil, good)); ok {
		t.Errorf("%+v", l)
	}
	d := stopped()
	d.DMARC = "pass"
	if l, ok := Languages().Write(caseOf("en", d, softfail())); ok {
		t.Errorf("of a message that passed: %+v", l)
	}
}

func TestAnErrorThatThereAreNoSentencesOnIsToldInGeneral(t *testing.T) {
	odd := audit.Finding{ID: "mx-loopback", Severity: check.Error, Subject: "example.com", Title: "MX points home", Detail: "mx.example.com is 127.0.0.1."}
	l, ok := Languages().Write(caseOf("de", nil, odd))
	if !ok || l.Faults[0] != "mx-loopback" || !strings.Contains(l.Text, "mx.example.com is 127.0.0.1.") {
		t.Errorf("%t\n%s", ok, l.Text)
	}
}

func TestWhatAStrangerPublishesMisleadsNobody(t *testing.T) {
	evil := softfail()
	evil.Subject = "example.com; rm -rf /"
	evil.Detail = "x\r\n\r\nBcc: everybody <script>alert(1)</script> \u202e"
	evil.Changes[0].New = "v=spf1 \"</pre><script>alert(1)</script> -all"
	k := caseOf("en", stopped(), evil)
	k.Decision.Helo = "mx\r\nX: <img src=x>"
	k.Decision.SPF[0].Result = "none"
	k.Decision.DMARC = "none"
	for _, k := range []*Case{k, caseOf("en", nil, evil)} {
		l, ok := Languages().Write(k)
		if !ok {
			t.Fatal("no letter")
		}
		if strings.Contains(l.HTML, "<script>") || strings.Contains(l.HTML, "<img") {
			t.Errorf("markup:\n%s", l.HTML)
		}
		if strings.Contains(l.Text, "\nBcc") || strings.ContainsAny(l.Text, "\r\u202e") || strings.Contains(l.Text, "dig +short TXT example.com; rm") {
			t.Errorf("text:\n%s", l.Text)
		}
	}
}

func TestALongRecordIsShownInStringsAndUnbroken(t *testing.T) {
	long := softfail()
	long.Changes[0].New = "v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 40) + "-all"
	l, _ := Languages().Write(caseOf("en", nil, long))
	if !strings.Contains(l.Text, `    example.com. `) || !strings.Contains(l.Text, `-all" )`) {
		t.Errorf("%s", l.Text)
	}
}
