// Package insight answers questions about the mail of a domain from what reports say of it: how much passes and how that changes, whose
// the sources are and what to mend in each, who fell silent, and what to do next.
//
//	a := insight.Asker{Store: s, Table: senders.Known(), DNS: resolver}
//	answer, err := a.Ask(ctx, []string{"example.com"}, insight.Period{From: monday, To: sunday})
//	fmt.Println(answer.Next().Text)
//
// It works in two steps. Asker fetches what there is to know, as [Facts]: from the store, through the small interface [Store], and from
// DNS. [Facts.Sum] makes the answer of that, and asks nobody: the same facts give the same answer. Whoever shows a domain (the letter,
// alerts, the dashboard) shows an [Answer], so that all say the same.
//
// All counts are of messages. Days are those of UTC, as reporters count them. Nothing that a stranger wrote is made harmless here: names
// of reporters and of hosts are as they came, and who prints them escapes them.
package insight

import (
	"context"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Store is what is asked of a [store.Store].
type Store interface {
	Domains(ctx context.Context, q store.Question) ([]store.DomainFigures, error)
	ReportDays(ctx context.Context, q store.Question) ([]store.DayFigures, error)
	TopSources(ctx context.Context, q store.Question, limit int) ([]store.SourceFigures, error)
	NewSources(ctx context.Context, q store.Question, limit int) ([]store.SourceFigures, error)
	Source(ctx context.Context, q store.Question, ip netip.Addr) (store.SourceDetail, error)
	Reporters(ctx context.Context, q store.Question) ([]store.ReporterInfo, error)
	Policies(ctx context.Context, q store.Question) ([]store.PolicySeen, error)
	Marks(ctx context.Context, domain string) ([]store.SourceMark, error)
	Addresses(ctx context.Context, ips []netip.Addr) ([]store.Address, error)
	Decisions(ctx context.Context, f store.DecisionFilter) ([]store.Decision, error)
}

// A Period is some days, both ends included.
type Period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

const oneDay = 24 * time.Hour

// Len is how many days there are in it.
func (p Period) Len() int { return int(p.To.Sub(p.From)/oneDay) + 1 }

// Before is as many days just before it.
func (p Period) Before() Period {
	return Period{p.From.AddDate(0, 0, -p.Len()), p.From.AddDate(0, 0, -1)}
}

// Last are the last days of it, and of those before it.
func (p Period) Last(days int) Period { return Period{p.To.AddDate(0, 0, 1-days), p.To} }

// Has tells whether a day is in it.
func (p Period) Has(day time.Time) bool { return !day.Before(p.From) && !day.After(p.To) }

// DayOf is the day of a moment.
func DayOf(t time.Time) time.Time { return t.UTC().Truncate(oneDay) }

// An Answer is what there is to say of some domains and a period.
type Answer struct {
	Period Period        `json:"period"`
	Now    store.Figures `json:"now"`
	Before store.Figures `json:"before"` // of as many days before
	Days   []Day         `json:"days"`   // each day of the trend, those without messages too
	// Domains that nobody asked of are not among them; those that no report is about are.
	Domains []Domain `json:"domains"`
}

// A Day says how the messages of a day fared. Its parts add up to all of them.
type Day struct {
	Day           time.Time `json:"day"`
	Passed        int64     `json:"passed"`
	Forwarded     int64     `json:"forwarded"`     // failed, from one who passes mail on
	Misconfigured int64     `json:"misconfigured"` // failed, from a source of the domain's own
	Unknown       int64     `json:"unknown"`       // failed, from anybody else
	Abuse         int64     `json:"abuse"`         // failed, from one who pretends to be the domain
}

// Messages are all of a day.
func (d Day) Messages() int64 { return d.Passed + d.Forwarded + d.Misconfigured + d.Unknown + d.Abuse }

// A Domain is what there is to say of one.
type Domain struct {
	Name      string        `json:"name"`
	Now       store.Figures `json:"now"`
	Before    store.Figures `json:"before"`
	First     time.Time     `json:"first,omitzero"` // the days that any report is about
	Last      time.Time     `json:"last,omitzero"`
	Days      []Day         `json:"days"`
	Groups    []Group       `json:"groups"` // the sources, the most messages first
	Others    store.Figures `json:"others"` // of sources that were too many to look at
	Effect    Effect        `json:"effect"`
	Reporters []Reporter    `json:"reporters"` // who reported, the most messages first
	Silent    []Reporter    `json:"silent"`    // who did regularly and has not for too long, since a month at most; the latest first
	Policy    Policy        `json:"policy"`
	Next      Step          `json:"next"`
}

// A Group is sources that are one thing to a person: a service, the hosts of a network, or one address that nothing is known of.
type Group struct {
	Domain        string       `json:"domain"`
	Key           string       `json:"key"`  // the same for the same group, whatever else changes: "service:mailchimp"
	Name          string       `json:"name"` // for people
	IPs           []netip.Addr `json:"ips"`  // the most messages first
	store.Figures `json:"figures"`
	Class         senders.Class `json:"class"`
	First         time.Time     `json:"first,omitzero"` // the first day that one of them was ever seen on
	New           bool          `json:"new"`            // which is in the period, while the domain is known for longer
	Docs          string        `json:"docs"`           // the service's own, on how to authenticate

	Week       store.Figures `json:"-"` // of the last seven days, as far as they are in the period
	WeekBefore store.Figures `json:"-"` // of the seven before them
}

// Own tells whether the mail is the domain's own.
func (g *Group) Own() bool {
	return g.Class.Kind == senders.Passing || g.Class.Kind == senders.Misconfigured
}

// Mend tells whether there is something for the domain's owner to mend.
func (g *Group) Mend() bool {
	return g.Own() && g.Class.Fault != senders.NoFault && g.Class.Advice != ""
}

// An Effect is what the policy did to messages.
type Effect struct {
	Quarantined int64 `json:"quarantined"`
	Rejected    int64 `json:"rejected"`
	Own         int64 `json:"own"`       // of both, from sources of the domain's own
	Forwarded   int64 `json:"forwarded"` // of both, from those who pass mail on
	Delivered   int64 `json:"delivered"` // failed, and neither
}

// A Reporter is one who reports.
type Reporter struct {
	Name     string        `json:"name"`
	Reports  int64         `json:"reports"`
	Messages int64         `json:"messages"`
	Last     time.Time     `json:"last"`           // the end of the last period that it reported of
	Usual    time.Duration `json:"usual"`          // from one report to the next
	Since    time.Time     `json:"since,omitzero"` // when its silence got too long; zero of one who reports
}

// A Policy is what is published, and what reporters saw.
type Policy struct {
	Known     bool         `json:"known"`     // DNS answered
	Published string       `json:"published"` // the record; empty if there is none
	At        string       `json:"at"`        // the domain that it is published at
	Problem   string       `json:"problem"`   // why a record is of no use, or DNS did not answer
	P         string       `json:"p"`         // what applies: published if known, else as the last reporter saw it; empty: nobody knows
	Testing   bool         `json:"testing"`
	Rua       []string     `json:"rua"`
	Seen      []SeenPolicy `json:"seen"`        // the latest first
	Differs   []Difference `json:"differences"` // of what was seen last from what is published
}

// A SeenPolicy is one that reporters saw.
type SeenPolicy struct {
	Tags      map[string]string `json:"tags"` // p, sp, adkim, aspf, t
	Reporters int64             `json:"reporters"`
	First     time.Time         `json:"first"`
	Last      time.Time         `json:"last"`
}

// A Difference is a tag that reporters see otherwise than it is published.
type Difference struct {
	Tag       string    `json:"tag"`
	Published string    `json:"published"`
	Seen      string    `json:"seen"`
	Reporters int64     `json:"reporters"`
	Last      time.Time `json:"last"` // when it was seen so
}

// A Step is what to do next.
type Step struct {
	ID     StepID  `json:"id"`
	Domain string  `json:"domain"`
	Text   string  `json:"text"`   // a sentence, or several
	Brief  string  `json:"brief"`  // the same without how it is done
	Source string  `json:"source"` // the key of the group that it is about; empty if it is about none
	Record *Record `json:"record"` // to publish; nil if the step is not to publish one
	Docs   string  `json:"docs"`
	weight int64
}

// A Record is one to publish in DNS.
type Record struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Next is the one step that matters most, of all domains.
func (a *Answer) Next() Step {
	var best Step
	for i := range a.Domains {
		s := a.Domains[i].Next
		if best.ID == "" || rank(s.ID) < rank(best.ID) || rank(s.ID) == rank(best.ID) && s.weight > best.weight {
			best = s
		}
	}
	return best
}

// Groups are those of all domains, the most messages first.
func (a *Answer) Groups() []*Group {
	var all []*Group
	for i := range a.Domains {
		for j := range a.Domains[i].Groups {
			all = append(all, &a.Domains[i].Groups[j])
		}
	}
	sortGroups(all)
	return all
}

// Share is what part of messages passed, in percent; 0 of none.
func Share(f store.Figures) float64 {
	if f.Messages == 0 {
		return 0
	}
	return float64(f.Passed) * 100 / float64(f.Messages)
}
