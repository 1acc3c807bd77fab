// Package dashboard answers what the dashboard shows, as values: a page, the API and a table for a spreadsheet are made of the same answer.
//
//	desk := &dashboard.Desk{Store: s, Config: current, DNS: resolver, Answers: keep.New(keep.Options{})}
//	answer, err := desk.Domains(ctx, access, &dashboard.DomainsIn{})
//
// A question is a method of [Desk] that takes who asks and a struct whose fields stand in the path, the query or the form (In), and gives a
// struct with a JSON shape. Package web has the table of who may ask what: a method whose route is over one domain is asked only by who may
// see that domain. Where an answer is about many domains, the method itself leaves out those that the access does not see.
//
// What takes long comes from [keep.Keeper], so that no page waits. Nothing that a stranger wrote is made harmless here: who prints it
// escapes it.
package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Desk answers questions.
type Desk struct {
	Store   store.Store
	Config  func() *config.Config // the one in force
	DNS     dns.Resolver
	Answers *keep.Keeper
	Now     func() time.Time // time.Now if nil
	Log     *slog.Logger     // none if nil

	// Web fetches the policies and logos of domains that are audited. Nil: what reaches addresses of the public internet only.
	Web    http.RoundTripper
	Status func(context.Context) control.Status // of the gate that it stands in; nil: of none

	askers    askers
	graded    grades
	audits    audits
	questions quota
}

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("there is no such thing")
	ErrNoStore  = errors.New("nothing is kept")
)

// An Invalid says that what was asked makes no sense, and how it would.
type Invalid struct {
	Field string // as it is called in the form
	Text  string // a sentence
}

// A Crumb leads to a page above.
type Crumb struct{ Title, Path string }

func (e *Invalid) Error() string { return e.Text }

// A Busy says that too much is asked for at a time.
type Busy struct{ Text string } // a sentence

func (e *Busy) Error() string { return e.Text }

func invalid(field, format string, a ...any) error {
	return &Invalid{Field: field, Text: fmt.Sprintf(format, a...)}
}

// Done is what became of something that was asked to be done.
type Done struct {
	To   string `json:"to"`   // the path of the page to look at next
	Text string `json:"text"` // a sentence: what was done

	// Secret is shown once, on the page that answers, and stands nowhere else.
	Secret string `json:"secret,omitempty"`
}

// A Table is what a spreadsheet can be made of. Cells are as they came; who writes them makes them harmless.
type Table struct {
	Name    string // in the URL
	Columns []string
	Rows    iter.Seq[[]string]
}

// Tabular is an answer that has tables.
type Tabular interface{ Tables() []Table }

// A File is an answer in another format.
type File struct {
	Format string // in the URL
	Name   string // to keep it under
	Type   string
	Write  func(io.Writer) error
}

// Filed is an answer that there is as files too.
type Filed interface{ Files() []File }

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

func (d *Desk) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}

// askers keeps who asks as a configuration says: the table of senders is read once.
type askers struct {
	mu     sync.Mutex
	config *config.Config
	asker  *insight.Asker
}

// asker asks as the configuration in force says.
func (d *Desk) asker() (*insight.Asker, error) {
	c := d.Config()
	d.askers.mu.Lock()
	defer d.askers.mu.Unlock()
	if d.askers.asker != nil && d.askers.config == c {
		return d.askers.asker, nil
	}
	a, err := letters.Asker(letters.Options{Config: c, Store: d.Store, DNS: d.DNS})
	if err != nil {
		return nil, err
	}
	a.Trend = days
	d.askers.config, d.askers.asker = c, a
	return a, nil
}

// How many days are looked at.
const (
	days     = 30 // unless others are asked for
	mostDays = 400
)

// Days are the days that a question is about, in its query.
type Days struct {
	Days int `query:"days" default:"30" minimum:"1" maximum:"400" doc:"The last so many days"`
}

// period are the days that end today.
func (d *Desk) period(q Days) (insight.Period, error) {
	if q.Days == 0 {
		q.Days = days
	}
	if q.Days < 1 || q.Days > mostDays {
		return insight.Period{}, invalid("days", "Ask for 1 to %d days.", mostDays)
	}
	today := insight.DayOf(d.now())
	return insight.Period{From: today.AddDate(0, 0, 1-q.Days), To: today}, nil
}

// askedPeriod is the period of a question that is answered for whoever may see it, unless too many are made up.
func (d *Desk) askedPeriod(who *people.Access, q Days) (insight.Period, error) {
	p, err := d.period(q)
	if err == nil {
		err = d.mayAskDays(who, p.Len())
	}
	return p, err
}

// A Made says how old an answer is.
type Made struct {
	At   time.Time `json:"at"`   // when it was made
	Anew bool      `json:"anew"` // a newer one is being made
}

// A look at a domain is all that is made of the same facts.
type look struct {
	answer    *insight.Answer
	readiness insight.Readiness
}

// lasting is how long what is said of a domain is good, if nobody changes anything: reports come a few times a day, and a large site has
// hundreds of domains on one page.
const lasting = time.Minute

// looked is what is to say of a domain, and how far it is on its way.
func (d *Desk) looked(ctx context.Context, domain string, p insight.Period) (*look, Made, error) {
	key := fmt.Sprintf("domain %s %s %d", domain, insight.Date(p.To), p.Len())
	kept, err := keep.Get(keep.Lasting(ctx, lasting), d.Answers, key, func(ctx context.Context) (*look, error) {
		a, err := d.asker()
		if err != nil {
			return nil, err
		}
		f, err := a.Fetch(ctx, []string{domain}, p)
		if err != nil {
			return nil, err
		}
		return &look{f.Sum(), f.Readiness(0)}, nil
	})
	return kept.Value, Made{kept.At, kept.Anew}, err
}

// answer is what is to say of a domain.
func (d *Desk) answer(ctx context.Context, domain string, p insight.Period) (*insight.Answer, Made, error) {
	kept, made, err := d.looked(ctx, domain, p)
	if err != nil {
		return nil, made, err
	}
	return kept.answer, made, nil
}

// ours are the domains that the configuration calls ours and those that reports are about, which the access sees.
func (d *Desk) ours(ctx context.Context, who *people.Access) ([]string, error) {
	all := slices.Clone(d.Config().Reports.Domains)
	seen, err := d.reported(ctx)
	if err != nil && !errors.Is(err, keep.ErrPending) {
		return nil, err
	}
	for _, f := range seen {
		all = append(all, f.Domain)
	}
	slices.Sort(all)
	return who.Seen(slices.Compact(all)), nil
}

// reported are the domains that any report is about, with their messages of the last days.
func (d *Desk) reported(ctx context.Context) ([]store.DomainFigures, error) {
	kept, err := keep.Get(ctx, d.Answers, "domains", func(ctx context.Context) ([]store.DomainFigures, error) {
		today := insight.DayOf(d.now())
		return d.Store.Domains(ctx, store.Question{From: today.AddDate(0, 0, 1-days), To: today})
	})
	return kept.Value, err
}

// see tells whether there is something to say of a domain: it is one of ours, or a report is about it. It is as routes name it.
func (d *Desk) see(ctx context.Context, name string) error {
	if slices.Contains(d.Config().Reports.Domains, name) {
		return nil
	}
	seen, err := d.reported(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(seen, func(f store.DomainFigures) bool { return f.Domain == name }) {
		return fmt.Errorf("domain %q: %w", name, ErrNotFound)
	}
	return nil
}
