package senders

import (
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestTheTableKnowsEnoughServicesOfEachRole(t *testing.T) {
	roles := map[Role]int{}
	for _, s := range Known().Services() {
		roles[s.Role]++
	}
	if n := len(Known().Services()); n < 150 {
		t.Errorf("%d services, want 150 or more", n)
	}
	for role, least := range map[Role]int{Sender: 80, Forwarder: 20, Gateway: 15, Mailbox: 20} {
		if roles[role] < least {
			t.Errorf("%d of role %s, want %d or more", roles[role], role, least)
		}
	}
}

// TestEachServiceHasItsShape repeats what check asks for, and asks for more: that is what others' files need not have.
func TestEachServiceHasItsShape(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	claimed := map[string]string{}
	for _, s := range Known().Services() {
		if key, err := s.check(); err != nil {
			t.Errorf("%s: %s: %v", s.ID, key, err)
		}
		if ids[s.ID] || names[strings.ToLower(s.Name)] {
			t.Errorf("%s (%s) is there twice", s.ID, s.Name)
		}
		ids[s.ID], names[strings.ToLower(s.Name)] = true, true
		if s.Category == "own" {
			t.Errorf("%s: no category", s.ID)
		}
		if u, err := url.Parse(s.Docs); err != nil || u.Scheme != "https" || !strings.Contains(u.Host, ".") {
			t.Errorf("%s: docs: %q is no https address", s.ID, s.Docs)
		}
		if len(s.Aligns) == 0 && s.Note == "" {
			t.Errorf("%s can't align, and does not say why", s.ID)
		}
		if len(s.Aligns) == 0 && (len(s.Records) > 0 || s.Include != "") {
			t.Errorf("%s can't align, and has something to publish", s.ID)
		}
		if s.Note != "" && (!strings.HasSuffix(s.Note, ".") || strings.Count(s.Note, ". ") > 0) {
			t.Errorf("%s: note: not one sentence: %q", s.ID, s.Note)
		}
		if len(s.Networks) > 0 {
			t.Errorf("%s: networks change too often for a table", s.ID)
		}
		recognised := 0
		for kind, suffixes := range s.suffixes() {
			for _, suffix := range suffixes {
				recognised++
				if name, err := dns.ToASCII(suffix); err != nil || name != suffix {
					t.Errorf("%s: %s: %q is no domain in small letters", s.ID, kind, suffix)
				}
				if public, icann := publicsuffix.PublicSuffix(suffix); public == suffix && icann {
					t.Errorf("%s: %s: %q is a public suffix", s.ID, kind, suffix)
				}
				if other := claimed[kind+" "+suffix]; other != "" && !shared[kind+" "+suffix] && other != s.ID {
					t.Errorf("%s and %s both claim %s %s", other, s.ID, kind, suffix)
				}
				claimed[kind+" "+suffix] = s.ID
			}
		}
		if recognised == 0 {
			t.Errorf("%s can't be recognised", s.ID)
		}
	}
}

// shared are what two services have in common; the first has it.
var shared = map[string]bool{
	"include spf.protection.outlook.com": true, // Azure Communication Services send from Microsoft 365's addresses
}

func TestHowToFillsInTheDomainAndNothingElse(t *testing.T) {
	for _, s := range Known().Services() {
		for _, r := range s.HowTo("mail.example.com") {
			text := r.String()
			if strings.Contains(text, "{domain") {
				t.Errorf("%s: %s", s.ID, text)
			}
			if !strings.Contains(r.Name, "mail.example.com") {
				t.Errorf("%s: %s is not a record of the domain's", s.ID, text)
			}
		}
	}
	var got []string
	for _, r := range Known().Service("microsoft-365").HowTo("example.com") {
		got = append(got, r.String())
	}
	want := []string{
		"selector1._domainkey.example.com CNAME selector1-example-com._domainkey.{tenant}.onmicrosoft.com",
		"selector2._domainkey.example.com CNAME selector2-example-com._domainkey.{tenant}.onmicrosoft.com",
		`example.com TXT "v=spf1 … include:spf.protection.outlook.com …"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
