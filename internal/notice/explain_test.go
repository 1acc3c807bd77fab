package notice

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestAMessageIsExplainedInTheWordsOfTheLetter(t *testing.T) {
	d := &store.Decision{
		ClientIP: netip.MustParseAddr("192.0.2.7"), AuthorDomain: "example.de", DMARC: "fail", SPF: []store.SPF{{Identity: "mailfrom", Domain: "example.de", Result: "softfail"}},
	}
	e, ok := Languages().Explain(d)
	if !ok || e.Domain != "example.de" || e.Fault != "spf-fail" || !strings.Contains(e.What, "example.de does not list the server 192.0.2.7") || e.Why == "" ||
		!strings.Contains(e.Advice, "Add the server") || e.Title == "" {
		t.Errorf("%+v, %v", e, ok)
	}
	d.DMARC, d.SPF[0].Result = "pass", "pass"
	if e, ok := Languages().Explain(d); ok {
		t.Errorf("nothing failed: %+v", e)
	}
}

func TestEveryFaultOfACaseHasATitle(t *testing.T) {
	for id, want := range map[string]string{
		"spf-own-server-not-covered": "its SPF record does not list the sending server", "mail:dkim-absent": "", "spf-multiple": "more than one SPF record",
		"mx-missing": "", "nothere": "",
	} {
		got := Languages().Title(id)
		if !strings.Contains(got, want) || want == "" && strings.Contains(got, "fault.") || id == "mail:dkim-absent" && got == "" {
			t.Errorf("%s: %q, want %q in it", id, got, want)
		}
	}
}

func TestTheFindingIsTheOneThatTheLetterWouldBeAbout(t *testing.T) {
	d := &store.Decision{AuthorDomain: "example.com", DMARC: "fail", SPF: []store.SPF{{Identity: "mailfrom", Domain: "example.com", Result: "permerror"}}}
	r := &audit.Report{Findings: []audit.Finding{{ID: "dmarc-p-none", Severity: check.Warning}, {ID: "spf-multiple", Severity: check.Error}}}
	if f := Finding(d, r); f == nil || f.ID != "spf-multiple" {
		t.Errorf("%+v", f)
	}
	if f := Finding(d, &audit.Report{}); f != nil {
		t.Errorf("%+v", f)
	}
}

func TestACaseIsClosedOnlyOnceItsLetterWasSent(t *testing.T) {
	w := newWorld(t)
	n, _, err := w.Store.ProposeNotice(t.Context(), store.Notice{Domain: "example.com", Organization: "example.com", Token: strings.Repeat("a", 40), Opened: at})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(t.Context(), n.ID, "ann", "", at); err == nil {
		t.Error("what was not sent is closed")
	}
	if _, err := w.Store.MoveNotice(t.Context(), n.ID, []string{store.NoticeProposed}, store.NoticeMove{State: store.NoticeSent, At: at}); err != nil {
		t.Fatal(err)
	}
	if n, err = w.Close(t.Context(), n.ID, "ann", "they gave it up", at); err != nil || n.State != store.NoticeClosed || n.Author != "ann" || n.Detail != "they gave it up" {
		t.Errorf("%+v, %v", n, err)
	}
}
