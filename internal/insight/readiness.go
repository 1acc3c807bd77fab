package insight

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// A Readiness is the way of a domain to p=reject, as steps with what shows that each is done.
type Readiness struct {
	Domain  string      `json:"domain"`
	Period  Period      `json:"period"`
	Policy  string      `json:"policy"` // that applies; empty: none, or nobody knows
	Reached bool        `json:"reached"`
	Ready   bool        `json:"ready"` // the next record can be published today
	Next    string      `json:"next"`  // the step that is to be taken; empty if none is left
	Steps   []Milestone `json:"steps"`
	Record  *Record     `json:"record"` // to publish for the next step; null where that is something else
	When    time.Time   `json:"when,omitzero"`
	Text    string      `json:"text"` // when the next record can be published, and why not before
}

// A State says how far a step is.
type State string

// The states.
const (
	Reached State = "done"
	Now     State = "now"     // to be done today
	Blocked State = "blocked" // to be done now, and something is in the way
	Waiting State = "waiting" // only time is
	Later   State = "later"   // after those before it
)

// A Milestone is one step of the way.
type Milestone struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	State    State    `json:"state"`
	Evidence []string `json:"evidence"` // sentences
	Blocks   []string `json:"blocks"`   // what is in the way, and how to mend it
	until    time.Time
}

// settled is how many days a policy is watched before it is made stricter.
const settled = 14

// Readiness tells how far a domain is, by its place in the facts.
func (f *Facts) Readiness(domain int) Readiness {
	d := &f.Domains[domain]
	out := f.domain(d)
	r := Readiness{Domain: d.Name, Period: f.Period, Policy: out.Policy.P}
	w := &way{f: f, d: d, out: &out}
	steps := []Milestone{w.record(), w.reports(), w.enough(), w.own(), w.unknown(), w.policy("quarantine"), w.settled(), w.forwarders(), w.policy("reject")}
	open := slices.IndexFunc(steps, func(m Milestone) bool { return m.State != Reached })
	if open < 0 {
		r.Reached, r.Ready = true, true
		r.Steps, r.Text = steps, "p=reject is published, and nothing of yours that matters is lost by it."
		return r
	}
	for i := range steps {
		if i > open && steps[i].State != Reached {
			steps[i].State = Later
		}
	}
	next := &steps[open]
	r.Steps, r.Next = steps, next.ID
	r.Ready = next.State == Now && (next.ID == "quarantine" || next.ID == "reject")
	target := "quarantine"
	if w.at("quarantine") {
		target = "reject"
	}
	switch {
	case next.ID == "record" || next.ID == "reports" && out.Next.ID == StepAskReports:
		r.Record = out.Next.Record
	case r.Ready:
		r.Record = w.to(target)
	}
	r.When = w.when(steps)
	switch {
	case r.Ready:
		r.Text = "The next record can be published today."
	case w.at("reject"):
		r.Text = "p=reject is published, though something is in the way of it: see to that first."
	case next.State == Now:
		r.Text = fmt.Sprintf("Publish that record first; p=%s can follow after %d days of reports.", target, enoughDays)
	case next.State == Blocked && r.When.IsZero():
		r.Text = fmt.Sprintf("When p=%s can be published cannot be told before that is mended; it takes up to %d days of reports from then on.", target, f.Period.Len())
	case r.When.IsZero():
		r.Text = fmt.Sprintf("When p=%s can be published cannot be told yet.", target)
	default:
		r.Text = fmt.Sprintf("At the earliest p=%s can be published on %s.", target, Date(r.When))
	}
	return r
}

// A way is what the steps are told by.
type way struct {
	f   *Facts
	d   *DomainFacts
	out *Domain
}

// at tells whether the policy is this strict, or stricter.
func (w *way) at(p string) bool {
	strength := []string{"none", "quarantine", "reject"}
	return slices.Index(strength, w.out.Policy.P) >= slices.Index(strength, p) && !w.out.Policy.Testing
}

func milestone(id, title string) Milestone {
	return Milestone{ID: id, Title: title, State: Reached, Evidence: []string{}, Blocks: []string{}}
}

func (m *Milestone) says(format string, args ...any) {
	m.Evidence = append(m.Evidence, fmt.Sprintf(format, args...))
}

func (m *Milestone) blocked(state State, format string, args ...any) {
	m.State = state
	m.Blocks = append(m.Blocks, fmt.Sprintf(format, args...))
}

func (w *way) record() Milestone {
	m := milestone("record", "A DMARC record is published")
	switch p := w.d.Published; {
	case !p.Known:
		m.blocked(Blocked, "DNS did not answer, so that it is not known what is published.")
	case p.Record == nil && p.Problem != "":
		m.blocked(Blocked, "The record cannot be used: %s", p.Problem)
	case p.Record == nil:
		m.blocked(Now, "There is none. Publish one that asks for reports and for nothing else.")
	default:
		m.says("_dmarc.%s has %s", p.At, p.Record.Text)
	}
	return m
}

func (w *way) reports() Milestone {
	m := milestone("reports", "Reports arrive")
	if s, ok := recordStep(w.d); ok && s.ID == StepAskReports {
		m.blocked(Now, "%s", s.Text)
		return m
	}
	if s, ok := w.f.reportsStep(w.d); ok {
		m.blocked(Blocked, "%s", s.Text)
		return m
	}
	m.says("%s sent reports on days up to %s.", people(len(w.out.Reporters), "reporter"), Date(w.d.Last))
	for _, r := range w.out.Silent {
		m.says("%s fell silent on %s.", r.Name, Date(r.Last))
	}
	return m
}

func (w *way) enough() Milestone {
	m := milestone("enough", fmt.Sprintf("They tell of %d days and %d messages", enoughDays, enoughMessages))
	sum := within(w.d.Days, w.f.Period.Last(judged))
	days := int(w.f.Period.To.Sub(w.d.First)/oneDay) + 1
	if w.d.First.IsZero() {
		days = 0
	}
	m.says("They tell of %s in %s, the first on %s.", messages(sum.Messages), people(min(days, judged), "day"), Date(w.d.First))
	if w.d.First.IsZero() {
		m.Evidence = []string{}
	}
	if days < enoughDays {
		m.until = w.d.First.AddDate(0, 0, enoughDays-1)
		m.blocked(Waiting, "%s are needed.", people(enoughDays, "day"))
	}
	if sum.Messages < enoughMessages {
		m.blocked(Waiting, "%s are needed.", messages(enoughMessages))
		if day := sum.Messages / int64(max(1, min(days, judged))); day > 0 && days > 0 {
			if until := w.f.Period.To.AddDate(0, 0, int((enoughMessages-sum.Messages)/day)+1); until.After(m.until) {
				m.until = until
			}
		} else {
			m.until = time.Time{}
		}
	}
	return m
}

// own tells whether all that is the domain's own passes. What is less than one message in a hundred does not matter.
func (w *way) own() Milestone {
	m := milestone("own", "Your own sources pass")
	own, passing := 0, int64(0)
	for i := range w.out.Groups {
		g := &w.out.Groups[i]
		if !g.Own() {
			continue
		}
		own++
		passing += g.Passed
		if g.Class.Kind != senders.Misconfigured {
			continue
		}
		if g.Failed()*mattersOf < w.out.Now.Messages {
			m.says("%s: %s of %s did not pass, which is too little to matter.", g.Name, Number(g.Failed()), messages(g.Messages))
			continue
		}
		m.blocked(Blocked, "%s: %s of %s did not pass. %s", g.Name, Number(g.Failed()), messages(g.Messages), g.Class.Advice)
		m.until = later(m.until, w.clean(g))
	}
	first := "No mail of yours was seen."
	if own > 0 {
		first = fmt.Sprintf("%s of yours: %s passed.", people(own, "source"), messages(passing))
	}
	m.Evidence = append([]string{first}, m.Evidence...)
	return m
}

func (w *way) unknown() Milestone {
	m := milestone("unknown", "It is known who sends the rest")
	n := int64(0)
	for i := range w.out.Groups {
		g := &w.out.Groups[i]
		if g.Class.Kind != senders.Unclear {
			continue
		}
		n += g.Failed()
		if g.Failed() > 0 && g.Failed()*mattersOf >= w.out.Now.Messages && !w.at("reject") {
			m.blocked(Blocked, "Find out whether %s is yours: %s did not pass. %s", g.Name, messages(g.Failed()), g.Class.Advice)
			m.until = later(m.until, w.clean(g))
		}
	}
	if n += w.out.Others.Failed(); n > 0 {
		m.says("%s from sources of which nothing shows whose they are did not pass.", messages(n))
	} else {
		m.says("Nothing failed of which nobody knows whose it is.")
	}
	share, counted := ownShare(w.out, within(w.d.Days, w.f.Period.Last(judged)))
	if share < goodShare && counted > 0 && m.State == Reached && !w.at("reject") {
		m.blocked(Blocked, "%s of %s passed, without what is forwarded or abuse; %s are needed. Look through the unknown sources.", Percent(share),
			messages(counted), Percent(goodShare))
	}
	return m
}

// clean is when a source that fails no more has left the period; never is what goes on to fail.
func (w *way) clean(g *Group) time.Time {
	var last time.Time
	for i := range w.d.Sources {
		s := &w.d.Sources[i]
		if !slices.Contains(g.IPs, s.IP) {
			continue
		}
		for _, day := range s.Days {
			if day.Failed() > 0 && day.Day.After(last) {
				last = day.Day
			}
		}
	}
	if w.f.Period.To.Sub(last) < enoughDays*oneDay {
		return never
	}
	return last.AddDate(0, 0, w.f.Period.Len())
}

var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// policy is the step to a policy.
func (w *way) policy(p string) Milestone {
	m := milestone(p, "p="+p+" is published")
	switch {
	case w.at(p):
		m.says("The policy that applies is p=%s.", w.out.Policy.P)
		if r := w.d.Published.Record; p == "reject" && r != nil && w.d.Published.At == w.d.Name && r.SubdomainPolicy == dmarc.DispositionNone {
			m.blocked(Now, "sp=none leaves all that is below the domain open.")
		}
	case w.out.Policy.Testing:
		m.blocked(Now, "The record has t=y, so that receivers do one step less. Take it out.")
	default:
		m.blocked(Now, "The policy that applies is p=%s.", w.out.Policy.P)
	}
	return m
}

// settled waits until the policy was seen for some time.
func (w *way) settled() Milestone {
	m := milestone("settled", fmt.Sprintf("p=quarantine has held for %d days", settled))
	if w.at("reject") {
		m.says("p=reject is published.")
		return m
	}
	since, known := w.since("quarantine")
	switch {
	case !w.at("quarantine"):
		m.State = Later
	case !known:
		m.blocked(Waiting, "No reporter has seen it yet.")
	case w.f.Period.To.Sub(since) < settled*oneDay && since.After(w.f.Period.Last(judged).From.Add(oneDay)):
		m.says("Reporters see it since %s.", Date(since))
		m.until = DayOf(since).AddDate(0, 0, settled)
		m.blocked(Waiting, "That is less than %s.", people(settled, "day"))
	default:
		m.says("Reporters see it since %s, or before.", Date(since))
	}
	return m
}

// since is when reporters began to see a policy that the latest of them still see.
func (w *way) since(p string) (since time.Time, known bool) {
	for _, s := range w.out.Policy.Seen {
		if s.Tags["p"] != p {
			break
		}
		if !known || s.First.Before(since) {
			since, known = s.First, true
		}
	}
	return since, known
}

func (w *way) forwarders() Milestone {
	m := milestone("forwarders", "Forwarded mail would not be lost")
	n := forwardedFailing(w.out)
	switch {
	case n == 0:
		m.says("All that others passed on passed.")
	case n*mattersOf > w.out.Now.Messages:
		m.says("%s that others passed on did not pass.", messages(n))
	default:
		m.says("%s that others passed on did not pass, which is too little to matter.", messages(n))
	}
	if n*mattersOf > w.out.Now.Messages && !w.at("reject") {
		m.blocked(Blocked, "p=reject would lose them, which is more than one message in a hundred. Sign all mail with DKIM, or stay at p=quarantine.")
		m.until = never
	}
	return m
}

// to is the record for a policy.
func (w *way) to(p string) *Record {
	r := w.d.Published.Record
	if r == nil {
		return nil
	}
	var text string
	var err error
	tag := w.f.tag(w.d)
	switch {
	case w.out.Policy.Testing:
		text, err = dmarc.Unset(r.Text, "t")
	case w.at("reject"):
		text, err = dmarc.Set(r.Text, "sp", "reject")
	default:
		text, err = dmarc.Set(r.Text, tag, p)
	}
	if err != nil {
		return nil
	}
	return &Record{Name: "_dmarc." + w.d.Published.At, Type: "TXT", Value: text}
}

// when is the first day on which everything up to the next policy is done, if nothing changes; zero if that cannot be told.
func (w *way) when(steps []Milestone) time.Time {
	when := w.f.Period.To
	for _, m := range steps {
		switch {
		case m.State == Reached:
			continue
		case m.ID == "quarantine" || m.ID == "reject":
			if when.After(w.f.Period.To) {
				return when
			}
			return w.f.Period.To
		case m.until.IsZero() || !m.until.Before(never):
			return time.Time{}
		}
		when = later(when, m.until)
	}
	return time.Time{}
}

func people(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return Number(int64(n)) + " " + what
}
