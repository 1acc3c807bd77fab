package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// mostCases is how many cases are looked at for the list and its counts, and casesPage how many are on it.
const (
	mostCases = 10_000
	casesPage = 100
)

// caseStates are the states of a case in the order of its life, with what each means.
var caseStates = []CaseState{
	{Name: store.NoticeProposed, Tone: "warn", Means: "The letter waits for somebody to approve or decline it."},
	{Name: store.NoticeApproved, Tone: "warn", Means: "The gate sends the letter as soon as the limits allow."},
	{Name: store.NoticeSent, Means: "The letter was sent. The records of the domain are looked at until what it is about is mended."},
	{Name: store.NoticeBounced, Tone: "bad", Means: "The letter did not arrive. Once it is approved again it goes to the next address."},
	{Name: store.NoticeMended, Tone: "good", Means: "What the letter is about is mended."},
	{Name: store.NoticeDeclined, Means: "The letter is not sent."},
	{Name: store.NoticeClosed, Means: "Nobody looks at it any more."},
}

// A CaseState is one in which cases are.
type CaseState struct {
	Name  string `json:"name"`
	Means string `json:"means"`
	Tone  string `json:"tone"`
	Cases int    `json:"cases"`
}

// LettersIn asks for the cases.
type LettersIn struct {
	State  string `query:"state" doc:"Only those in this state: proposed, approved, sent, bounced, mended, declined, closed"`
	Domain string `query:"domain" doc:"Only those of this domain"`
}

// LetterCases are the letters to the owners of other domains, the latest first.
type LetterCases struct {
	Cases   []CaseLine     `json:"cases"`
	More    bool           `json:"more"`    // there are others that are not listed
	Pending bool           `json:"pending"` // States and Figures are being counted
	States  []CaseState    `json:"states"`
	Figures notice.Figures `json:"figures"` // of all
	Enabled bool           `json:"enabled"` // letters are written at all
	Can     bool           `json:"can_act"`
}

// A CaseLine is a case in short.
type CaseLine struct {
	ID      int64     `json:"id"`
	Domain  string    `json:"domain"`
	State   string    `json:"state"`
	Tone    string    `json:"tone"`
	Faults  []Fault   `json:"faults"`
	Opened  time.Time `json:"opened"`
	Changed time.Time `json:"changed"`
	Author  string    `json:"author"` // who made the state what it is
	Detail  string    `json:"detail"`
}

// A Fault is what a letter is about.
type Fault struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

func caseLine(n *store.Notice) CaseLine {
	line := CaseLine{
		ID: n.ID, Domain: n.Domain, State: n.State, Tone: stateOf(n.State).Tone, Faults: []Fault{}, Opened: n.Opened, Changed: n.Changed, Author: n.Author,
		Detail: n.Detail,
	}
	for _, id := range n.Faults {
		line.Faults = append(line.Faults, Fault{id, notice.Languages().Title(id)})
	}
	return line
}

func stateOf(name string) CaseState {
	i := slices.IndexFunc(caseStates, func(s CaseState) bool { return s.Name == name })
	if i < 0 {
		return CaseState{Name: name}
	}
	return caseStates[i]
}

// Letters lists the cases.
func (d *Desk) Letters(ctx context.Context, who *people.Access, in *LettersIn) (*LetterCases, error) {
	if in.State != "" && stateOf(in.State).Means == "" {
		return nil, invalid("state", "There is no state %q.", in.State)
	}
	f := store.NoticeFilter{Limit: casesPage + 1}
	if in.State != "" {
		f.States = []string{in.State}
	}
	if in.Domain != "" {
		domain, err := dns.ToASCII(in.Domain)
		if err != nil {
			return nil, invalid("domain", "%q is not the name of a domain.", in.Domain)
		}
		f.Domain = domain
	}
	all, err := d.Store.Notices(ctx, f)
	if err != nil {
		return nil, err
	}
	l := &LetterCases{Cases: []CaseLine{}, More: len(all) > casesPage, Enabled: d.Config().Notice.Enabled(), Can: who.Everywhere() >= people.Analyst}
	for i := range all[:min(len(all), casesPage)] {
		l.Cases = append(l.Cases, caseLine(&all[i]))
	}
	return l, d.countCases(ctx, l)
}

// casesKey is that of what is counted of all cases.
const casesKey = "gate letters"

// countCases adds how many cases there are in each state, and what came of them.
func (d *Desk) countCases(ctx context.Context, l *LetterCases) error {
	type counts struct {
		states  []CaseState
		figures notice.Figures
	}
	kept, err := keep.Get(ctx, d.Answers, casesKey, func(ctx context.Context) (counts, error) {
		all, err := d.Store.Notices(ctx, store.NoticeFilter{Limit: mostCases})
		of := counts{slices.Clone(caseStates), notice.Count(all, time.Time{})}
		for i := range all {
			if s := slices.IndexFunc(of.states, func(s CaseState) bool { return s.Name == all[i].State }); s >= 0 {
				of.states[s].Cases++
			}
		}
		return of, err
	})
	l.States, l.Figures = kept.Value.states, kept.Value.figures
	if errors.Is(err, keep.ErrPending) {
		l.States, l.Figures.Faults, l.Pending = caseStates, []notice.FaultFigures{}, true
		return nil
	}
	return err
}

// Tables has the cases.
func (l *LetterCases) Tables() []Table {
	return []Table{{
		Name: "letters", Columns: []string{"id", "domain", "state", "faults", "opened", "changed", "author", "detail"},
		Rows: func(yield func([]string) bool) {
			for _, c := range l.Cases {
				var faults []string
				for _, f := range c.Faults {
					faults = append(faults, f.ID)
				}
				if !yield([]string{count(c.ID), c.Domain, c.State, strings.Join(faults, " "), c.Opened.UTC().Format(time.RFC3339),
					c.Changed.UTC().Format(time.RFC3339), c.Author, c.Detail}) {
					return
				}
			}
		},
	}}
}

// DoWriteIn asks for a letter to the owner of a domain.
type DoWriteIn struct {
	Body struct {
		Domain    string `json:"domain" required:"false" doc:"Whose owner to write to"`
		Rule      string `json:"rule" required:"false" doc:"The rule that stops its mail, or would"`
		Reference string `json:"reference" required:"false" doc:"The message to write about"`
		ID        int64  `json:"id" required:"false" doc:"The ID of the decision, where the reference does not tell"`
	}
}

// writeTime bounds what is asked of the domain before a letter is written: less than a browser waits.
const writeTime = 25 * time.Second

// DoWrite opens a case with the letter to the owner of a domain, which then waits to be approved.
func (d *Desk) DoWrite(ctx context.Context, who *people.Access, in *DoWriteIn) (*Done, error) {
	if !d.Config().Notice.Enabled() {
		return nil, invalid("", "Letters need an address that they come from: write [notice] into the configuration, with from, return_address and organization.")
	}
	about, err := d.subject(ctx, in)
	if err != nil {
		return nil, err
	}
	office, err := letters.Office(letters.NoticeOptions{
		Options: letters.Options{Config: d.Config(), Store: d.Store, DNS: d.DNS, Log: d.log()}, Web: fetch.New(fetch.Options{Resolver: d.DNS}),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	n, opened, err := office.Propose(ctx, about, who.Name, d.now())
	if err != nil {
		return nil, letterWrong(ctx, err)
	}
	d.Answers.Change(casesKey)
	to := casePath(n.ID)
	if !opened {
		return &Done{To: to, Text: fmt.Sprintf("%s has an open case already: this one.", n.Domain)}, nil
	}
	d.event(ctx, who, "open-case", n.Domain, fmt.Sprintf("case %d: %s", n.ID, strings.Join(n.Faults, " ")))
	return &Done{To: to, Text: "The letter is written. Nothing is sent before somebody approves it."}, nil
}

func casePath(id int64) string { return "/gate/letters/" + count(id) }

// subject is what a letter is to be about.
func (d *Desk) subject(ctx context.Context, in *DoWriteIn) (notice.Subject, error) {
	b := &in.Body
	if b.Reference != "" {
		found, err := d.decisions(ctx, &DecisionIn{Reference: b.Reference, ID: b.ID})
		if errors.Is(err, ErrNotFound) {
			return notice.Subject{}, invalid("reference", "There is no message %q any more.", b.Reference)
		}
		if err != nil {
			return notice.Subject{}, err
		}
		it := &found[len(found)-1]
		if i := slices.IndexFunc(found, func(x store.Decision) bool { return x.ID == b.ID }); i >= 0 {
			it = &found[i]
		}
		return notice.Subject{Decision: it}, nil
	}
	domain, err := dns.ToASCII(b.Domain)
	if err != nil || !strings.Contains(domain, ".") {
		return notice.Subject{}, invalid("domain", "%q is not the name of a domain; write it as example.com.", b.Domain)
	}
	s := notice.Subject{Domain: domain}
	all, err := d.Store.Decisions(ctx, store.DecisionFilter{Domain: domain})
	for i := range slices.Backward(all) {
		if of, _ := notice.FaultOf(&all[i]); of != domain {
			continue
		}
		if b.Rule == "" || all[i].Rule == b.Rule {
			s.Decision = &all[i]
			break
		}
		if s.Decision == nil {
			s.Decision = &all[i] // the rule may be one that is only thought of
		}
	}
	return s, err
}

// letterWrong says why there is no letter.
func letterWrong(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, notice.ErrNoFault), errors.Is(err, notice.ErrUnseen), errors.Is(err, notice.ErrNobody), errors.Is(err, notice.ErrExcept),
		errors.Is(err, store.ErrNoticeHeld):
		return invalid("domain", "%s", sentence(err.Error()))
	case ctx.Err() != nil:
		return invalid("domain", "DNS did not answer in time; try again later.")
	}
	return err
}
