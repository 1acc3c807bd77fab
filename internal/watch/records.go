package watch

import (
	"context"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/mtasts"
	"github.com/gatepost-mail/gatepost/spf"
	"github.com/gatepost-mail/gatepost/tlsrpt"
)

// The kinds of what is remembered.
const (
	kindSPF     = "spf"
	kindInclude = "include" // an SPF record of somebody else's
	kindDKIM    = "dkim"
	kindDMARC   = "dmarc"
	kindMX      = "mx"
	kindSTS     = "mta-sts"
	kindPolicy  = "mta-sts-policy"
	kindTLSRPT  = "tls-rpt"
	kindBIMI    = "bimi"
	kindFinding = "finding" // its name is area, id and subject, its text the severity
	kindArea    = "area"    // one whose answers were had
	kindAudit   = "audit"   // its text is the grade
)

// Bounds of what one look makes us ask and keep, beside those of the audit.
const (
	maxIncludes  = 100
	maxSelectors = 100
	maxFindings  = 300
)

// A watcher gathers what there is to remember of one look.
type watcher struct {
	resolver dns.Resolver
	report   *audit.Report
	history  *history
	all      []store.Published
}

func (w *watcher) add(kind, name, text string) {
	w.all = append(w.all, store.Published{Kind: kind, Name: name, Text: text})
}

// records are those of the domain. What could not be had is left out.
func (w *watcher) records(ctx context.Context) {
	f := w.report.Facts
	w.text(ctx, kindSPF, f.Domain, spf.IsRecord)
	for _, target := range f.SPF.Targets()[:min(len(f.SPF.Targets()), maxIncludes)] {
		if !strings.Contains(target, "%") { // a macro: another name for each message
			w.text(ctx, kindInclude, target, spf.IsRecord)
		}
	}
	w.text(ctx, kindDMARC, "_dmarc."+f.Domain, dmarc.IsRecord)
	if f.Organizational != "" && f.Organizational != f.Domain {
		w.text(ctx, kindDMARC, "_dmarc."+f.Organizational, dmarc.IsRecord)
	}
	for _, name := range w.keys() {
		w.text(ctx, kindDKIM, name, func(string) bool { return true })
	}
	w.mx(ctx)
	w.text(ctx, kindSTS, mtasts.Prefix+"."+f.Domain, mtasts.IsRecord)
	w.policy()
	w.text(ctx, kindTLSRPT, tlsrpt.Prefix+"."+f.Domain, tlsrpt.IsRecord)
	w.text(ctx, kindBIMI, "default._bimi."+f.Domain, func(text string) bool { return strings.HasPrefix(text, "v=BIMI1") })
}

// text remembers the texts of a name that are of a kind, in one.
func (w *watcher) text(ctx context.Context, kind, name string, of func(string) bool) {
	answer, err := w.resolver.Lookup(ctx, name, dns.TypeTXT)
	if err != nil && !dns.IsVoid(err) {
		return
	}
	var texts []string
	for _, text := range answer.TXT {
		if of(text) {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	w.add(kind, name, strings.Join(texts, "\n"))
}

func (w *watcher) mx(ctx context.Context) {
	answer, err := w.resolver.Lookup(ctx, w.report.Domain, dns.TypeMX)
	if err != nil && !dns.IsVoid(err) {
		return
	}
	var all []string
	for _, m := range answer.MX {
		all = append(all, publish.MX(m))
	}
	slices.Sort(all)
	w.add(kindMX, w.report.Domain, strings.Join(all, "\n"))
}

// keys are the names of the key records that there are, and that there were: one that is gone is asked for by nobody else.
func (w *watcher) keys() []string {
	var all []string
	for _, s := range w.report.Facts.DKIM.Selectors {
		all = append(all, s.Name+keysOf(w.report.Domain))
	}
	for _, p := range w.history.all {
		if p.Kind == kindDKIM && p.Present {
			all = append(all, p.Name)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxSelectors)]
}

func keysOf(domain string) string { return "._domainkey." + domain }

// policy remembers the file: its text, or that it is certainly not there.
func (w *watcher) policy() {
	s := &w.report.Facts.STS
	name := mtasts.URL(w.report.Domain)
	switch {
	case s.Policy() != nil:
		w.add(kindPolicy, name, s.Fetched.Text)
	case s.Fault != nil && (s.Fault.Fault == mtasts.FaultHost || s.Fault.Status == 404 || s.Fault.Status == 410):
		w.add(kindPolicy, name, "")
	}
}

// findings remembers what is wrong. What was wrong is no longer only where all could be looked at: many a check looks at several areas.
func (w *watcher) findings() {
	now := map[string]bool{}
	for _, f := range w.report.Findings {
		name := findingName(&f)
		if f.Severity != check.Error && f.Severity != check.Warning || now[name] || len(now) == maxFindings {
			continue
		}
		now[name] = true
		w.add(kindFinding, name, string(f.Severity))
	}
	if len(w.report.Facts.Failures) == 0 {
		for _, p := range w.history.all {
			if p.Kind == kindFinding && p.Present && p.Text != "" && !now[p.Name] {
				w.add(kindFinding, p.Name, "")
			}
		}
	}
	for _, area := range facts.Areas {
		if !w.report.Facts.Unknown(area) {
			w.add(kindArea, string(area), "known")
		}
	}
}

func findingName(f *audit.Finding) string { return string(f.Area) + " " + f.ID + " " + f.Subject }
