package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/watch"
)

// DomainIn asks for a domain.
type DomainIn struct {
	Domain string       `path:"domain" doc:"Its name in A-labels"`
	Class  senders.Kind `query:"class" doc:"Only sources of this class: passing, misconfigured, forwarder, unknown or abuse"`
	Days
}

// A Domain is how one fares.
type Domain struct {
	Name     string        `json:"name"`
	Class    senders.Kind  `json:"class"` // that was asked for; empty: all
	Grade    Grade         `json:"grade"`
	Policy   string        `json:"policy"`   // that applies; empty: none, or nobody knows
	Testing  bool          `json:"testing"`  // the record says t=y
	Known    bool          `json:"known"`    // DNS told what is published
	Record   string        `json:"record"`   // that is published; empty if there is none
	Problem  string        `json:"problem"`  // why it is of no use, or DNS did not answer
	Reported bool          `json:"reported"` // any report is about it
	Next     NextStep      `json:"next"`
	Now      store.Figures `json:"now"`
	Before   store.Figures `json:"before"` // of as many days before
	Change   FigureChanges `json:"change"`
	Days     []insight.Day `json:"days"`
	Events   []chart.Event `json:"events"` // changes of what is published
	Classes  []ClassGroup  `json:"classes"`
	Others   store.Figures `json:"others"` // of sources that were too many to look at
	News     []News        `json:"news"`   // of the last seven days
	Effect   Effect        `json:"effect"`

	Reporters []insight.Reporter `json:"reporters"`
	Silent    []insight.Reporter `json:"silent"` // who reported regularly, and does not any more
	Seen      []Seen             `json:"seen"`   // policies that reporters saw, the latest first

	Period  insight.Period `json:"period"`
	Made    Made           `json:"made"`
	pending bool
}

// FigureChanges say in words how figures changed against the period before; empty where there is nothing to compare with.
type FigureChanges struct {
	Messages    string `json:"messages"`
	Passed      string `json:"passed"`
	Better      bool   `json:"better"` // a larger share passed
	Worse       bool   `json:"worse"`
	Quarantined string `json:"quarantined"`
	Rejected    string `json:"rejected"`
}

// A ClassGroup is the sources that are one thing to the domain.
type ClassGroup struct {
	Class   senders.Kind  `json:"class"`
	Figures store.Figures `json:"figures"`
	Count   int           `json:"count"`
	Sources []SourceLine  `json:"sources"` // the most messages first
}

// A SourceLine is a source in a list.
type SourceLine struct {
	Key     string        `json:"key"` // in its path
	Name    string        `json:"name"`
	IPs     []string      `json:"ips"` // a few of its addresses
	Count   int           `json:"count"`
	Figures store.Figures `json:"figures"`
	New     bool          `json:"new"`
	First   time.Time     `json:"first,omitzero"`
	Reason  string        `json:"reason"`
	Fault   senders.Fault `json:"fault"`
	Advice  string        `json:"advice"`
	Docs    string        `json:"docs"`
	Mend    bool          `json:"mend"` // there is something for the domain's owner to do
	Marked  bool          `json:"marked"`
}

// News are one thing that is new.
type News struct {
	Kind string `json:"kind"` // source, better, worse, policy, silent
	Text string `json:"text"`
	Path string `json:"path"` // of the page that tells more; empty if none does
}

// An Effect is what the policy did.
type Effect struct {
	insight.Effect
	Abuse   int64 `json:"abuse"`   // of what was quarantined or rejected, from who pretends to be the domain
	Unknown int64 `json:"unknown"` // from anybody else
}

// A Seen policy is one that reporters saw published.
type Seen struct {
	Policy    string    `json:"policy"` // its tags
	Reporters int64     `json:"reporters"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
}

// How many sources of a class are shown beside those of others, and alone; and how many addresses of each.
const (
	shownBeside = 15
	shownAbuse  = 5 // there is nothing to do about it
	shownAlone  = 200
	shownIPs    = 3
)

// order is that in which classes are shown: what is to be done comes first.
var order = []senders.Kind{senders.Misconfigured, senders.Passing, senders.Forwarded, senders.Unclear, senders.Abuse}

// Domain tells how a domain fares.
func (d *Desk) Domain(ctx context.Context, who *people.Access, in *DomainIn) (*Domain, error) {
	if in.Class != "" && !slices.Contains(order, in.Class) {
		return nil, invalid("class", "There are passing, misconfigured, forwarder, unknown and abuse.")
	}
	if err := d.see(ctx, in.Domain); err != nil {
		return nil, err
	}
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	a, made, err := d.answer(ctx, in.Domain, p)
	if err != nil {
		return nil, err
	}
	of := &a.Domains[0]
	out := &Domain{
		Name: of.Name, Class: in.Class, Policy: of.Policy.P, Testing: of.Policy.Testing, Known: of.Policy.Known, Record: of.Policy.Published,
		Problem: of.Policy.Problem, Reported: !of.First.IsZero(), Next: step(of), Now: of.Now, Before: of.Before, Change: changes(of.Now, of.Before),
		Days: inPeriod(of.Days, p), Others: of.Others, Effect: effect(of), Classes: classes(of, in.Class),
		Reporters: of.Reporters, Silent: of.Silent, Seen: seen(of), Period: p, Made: made, News: []News{},
	}
	history, err := d.history(ctx, of.Name)
	switch {
	case errors.Is(err, keep.ErrPending):
		out.pending = true
	case err != nil:
		return nil, err
	}
	out.Events = events(of, p, history)
	month := insight.Period{From: p.To.AddDate(0, 0, 1-days), To: p.To}
	switch lately, _, err := d.answer(ctx, in.Domain, month); {
	case errors.Is(err, keep.ErrPending):
		out.pending = true
	case err != nil:
		return nil, err
	default:
		of := &lately.Domains[0]
		out.News = news(of, month, events(of, month, history))
	}
	out.Grade, err = d.grade(ctx, of.Name)
	return out, err
}

// history is what the watch remembers of a domain.
func (d *Desk) history(ctx context.Context, domain string) ([]store.Published, error) {
	kept, err := keep.Get(ctx, d.Answers, "domain "+domain+" published", func(ctx context.Context) ([]store.Published, error) {
		return d.Store.Published(ctx, domain)
	})
	return kept.Value, err
}

func changes(now, before store.Figures) (c FigureChanges) {
	if before.Messages == 0 {
		return c
	}
	c.Messages, c.Quarantined, c.Rejected = insight.Change(now.Messages, before.Messages), insight.Change(now.Quarantined, before.Quarantined), insight.Change(now.Rejected, before.Rejected)
	if now.Messages > 0 {
		points := insight.Share(now) - insight.Share(before)
		c.Passed, c.Better, c.Worse = insight.Points(points), points >= insight.SamePoints, points <= -insight.SamePoints
	}
	return c
}

// effect says what became of what failed.
func effect(of *insight.Domain) Effect {
	e := Effect{Effect: of.Effect}
	for i := range of.Groups {
		if g := &of.Groups[i]; g.Class.Kind == senders.Abuse {
			e.Abuse += g.Quarantined + g.Rejected
		}
	}
	e.Unknown = max(0, e.Quarantined+e.Rejected-e.Own-e.Forwarded-e.Abuse)
	return e
}

// classes are the sources by what they are. Of one that was asked for there are all, and of the others none.
func classes(of *insight.Domain, only senders.Kind) []ClassGroup {
	all := []ClassGroup{}
	for _, kind := range order {
		c := ClassGroup{Class: kind, Sources: []SourceLine{}}
		most := shownBeside
		switch {
		case only == kind:
			most = shownAlone
		case kind == senders.Abuse:
			most = shownAbuse
		}
		for i := range of.Groups {
			g := &of.Groups[i]
			if g.Class.Kind != kind {
				continue
			}
			c.Count++
			c.Figures.Add(g.Figures)
			if len(c.Sources) < most && (only == "" || only == kind) {
				c.Sources = append(c.Sources, sourceLine(g))
			}
		}
		if c.Count > 0 {
			all = append(all, c)
		}
	}
	return all
}

func sourceLine(g *insight.Group) SourceLine {
	l := SourceLine{
		Key: g.Key, Name: g.Name, IPs: []string{}, Count: len(g.IPs), Figures: g.Figures, New: g.New, First: g.First, Reason: g.Class.Reason,
		Fault: g.Class.Fault, Docs: g.Docs, Mend: g.Mend(), Marked: g.Class.Confidence == 100 && strings.HasPrefix(g.Class.Reason, "Marked as "),
	}
	if l.Mend {
		l.Advice = withoutDocs(g.Class.Advice, g.Docs)
	}
	for _, ip := range g.IPs[:min(len(g.IPs), shownIPs)] {
		if ip.IsValid() && ip.String() != g.Name {
			l.IPs = append(l.IPs, ip.String())
		}
	}
	return l
}

// withoutDocs is an advice that does not end with the address that stands beside it as a link.
func withoutDocs(advice, docs string) string {
	if docs == "" {
		return advice
	}
	return strings.TrimSuffix(advice, " See "+docs+".")
}

// Seen are policies that reporters saw.
func seen(of *insight.Domain) []Seen {
	all := []Seen{}
	for _, s := range of.Policy.Seen {
		text := "p=" + s.Tags["p"]
		for _, tag := range []string{"sp", "adkim", "aspf", "t"} {
			if v := s.Tags[tag]; v != "" && !(tag == "sp" && v == s.Tags["p"]) && !(tag != "sp" && v == "r") && !(tag == "t" && v == "n") {
				text += "; " + tag + "=" + v
			}
		}
		// Reporters write the same policy in several ways.
		if i := slices.IndexFunc(all, func(s Seen) bool { return s.Policy == text }); i >= 0 {
			all[i].Reporters += s.Reporters
			if s.First.Before(all[i].First) {
				all[i].First = s.First
			}
			continue
		}
		all = append(all, Seen{text, s.Reporters, s.First, s.Last})
	}
	return all
}

// events are the changes of what is published that fall into a period: as the watch saw them, and where it did not look as reporters did.
func events(of *insight.Domain, p insight.Period, history []store.Published) []chart.Event {
	all := []chart.Event{}
	add := func(at time.Time, e chart.Event) {
		if e.Day = insight.DayOf(at); p.Has(e.Day) {
			all = append(all, e)
		}
	}
	watched := watch.PolicyChanges(of.Name, senders.OrganizationalDomain(of.Name), history)
	for _, c := range watched {
		add(c.At, policyEvent(c.Before, c.After))
	}
	byFirst := slices.Clone(of.Policy.Seen)
	slices.SortStableFunc(byFirst, func(a, b insight.SeenPolicy) int { return a.First.Compare(b.First) })
	for i := 1; i < len(byFirst); i++ {
		before, after := byFirst[i-1].Tags["p"], byFirst[i].Tags["p"]
		known := slices.ContainsFunc(watched, func(c watch.Change) bool {
			return policyOf(c.After) == after && c.At.Sub(byFirst[i].First).Abs() < lag
		})
		if before != after && !known {
			add(byFirst[i].First, chart.Event{Label: "p=" + after, Text: fmt.Sprintf("Reporters saw p=%s for the first time, and p=%s before.", after, before)})
		}
	}
	slices.SortStableFunc(all, func(a, b chart.Event) int { return a.Day.Compare(b.Day) })
	return all
}

// lag is within how much time what reporters see and what the watch sees are the same change.
const lag = 10 * 24 * time.Hour

// policyEvent is the change from one text to another; an empty one is no record.
func policyEvent(before, after string) chart.Event {
	was, is := policyOf(before), policyOf(after)
	switch {
	case after == "":
		return chart.Event{Label: "record gone", Text: "The DMARC record was taken away."}
	case is == "":
		return chart.Event{Label: "record broken", Text: "The DMARC record became one that nobody can use."}
	case before == "":
		return chart.Event{Label: "p=" + is, Text: fmt.Sprintf("The DMARC record was published, with p=%s.", is)}
	case was == is:
		return chart.Event{Label: "record changed", Text: fmt.Sprintf("The DMARC record was changed, and p=%s stayed.", is)}
	case was == "":
		return chart.Event{Label: "p=" + is, Text: fmt.Sprintf("The DMARC record was mended: it is p=%s.", is)}
	}
	return chart.Event{Label: "p=" + is, Text: fmt.Sprintf("The policy was changed from p=%s to p=%s.", was, is)}
}

func policyOf(text string) string {
	r, err := dmarc.Parse(text)
	if err != nil {
		return ""
	}
	return string(r.Policy)
}

// What is news.
const (
	lately       = 7  // days
	enoughNews   = 20 // messages, that a share is told of
	changedShare = 10 // points
	mostNews     = 8  // of one kind
)

// news are what is new in the last seven days of a period of thirty.
func news(of *insight.Domain, p insight.Period, changed []chart.Event) []News {
	all := []News{}
	week := p.Last(lately)
	for _, e := range changed {
		if week.Has(e.Day) {
			all = append(all, News{"policy", insight.Date(e.Day) + ": " + e.Text, ""})
		}
	}
	all = append(all, rates(of)...)
	all = append(all, fresh(of, week)...)
	for _, r := range of.Silent {
		if week.Has(insight.DayOf(r.Since)) && r.Since.Before(week.To.AddDate(0, 0, 1)) {
			all = append(all, News{"silent", fmt.Sprintf("%s fell silent: its last report was of %s.", r.Name, insight.Date(r.Last.Add(-time.Second))), ""})
		}
	}
	return all
}

// rates are the sources whose share changed from one week to the next.
func rates(of *insight.Domain) (all []News) {
	for i := range of.Groups {
		g := &of.Groups[i]
		if g.Week.Messages < enoughNews || g.WeekBefore.Messages < enoughNews {
			continue
		}
		now, before := insight.Share(g.Week), insight.Share(g.WeekBefore)
		kind := ""
		switch {
		case now-before >= changedShare:
			kind = "better"
		case before-now >= changedShare:
			kind = "worse"
		default:
			continue
		}
		if len(all) < mostNews {
			all = append(all, News{kind, fmt.Sprintf("%s: %s passed, and %s the week before.", g.Name, insight.Percent(now), insight.Percent(before)), sourcePath(of.Name, g.Key)})
		}
	}
	return all
}

// fresh are the sources that were never seen before; those of strangers who pretend to be the domain are told in one.
func fresh(of *insight.Domain, week insight.Period) (all []News) {
	strangers, their, more := 0, int64(0), 0
	for i := range of.Groups {
		g := &of.Groups[i]
		switch {
		case g.First.IsZero() || !week.Has(g.First) || !of.First.Before(week.From):
		case g.Class.Kind == senders.Abuse:
			strangers++
			their += g.Messages
		case len(all) >= mostNews:
			more++
		default:
			all = append(all, News{"source", fmt.Sprintf("New source: %s, with %s.", g.Name, counted(g.Messages, "message")), sourcePath(of.Name, g.Key)})
		}
	}
	if more > 0 {
		all = append(all, News{"source", fmt.Sprintf("And %s more.", counted(int64(more), "new source")), ""})
	}
	if strangers > 0 {
		all = append(all, News{"source", fmt.Sprintf("%s of likely abuse, with %s.", counted(int64(strangers), "new source"), counted(their, "message")),
			"/domains/" + url.PathEscape(of.Name) + "?class=abuse"})
	}
	return all
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return insight.Number(n) + " " + what + "s"
}

func sourcePath(domain, key string) string {
	return "/domains/" + url.PathEscape(domain) + "/sources/" + url.PathEscape(key)
}

// Title is the domain's name.
func (d *Domain) Title() string { return d.Name }

// Crumbs lead to the list.
func (d *Domain) Crumbs() []Crumb { return []Crumb{{"Domains", "/domains"}} }

// Again is when it is worth looking again.
func (d *Domain) Again() int {
	if d.pending || d.Grade.Pending {
		return 2
	}
	return 0
}

// Trend is the picture of the days.
func (d *Domain) Trend() chart.Trend {
	return chart.Trend{ID: "trend", Days: d.Days, Events: d.Events}
}

// Tables has what the page lists.
func (d *Domain) Tables() []Table {
	return []Table{dayTable(d.Days), d.sourceTable(), {
		Name: "reporters", Columns: []string{"reporter", "reports", "messages", "last", "silent since"},
		Rows: func(yield func([]string) bool) {
			row := func(r insight.Reporter) bool {
				since := ""
				if !r.Since.IsZero() {
					since = r.Since.Format(time.DateOnly)
				}
				return yield([]string{r.Name, count(r.Reports), count(r.Messages), r.Last.Format(time.DateOnly), since})
			}
			for _, r := range slices.Concat(d.Reporters, d.Silent) {
				if !row(r) {
					return
				}
			}
		},
	}}
}

func (d *Domain) sourceTable() Table {
	return Table{
		Name: "sources", Columns: slices.Concat([]string{"class", "source", "addresses", "new"}, figuresColumns, []string{"reason", "advice"}),
		Rows: func(yield func([]string) bool) {
			for _, c := range d.Classes {
				for _, s := range c.Sources {
					fresh := ""
					if s.New {
						fresh = "new"
					}
					if !yield(slices.Concat([]string{string(c.Class), s.Name, cmp.Or(strings.Join(s.IPs, " "), s.Name), fresh}, figuresOf(s.Figures), []string{s.Reason, s.Advice})) {
						return
					}
				}
			}
		},
	}
}
