package notice

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestADomainThatNamesAStrangerHasNobodyWrittenToByRule(t *testing.T) {
	w := newWorld(t)
	w.Config.Rules = []Rule{{Name: "softfail", Rules: []string{"spf-softfail"}, Messages: 1, Send: true}}
	w.to = []store.NoticeRecipient{{Address: "victim@example.net", Source: FromSecurityTXT}}
	w.saw(t, "a", passed(at.Add(-time.Hour)), *stopped())
	if err := w.Run(t.Context(), at); err != nil || len(w.sent) != 0 {
		t.Fatalf("%d letters went to a stranger, %v", len(w.sent), err)
	}
	all, err := w.Store.Notices(t.Context(), store.NoticeFilter{})
	if err != nil || len(all) != 1 || all[0].State != store.NoticeProposed {
		t.Fatalf("%+v, %v", all, err)
	}
	n, err := w.Approve(t.Context(), all[0].ID, "rule softfail", at)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Deliver(t.Context(), n, at); !errors.Is(err, store.ErrNoticeHeld) || !strings.Contains(err.Error(), "victim@example.net") {
		t.Errorf("%v", err)
	}

	w = newWorld(t) // where a person looked, it may go there
	w.to = []store.NoticeRecipient{{Address: "security@example.net", Source: FromSecurityTXT}}
	w.sentCase(t)
	if w.sent[0].To[0] != "security@example.net" {
		t.Errorf("it went to %s", w.sent[0].To)
	}
}

func TestWhoForgesManyDomainsHasUsAskNothingAndKeepsNobodyFromTheirTurn(t *testing.T) {
	w := newWorld(t)
	w.Config.Rules = []Rule{{Name: "softfail", Rules: []string{"spf-softfail"}, Messages: 1}}
	audited := map[string]int{}
	next := w.Audit
	w.Audit = func(ctx context.Context, domain string, servers ...netip.Addr) *audit.Report {
		audited[domain]++
		return next(ctx, domain, servers...)
	}
	all := []store.Decision{passed(at.Add(-time.Hour)), *stopped()}
	for i := range 2*mostLooked - 1 {
		d := *stopped()
		d.EnvelopeDomain = fmt.Sprintf("forged%d.example", i)
		d.AuthorDomain, d.SPF = d.EnvelopeDomain, []store.SPF{{Identity: "mailfrom", Domain: d.EnvelopeDomain, Result: "softfail"}}
		all = append(all, d, d)
	}
	w.saw(t, "a", all...)
	for i := range 4 {
		if err := w.Run(t.Context(), at.Add(time.Duration(i)*10*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if len(audited) != 1 || audited["example.com"] != 1 {
		t.Errorf("audited were %v", audited)
	}
}

func TestNobodyIsWrittenToAboutAPublicSuffix(t *testing.T) {
	w := newWorld(t)
	below := passed(at)
	below.AuthorDomain, below.EnvelopeDomain = "shop.co.uk", "shop.co.uk"
	w.saw(t, "a", below)
	if _, _, err := w.Propose(t.Context(), Subject{Domain: "co.uk"}, "ann", at); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("%v", err)
	}
}

func TestNoLinkOfAStrangersIsInALetter(t *testing.T) {
	d := stopped()
	d.Helo, d.Reference = "http://evil.example/mend-your-spf", "https://evil.example"
	d.SPF[0].Result, d.DMARC = "none", "fail"
	d.DKIM = []store.Signature{{Result: "fail", SDID: "example.com", Selector: "https://evil.example/x"}, {Result: "fail", SDID: "example.com", Selector: "$(reboot)"}}
	f := softfail()
	f.Detail = "Look at https://evil.example/now."
	f.Changes[0].Old = "v=spf1 https://evil.example ~all"
	for _, findings := range [][]audit.Finding{{f}, nil} {
		l, ok := Languages().Write(&Case{Subject: Subject{Domain: "example.com", Decision: d}, Report: &audit.Report{Findings: findings}, At: at,
			Sender: Sender{Organization: "Example GmbH", Host: "mx.example.org", Contact: "postmaster@example.org"}})
		if !ok {
			t.Fatal("no letter")
		}
		for _, text := range []string{l.Text, l.HTML} {
			for _, bad := range []string{"://evil.example", "TXT $(reboot)"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s is in\n%s", bad, text)
				}
			}
		}
	}
}
