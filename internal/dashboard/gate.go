package dashboard

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/story"
	"github.com/gatepost-mail/gatepost/internal/when"
)

// Verdicts are those that there are, in the order in which they are counted.
var Verdicts = []string{"accept", "mark", "quarantine", "reject", "defer"}

// perPage is how many decisions are on one page.
const perPage = 50

// A DecisionsFilter says which decisions are wanted.
type DecisionsFilter struct {
	Verdict string `query:"verdict" doc:"Only with this verdict: accept, mark, quarantine, reject, defer"`
	Rule    string `query:"rule" doc:"Only those that this rule decided"`
	Domain  string `query:"domain" doc:"Only of this Author Domain or envelope domain"`
}

// GateIn asks for the last decisions.
type GateIn struct {
	DecisionsFilter
	Since  string `query:"since" doc:"Only from then on: a stretch back (1h, 7d), a day or a time (RFC 3339)"`
	Before int64  `query:"before" minimum:"0" doc:"Only those before the decision with this ID"`
}

// Gate is what the gate decided last.
type Gate struct {
	Decisions []DecisionLine `json:"decisions"` // the latest first
	Older     int64          `json:"older"`     // before which ID there are more; 0: there are none
	Totals    GateTotals     `json:"totals"`
	Verdicts  []string       `json:"verdicts"` // that there are
	Rules     []string       `json:"rules"`    // of the policy in force
	Policy    string         `json:"policy"`
	Mode      string         `json:"mode"`     // enforce or monitor
	Live      string         `json:"live"`     // where those that come are told, of which the same are wanted
	Filtered  bool           `json:"filtered"` // not all are wanted
	first     bool
}

// First tells whether the latest decisions are among them.
func (g *Gate) First() bool { return g.first }

// A DecisionLine is what became of one message, in short.
type DecisionLine struct {
	ID           int64      `json:"id"`
	Time         time.Time  `json:"time"`
	Reference    string     `json:"reference"`
	AuthorDomain string     `json:"author_domain"`
	Envelope     string     `json:"envelope_domain"`
	Client       netip.Addr `json:"client_ip,omitzero" format:"ip"`
	Verdict      string     `json:"verdict"`
	Carried      bool       `json:"carried_out"` // false: nothing was done of it
	Rule         string     `json:"rule"`
	Exception    int64      `json:"exception"` // that let it in; 0: none
	Path         string     `json:"path"`      // of the page that explains it
	Tone         string     `json:"tone"`      // good, warn, bad
}

// Line is a decision in short.
func Line(d *store.Decision) DecisionLine {
	return DecisionLine{
		ID: d.ID, Time: d.Time, Reference: d.Reference, AuthorDomain: d.AuthorDomain, Envelope: d.EnvelopeDomain, Client: d.ClientIP, Verdict: d.Verdict,
		Carried: story.Carried(d), Rule: d.Rule, Exception: d.Exception, Path: decisionPath(d.Reference, d.ID), Tone: story.Tone(d.Verdict),
	}
}

// nameless stands for a reference that cannot be part of a path.
const nameless = "-"

// nameOf is how a decision is asked for: by its reference, or by its ID alone.
func nameOf(reference string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if reference == "" || strings.ContainsFunc(reference, func(r rune) bool { return !plain(r) }) {
		return nameless
	}
	return reference
}

func decisionPath(reference string, id int64) string {
	if name := nameOf(reference); name != nameless {
		return "/gate/decisions/" + name
	}
	return "/gate/decisions/" + nameless + "?id=" + count(id)
}

// filter is the question to the store.
func (f *DecisionsFilter) filter() (store.DecisionFilter, error) {
	of := store.DecisionFilter{Verdict: f.Verdict, Rule: f.Rule}
	if f.Verdict != "" && !slices.Contains(Verdicts, f.Verdict) {
		return of, invalid("verdict", "There is no verdict %q; there are %s.", f.Verdict, strings.Join(Verdicts, ", "))
	}
	if f.Domain != "" {
		domain, err := dns.ToASCII(f.Domain)
		if err != nil {
			return of, invalid("domain", "%q is not the name of a domain.", f.Domain)
		}
		of.Domain = domain
	}
	return of, nil
}

// query is the filter as it stands in a URL.
func (f *DecisionsFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"verdict": f.Verdict, "rule": f.Rule, "domain": f.Domain} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// Gate gives the last decisions, with what was counted.
func (d *Desk) Gate(ctx context.Context, _ *people.Access, in *GateIn) (*Gate, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	if in.Since != "" {
		if f.Since, err = when.Since(in.Since, d.now()); err != nil {
			return nil, invalid("since", "%q is %s.", in.Since, err)
		}
	}
	f.Before, f.Limit = max(0, in.Before), perPage+1
	found, err := d.Store.Decisions(ctx, f)
	if err != nil {
		return nil, err
	}
	c := d.Config()
	g := &Gate{Decisions: []DecisionLine{}, Verdicts: Verdicts, Rules: d.rules(ctx), Policy: c.Policy, Mode: c.Mode, first: in.Before == 0}
	g.Filtered = in.Since != "" || len(in.query()) > 0
	if len(found) > perPage {
		found = found[1:]
		g.Older = found[0].ID
	}
	for i := range slices.Backward(found) {
		g.Decisions = append(g.Decisions, Line(&found[i]))
	}
	if g.Totals, err = d.totals(ctx); err != nil {
		return nil, err
	}
	q := in.query()
	if len(g.Decisions) > 0 {
		q.Set("after", count(g.Decisions[0].ID))
	}
	g.Live = "/gate/live?" + q.Encode()
	return g, nil
}

// rules are the names of the rules of the policy in force, each once; none where it cannot be read.
func (d *Desk) rules(ctx context.Context) []string {
	p, err := d.policy(ctx)
	if err != nil {
		return []string{}
	}
	var all []string
	for _, name := range append(p.Rules(), policy.RuleAuthenticated, policy.RuleOwnNetwork, "exception") {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// policy is the one in force.
func (d *Desk) policy(ctx context.Context) (*policy.Policy, error) {
	name := d.Config().Policy
	kept, err := keep.Get(ctx, d.Answers, "gate policy "+name, func(context.Context) (*policy.Policy, error) { return policy.Named(name) })
	return kept.Value, err
}

// Tables has the decisions and what was counted.
func (g *Gate) Tables() []Table {
	return append([]Table{{
		Name: "decisions", Columns: []string{"id", "time", "reference", "verdict", "carried out", "rule", "author domain", "envelope domain", "client", "exception"},
		Rows: func(yield func([]string) bool) {
			for _, l := range g.Decisions {
				carried, client, exception := "yes", "", ""
				if !l.Carried {
					carried = "no"
				}
				if l.Client.IsValid() {
					client = l.Client.String()
				}
				if l.Exception != 0 {
					exception = count(l.Exception)
				}
				if !yield([]string{count(l.ID), l.Time.UTC().Format(time.RFC3339), l.Reference, l.Verdict, carried, l.Rule, l.AuthorDomain, l.Envelope, client, exception}) {
					return
				}
			}
		},
	}}, g.Totals.tables()...)
}

// LiveIn asks for the decisions that come.
type LiveIn struct {
	DecisionsFilter
	After int64 `query:"after" minimum:"0" doc:"Begin with those after the decision with this ID"`
}

// A Watch is a question about decisions that come.
type Watch struct{ f store.DecisionFilter }

// Watch reads such a question.
func (in *LiveIn) Watch() (*Watch, error) {
	f, err := in.filter()
	return &Watch{f}, err
}

// Lets tells whether a decision is asked for, as the store does.
func (w *Watch) Lets(d *store.Decision) bool {
	return (w.f.Verdict == "" || d.Verdict == w.f.Verdict) && (w.f.Rule == "" || d.Rule == w.f.Rule) &&
		(w.f.Domain == "" || d.AuthorDomain == w.f.Domain || d.EnvelopeDomain == w.f.Domain)
}

// Missed are the last of those after a decision that were asked for.
func (d *Desk) Missed(ctx context.Context, w *Watch, after int64, most int) ([]DecisionLine, error) {
	f := w.f
	f.After, f.Limit = after, most
	found, err := d.Store.Decisions(ctx, f)
	if err != nil {
		return nil, err
	}
	var all []DecisionLine
	for i := range found {
		all = append(all, Line(&found[i]))
	}
	return all, nil
}

func byCount(a, b GateCount) int {
	return cmp.Or(cmp.Compare(b.Week, a.Week), cmp.Compare(a.Name, b.Name))
}
