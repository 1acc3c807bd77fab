package dashboard

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// DomainsIn asks for the domains.
type DomainsIn struct {
	Query string `query:"q" maxLength:"253" doc:"Only those with this in their name"`
	Page  int    `query:"page" default:"1" minimum:"1" maximum:"100000" doc:"100 domains are on a page"`
	Days
}

// Domains are those that somebody may see, the most messages first, with how they fare.
type Domains struct {
	Period  insight.Period `json:"period"`
	Domains []DomainLine   `json:"domains"`
	Query   string         `json:"query"`
	Count   int            `json:"count"` // of all pages
	All     int            `json:"all"`   // without the query
	Pages
}

// Pages say where in a long list a page is.
type Pages struct {
	Page int `json:"page"`
	Of   int `json:"pages"`
}

// Prev is the page before; 0 if there is none.
func (p Pages) Prev() int { return p.Page - 1 }

// Next is the page after; 0 if there is none.
func (p Pages) Next() int {
	if p.Page >= p.Of {
		return 0
	}
	return p.Page + 1
}

// A DomainLine is a domain in a list.
type DomainLine struct {
	Name     string        `json:"name"`
	Pending  bool          `json:"pending"` // what is to be said of it is being worked out
	Grade    Grade         `json:"grade"`
	Messages int64         `json:"messages"`
	Passed   int64         `json:"passed"`
	Policy   string        `json:"policy"` // that applies; empty: none, or nobody knows
	Days     []insight.Day `json:"days"`
	Next     NextStep      `json:"next"`
	Made     Made          `json:"made"`
}

// Unused tells whether there is mail, and none of it ours: no share of it says anything of the domain.
func (l *DomainLine) Unused() bool {
	return l.Messages > 0 && l.Passed == 0 && l.Next.ID == insight.StepNothing
}

// Safe says what becomes of mail that somebody else sends in the domain's name.
func (l *DomainLine) Safe() string {
	switch l.Policy {
	case "reject":
		return "forgeries refused"
	case "quarantine":
		return "forgeries to spam"
	}
	return "forgeries let in"
}

// A NextStep is what to do next, and where.
type NextStep struct {
	insight.Step
	Where string `json:"where"` // the path of the page where it is done; empty: nowhere here
	Do    string `json:"do"`    // what the button to it says
}

// onPage is how many domains are on one.
const onPage = 100

// Domains lists domains.
func (d *Desk) Domains(ctx context.Context, who *people.Access, in *DomainsIn) (*Domains, error) {
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	names, err := d.busiest(ctx, who)
	if err != nil {
		return nil, err
	}
	answer := &Domains{Period: p, Domains: []DomainLine{}, Query: in.Query, All: len(names)}
	query := strings.ToLower(strings.TrimSpace(in.Query))
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.Contains(name, query) })
	answer.Count = len(names)
	names, answer.Pages = paged(names, in.Page, onPage)
	for _, name := range names {
		line := DomainLine{Name: name, Days: []insight.Day{}}
		a, made, err := d.answer(ctx, name, p)
		switch {
		case errors.Is(err, keep.ErrPending):
			line.Pending = true
		case err != nil:
			return nil, err
		default:
			of := &a.Domains[0]
			line.Messages, line.Passed, line.Policy, line.Made = of.Now.Messages, of.Now.Passed, of.Policy.P, made
			line.Days, line.Next = inPeriod(of.Days, p), step(of)
		}
		answer.Domains = append(answer.Domains, line)
	}
	for i := range answer.Domains { // when all that the store has to tell was asked for
		l := &answer.Domains[i]
		if l.Grade, err = d.grade(ctx, l.Name); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// busiest are the domains that somebody may see, the most messages first.
func (d *Desk) busiest(ctx context.Context, who *people.Access) ([]string, error) {
	names, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	seen, err := d.reported(ctx)
	if err != nil && !errors.Is(err, keep.ErrPending) {
		return nil, err
	}
	messages := map[string]int64{}
	for _, f := range seen {
		messages[f.Domain] = f.Messages
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(messages[b], messages[a]) })
	return names, nil
}

// paged is one page of a list, the last one if there are not as many.
func paged[T any](all []T, page, size int) ([]T, Pages) {
	p := Pages{Of: max(1, (len(all)+size-1)/size)}
	p.Page = min(max(1, page), p.Of)
	return all[(p.Page-1)*size : min(len(all), p.Page*size)], p
}

// inPeriod are those of some days in a row that are in a period.
func inPeriod(all []insight.Day, p insight.Period) []insight.Day {
	return all[max(0, len(all)-p.Len()):]
}

// step is the next one of a domain, with where it is taken.
func step(d *insight.Domain) NextStep {
	s := NextStep{Step: d.Next}
	s.Text = withoutDocs(s.Text, s.Docs)
	path := "/domains/" + url.PathEscape(d.Name)
	switch s.ID {
	case insight.StepMendSource:
		s.Do = "See how to mend it"
	case insight.StepFindOut:
		s.Do = "Look at it"
	case insight.StepSign:
		s.Do = "See how"
	case insight.StepNoReports:
		s.Where, s.Do = "/reports?domain="+url.QueryEscape(d.Name), "See what came in"
	case insight.StepWait:
		s.Where, s.Do = path+"/readiness", "See what is waited for"
	case insight.StepNothing:
	default:
		s.Where, s.Do = path+"/readiness", "See the record"
	}
	switch {
	case s.Source != "":
		s.Where = path + "/sources/" + url.PathEscape(s.Source)
	case s.ID == insight.StepFindOut:
		s.Where, s.Do = path+"?class=unknown", "Look at them"
	}
	return s
}

// Again is when it is worth looking again.
func (d *Domains) Again() int {
	if slices.ContainsFunc(d.Domains, func(l DomainLine) bool { return l.Pending || l.Grade.Pending }) {
		return 2
	}
	return 0
}

// Tables has the domains.
func (d *Domains) Tables() []Table {
	return []Table{{
		Name: "domains", Columns: []string{"domain", "grade", "messages", "passed", "policy", "next step"},
		Rows: func(yield func([]string) bool) {
			for _, l := range d.Domains {
				if !yield([]string{l.Name, l.Grade.Letter, count(l.Messages), count(l.Passed), l.Policy, l.Next.Text}) {
					return
				}
			}
		},
	}}
}

// dayTable is the days of a picture.
func dayTable(days []insight.Day) Table {
	return Table{
		Name: "days", Columns: []string{"day", "messages", "passed", "passed on by others", "misconfigured", "unknown", "likely abuse"},
		Rows: func(yield func([]string) bool) {
			for _, d := range days {
				if !yield([]string{d.Day.Format("2006-01-02"), count(d.Messages()), count(d.Passed), count(d.Forwarded), count(d.Misconfigured), count(d.Unknown), count(d.Abuse)}) {
					return
				}
			}
		},
	}
}

// figuresColumns are those of figuresOf.
var figuresColumns = []string{"messages", "passed", "dkim", "spf", "quarantined", "rejected"}

func figuresOf(f store.Figures) []string {
	return []string{count(f.Messages), count(f.Passed), count(f.DKIM), count(f.SPF), count(f.Quarantined), count(f.Rejected)}
}

func count(n int64) string { return strconv.FormatInt(n, 10) }
