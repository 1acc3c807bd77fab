package insight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A StepID names a step, always the same way.
type StepID string

// The steps, the most urgent first: nothing is known without reports, what is the domain's own must pass before the rest is refused, and
// the policy comes last.
const (
	StepPublish    StepID = "publish-record"  // there is no DMARC record
	StepMendRecord StepID = "mend-record"     // it is of no use
	StepAskReports StepID = "ask-for-reports" // it has no rua=
	StepNoReports  StepID = "no-reports"      // none come
	StepMendSource StepID = "mend-source"     // a source of the domain's own fails
	StepFindOut    StepID = "find-out-source" // one that fails may be the domain's own
	StepQuarantine StepID = "publish-quarantine"
	StepReject     StepID = "publish-reject"
	StepEndTest    StepID = "end-testing" // t=y
	StepSubdomains StepID = "protect-subdomains"
	StepSign       StepID = "sign" // a source passes by SPF alone
	StepWait       StepID = "wait" // too little is known to go on
	StepNothing    StepID = "nothing"
)

var urgency = []StepID{StepPublish, StepMendRecord, StepAskReports, StepNoReports, StepMendSource, StepFindOut, StepEndTest, StepQuarantine,
	StepReject, StepSubdomains, StepSign, StepWait, StepNothing}

func rank(id StepID) int { return slices.Index(urgency, id) }

// By what is judged whether a policy can be made stricter.
const (
	enoughMessages = 100
	enoughDays     = 14
	goodShare      = 98.0 // percent of what is not forwarded nor abuse
	mattersOf      = 100  // a source matters if it has one message in so many
	silentDays     = 8    // without any report
)

// next is the one step for a domain.
func (f *Facts) next(d *DomainFacts, out *Domain) Step {
	s := f.step(d, out)
	s.Domain = d.Name
	if s.Brief == "" {
		s.Brief = s.Text
	}
	if s.weight == 0 {
		s.weight = out.Now.Messages
	}
	return s
}

func (f *Facts) step(d *DomainFacts, out *Domain) Step {
	if s, ok := recordStep(d); ok {
		return s
	}
	if s, ok := f.reportsStep(d); ok {
		return s
	}
	if s, ok := sourceStep(out); ok {
		return s
	}
	if s, ok := f.policyStep(d, out); ok {
		return s
	}
	for i := range out.Groups {
		if g := &out.Groups[i]; g.Class.Kind == senders.Passing && g.Mend() && g.Messages*mattersOf >= out.Now.Messages {
			return Step{ID: StepSign, Text: g.Name + ": " + g.Class.Advice, Brief: g.Name + " can be made to pass by DKIM and by SPF, so that neither is missed.",
				Source: g.Key, Docs: g.Docs, weight: g.Messages}
		}
	}
	switch p := out.Policy; {
	case p.P == "reject" && out.Now.Passed == 0:
		return Step{ID: StepNothing, Text: "Nothing: no mail of yours was seen, and what others send in your name is to be rejected."}
	case p.P == "reject":
		return Step{ID: StepNothing, Text: "Nothing: your mail passes, and what does not is to be rejected."}
	case p.P == "" && !p.Known:
		return Step{ID: StepWait, Text: "Nothing now: DNS did not tell which policy is published."}
	default:
		return Step{ID: StepWait, Text: fmt.Sprintf("Wait: %d messages of %d days are needed to tell whether a stricter policy would hurt.",
			enoughMessages, enoughDays)}
	}
}

// recordStep is about the record itself.
func recordStep(d *DomainFacts) (Step, bool) {
	p := d.Published
	rua := d.Rua
	if rua == "" {
		rua = "dmarc-reports@" + d.Name
	}
	record := &Record{Name: "_dmarc." + d.Name, Type: "TXT", Value: "v=DMARC1; p=none; rua=mailto:" + rua}
	switch {
	case !p.Known:
		return Step{}, false
	case p.Record == nil && p.Problem != "":
		return Step{ID: StepMendRecord, Text: "Mend the DMARC record, which nobody can use: " + strings.TrimSuffix(p.Problem, ".") + ".", Record: record}, true
	case p.Record == nil:
		return Step{ID: StepPublish, Text: "Publish a DMARC record: without one nobody reports, and anybody can write in your name.", Record: record}, true
	case len(p.Record.AggregateURIs) == 0:
		return Step{ID: StepAskReports, Text: "Ask for reports: the DMARC record has no rua=, so that nobody sends any.",
			Record: &Record{Name: "_dmarc." + p.At, Type: "TXT", Value: withTag(p.Record.Text, "rua", "mailto:"+rua)}}, true
	}
	return Step{}, false
}

func (f *Facts) reportsStep(d *DomainFacts) (Step, bool) {
	end := f.Period.To.AddDate(0, 0, 1)
	check := "check that rua= in the DMARC record names an address that Gatepost reads."
	if len(d.Published.rua()) > 0 {
		check = fmt.Sprintf("the DMARC record asks for them at %s; check that they get from there to Gatepost.", strings.Join(d.Published.rua(), ", "))
	}
	switch {
	case d.Last.IsZero():
		return Step{ID: StepNoReports, Text: "No report has come yet: " + check}, true
	case end.Sub(d.Last) > silentDays*oneDay:
		return Step{ID: StepNoReports, Text: fmt.Sprintf("No reports of any day since %s: %s", Date(d.Last), check)}, true
	}
	return Step{}, false
}

func (p *Published) rua() (all []string) {
	if p.Record == nil {
		return nil
	}
	for _, u := range p.Record.AggregateURIs {
		all = append(all, u.Text)
	}
	return all
}

// sourceStep finds the source that keeps the policy from being stricter, or that it hurts.
func sourceStep(out *Domain) (Step, bool) {
	var mend, find *Group
	for i := range out.Groups {
		g := &out.Groups[i]
		if g.Failed()*mattersOf < out.Now.Messages || g.Failed() == 0 {
			continue
		}
		switch g.Class.Kind {
		case senders.Misconfigured:
			if mend == nil || g.Failed() > mend.Failed() {
				mend = g
			}
		case senders.Unclear:
			if find == nil || g.Failed() > find.Failed() {
				find = g
			}
		}
	}
	switch {
	case mend != nil:
		brief := fmt.Sprintf("%s: %s of %s did not pass.", mend.Name, Number(mend.Failed()), messages(mend.Messages))
		return Step{ID: StepMendSource, Text: brief + " " + mend.Class.Advice, Brief: brief, Source: mend.Key, Docs: mend.Docs, weight: mend.Failed()}, true
	case find != nil && out.Policy.P != "reject":
		brief := fmt.Sprintf("Find out whether %s is yours: %s did not pass.", find.Name, messages(find.Failed()))
		return Step{ID: StepFindOut, Text: brief + " " + find.Class.Advice, Brief: brief, Source: find.Key, Docs: find.Docs, weight: find.Failed()}, true
	}
	return Step{}, false
}

// policyStep is to a stricter policy, if nothing of the domain's own would be hurt.
func (f *Facts) policyStep(d *DomainFacts, out *Domain) (Step, bool) {
	p := out.Policy
	days := Period{f.Period.To.AddDate(0, 0, 1-judged), f.Period.To}
	sum := within(d.Days, days)
	if sum.Messages < enoughMessages || f.Period.To.Sub(d.First) < (enoughDays-1)*oneDay {
		return Step{}, false
	}
	share, counted := ownShare(out, sum)
	because := fmt.Sprintf("%s of %s passed over %d days, and no source of yours fails.", Percent(share), messages(counted), judged)
	record := func(tag, value string) *Record {
		if r := d.Published.Record; r != nil {
			return &Record{Name: "_dmarc." + d.Published.At, Type: "TXT", Value: withTag(r.Text, tag, value)}
		}
		return nil
	}
	switch {
	case p.P == "" || p.P == "reject" && share < goodShare:
		return Step{}, false
	case share < goodShare:
		return Step{ID: StepFindOut, Text: fmt.Sprintf("Look through the unknown sources: %s of %s passed over %d days, and who sent the others is not known.",
			Percent(share), messages(counted), judged)}, true
	case p.Testing:
		s := Step{ID: StepEndTest, Text: "End the test: take t=y out of the DMARC record. " + because}
		if r := d.Published.Record; r != nil {
			s.Record = &Record{Name: "_dmarc." + d.Published.At, Type: "TXT", Value: withoutTag(r.Text, "t")}
		}
		return s, true
	case p.P == "none":
		return Step{ID: StepQuarantine, Text: "Publish p=quarantine: " + because, Record: record(f.tag(d), "quarantine")}, true
	case p.P == "quarantine":
		text := "Publish p=reject: " + because
		if n := forwardedFailing(out); n*mattersOf > out.Now.Messages {
			// RFC 9989 7.4 says so of domains whose users write to mailing lists.
			return Step{ID: StepWait, Text: fmt.Sprintf("Stay at p=quarantine: %s that others passed on failed, and p=reject would lose them.", messages(n))}, true
		}
		return Step{ID: StepReject, Text: text, Record: record(f.tag(d), "reject")}, true
	}
	if r := d.Published.Record; r != nil && d.Published.At == d.Name && r.Policy == "reject" && r.SubdomainPolicy == "none" {
		return Step{ID: StepSubdomains, Text: "Publish sp=reject: as it is, anybody can write in the name of what is below the domain.",
			Record: record("sp", "reject")}, true
	}
	return Step{}, false
}

// tag is the one that holds for the domain: p at its own record, sp in that of the domain above.
func (f *Facts) tag(d *DomainFacts) string {
	if d.Published.At != "" && d.Published.At != d.Name {
		return "sp"
	}
	return "p"
}

// ownShare is what part passes of what may be the domain's own: without what others pass on and what is abuse. How much of what fails
// that is, the period tells.
func ownShare(out *Domain, sum store.Figures) (share float64, counted int64) {
	var not int64
	for i := range out.Groups {
		if k := out.Groups[i].Class.Kind; k == senders.Forwarded || k == senders.Abuse {
			not += out.Groups[i].Failed()
		}
	}
	if failed := out.Now.Failed(); failed > 0 {
		not = int64(float64(sum.Failed()) * min(1, float64(not)/float64(failed)))
	}
	counted = sum.Messages - not
	return float64(sum.Passed) * 100 / float64(max(1, counted)), counted
}

func forwardedFailing(out *Domain) (n int64) {
	for i := range out.Groups {
		if out.Groups[i].Class.Kind == senders.Forwarded {
			n += out.Groups[i].Failed()
		}
	}
	return n
}

// Number writes a count as people read it: 12,345.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Percent writes a share so that only all is 100 %, and only nothing is 0 %.
func Percent(share float64) string {
	switch {
	case share >= 100:
		return "100 %"
	case share <= 0:
		return "0 %"
	}
	return strconv.FormatFloat(min(99.9, max(0.1, share)), 'f', 1, 64) + " %"
}

// Date writes a day.
func Date(t time.Time) string { return t.UTC().Format("2 January 2006") }

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return Number(n) + " messages"
}
