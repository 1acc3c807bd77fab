package watch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// changes are those of the last days that are worse than what was before, in words.
func changes(report *audit.Report, h *history, now time.Time) []alert.Alert {
	var all []alert.Alert
	for i := range h.all {
		p := &h.all[i]
		if !p.Present || now.Sub(p.Since) > recent {
			continue
		}
		before := h.before(p)
		var a *alert.Alert
		switch {
		case p.Kind == kindFinding:
			a = fault(report, h, p)
		case before == nil:
		case p.Kind == kindDKIM:
			a = key(report.Domain, before, p)
		default:
			a = weaker(before, p)
		}
		if a == nil {
			continue
		}
		a.Domain = report.Domain
		a.Subject = outbox.Plain(p.Kind+" "+p.Name+" "+p.Hash, 500)
		if before != nil {
			a.Subject = outbox.Plain(a.Subject+" "+before.Hash, 500)
		}
		all = append(all, *a)
	}
	return all
}

// key tells of a key that verifies nothing any longer.
func key(domain string, before, now *store.Published) *alert.Alert {
	if !usable(before.Text) || usable(now.Text) {
		return nil
	}
	selector := strings.TrimSuffix(now.Name, keysOf(domain))
	what, is := "is gone", "There is none now"
	switch _, err := dkim.ParseKey(now.Text); {
	case now.Text == "":
	case errors.Is(err, dkim.ErrRevoked):
		what, is = "was revoked", "It is now "+quoted(now.Text)
	default:
		what, is = "is no key any longer", "It is now "+quoted(now.Text)
	}
	return &alert.Alert{
		Kind:  alert.KeyGone,
		Title: fmt.Sprintf("%s: the DKIM key %s %s", domain, word(selector), what),
		Text: fmt.Sprintf("The record at %s was %s until %s. %s. Signatures made with that key fail from now on; if it was taken away because another "+
			"signs, all is well.", word(now.Name), quoted(before.Text), stamp(before.Last), is),
	}
}

// usable tells whether one of the texts is a key.
func usable(texts string) bool {
	for text := range strings.SplitSeq(texts, "\n") {
		if k, err := dkim.ParseKey(text); err == nil && k.Public != nil {
			return true
		}
	}
	return false
}

// weaker tells of a policy that asks for less than it did.
func weaker(before, now *store.Published) *alert.Alert {
	what := weakened(now.Kind, before.Text, now.Text)
	if what == "" {
		return nil
	}
	name := map[string]string{kindSPF: "SPF", kindDMARC: "DMARC", kindSTS: "MTA-STS", kindPolicy: "MTA-STS"}[now.Kind]
	is := "There is none now"
	if now.Text != "" {
		is = "It is now " + quoted(now.Text)
	}
	return &alert.Alert{
		Kind:  alert.PolicyWeaker,
		Title: fmt.Sprintf("%s: the %s policy was weakened: %s", word(now.Name), name, what),
		Text:  fmt.Sprintf("It was %s until %s. %s.", quoted(before.Text), stamp(before.Last), is),
	}
}

// fault tells of an error that was not there before, and of anything that dangles: whoever registers the name has it.
func fault(report *audit.Report, h *history, p *store.Published) *alert.Alert {
	i := slices.IndexFunc(report.Findings, func(f audit.Finding) bool { return findingName(&f) == p.Name })
	if i < 0 {
		return nil
	}
	f := &report.Findings[i]
	dangling := strings.Contains(f.ID, "dangling")
	first := h.present(kindArea, string(f.Area)) // who begins to be watched need not be told of what was there already
	if f.Severity != check.Error && !dangling || first == nil || !p.Since.After(first.First) {
		return nil
	}
	a := &alert.Alert{
		Kind:  alert.NewFault,
		Title: fmt.Sprintf("%s: %s", report.Domain, f.Title),
		Text:  fmt.Sprintf("Since %s, at %s: %s %s", stamp(p.Since), word(f.Subject), outbox.PlainName(f.Detail, 500), f.Why),
	}
	if dangling {
		a.Kind = alert.Dangling
	}
	for _, c := range causes(h, f.Area, p.Since) {
		a.Text += " " + c
	}
	switch {
	case f.Fix != "" && len(f.Changes) > 0 && !f.Changes[0].Elsewhere:
		a.Text += fmt.Sprintf(" Publish at %s: %s", word(f.Changes[0].Name), quoted(f.Fix))
	case f.Advice != "":
		a.Text += " " + f.Advice
	}
	return a
}

// maxCauses bounds how many changes are told beside what came of them.
const maxCauses = 3

// causes are the records that changed when a fault came, with what they were and are: that of an include is somebody else's, and its
// owner told nobody.
func causes(h *history, area facts.Area, at time.Time) []string {
	kinds := map[facts.Area][]string{
		facts.SPF: {kindSPF, kindInclude}, facts.DKIM: {kindDKIM}, facts.DMARC: {kindDMARC}, facts.MX: {kindMX},
		facts.STS: {kindSTS, kindPolicy, kindMX}, facts.TLSRPT: {kindTLSRPT}, facts.BIMI: {kindBIMI, kindDMARC},
	}[area]
	var all []string
	for i := range h.all {
		p := &h.all[i]
		before := h.before(p)
		if before == nil || !p.Since.Equal(at) || !slices.Contains(kinds, p.Kind) || len(all) == maxCauses {
			continue
		}
		is := "there is none now"
		if p.Text != "" {
			is = "it is now " + quoted(p.Text)
		}
		all = append(all, fmt.Sprintf("What changed: the record at %s was %s, and %s.", word(p.Name), or(before.Text), is))
	}
	return all
}

func or(text string) string {
	if text == "" {
		return "not there"
	}
	return quoted(text)
}

// quoted is a record as a letter says it: that of an include is somebody else's, and no mail program is to make a link of what is in it.
func quoted(s string) string {
	const most = 200
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", " / ")
	if cut := outbox.PlainName(s, most); len(cut) < len(s) && len(s) > most {
		return "\"" + cut + "\" (cut)"
	}
	return "\"" + outbox.PlainName(s, most) + "\""
}

// word is a name that a stranger chose, short.
func word(s string) string { return outbox.PlainName(s, 100) }

func stamp(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
