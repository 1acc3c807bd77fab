package whatif

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A PolicyChange is a policy that a gate might be given, to act upon.
type PolicyChange struct {
	Period  insight.Period
	Policy  *policy.Policy
	InForce *policy.Policy // by which the recorded verdicts were found; nil: it is not known
}

// Policy is what a policy would have done to the mail that the gate saw in a period.
type Policy struct {
	Policy   string         `json:"policy"`
	InForce  string         `json:"in_force"`
	Period   insight.Period `json:"period"`
	Days     int            `json:"days"` // with mail
	Messages int64          `json:"messages"`
	Then     Actions        `json:"then"`
	Recorded Actions        `json:"recorded"` // the verdicts that were found, acted upon or not
	Done     Actions        `json:"done"`     // what was really done
	Newly    int64          `json:"newly"`    // that would be blocked, and were let in
	NoLonger int64          `json:"no_longer"`
	Excepted int64          `json:"excepted"` // let in by an exception, which would go on
	Rules    []RuleCount    `json:"rules"`    // that would block, the most messages first
	Senders  []Sender       `json:"senders"`  // whose mail would be blocked or not decided, those first that are let in as it is
	Others   int64          `json:"others"`   // messages of senders that were too many and too small to tell apart
	Lacks    []Lack         `json:"lacks"`    // for want of what messages are undecided, the most first
	Notes    []string       `json:"notes"`
}

// Actions count messages by what becomes of them.
type Actions struct {
	Accepted    int64 `json:"accepted"` // marked ones too
	Quarantined int64 `json:"quarantined"`
	Rejected    int64 `json:"rejected"`
	Deferred    int64 `json:"deferred"`
	Undecided   int64 `json:"undecided"`
}

func (a *Actions) add(does policy.Action, n int64) {
	switch does {
	case policy.Accept, policy.Mark:
		a.Accepted += n
	case policy.Quarantine:
		a.Quarantined += n
	case policy.Reject:
		a.Rejected += n
	case policy.Defer:
		a.Deferred += n
	default:
		a.Undecided += n
	}
}

// Blocked are those that do not reach their recipients, for good.
func (a *Actions) Blocked() int64 { return a.Quarantined + a.Rejected }

// A RuleCount is how many messages a rule would block.
type RuleCount struct {
	Rule     string        `json:"rule"` // or those that may have decided: "a or b"
	Action   policy.Action `json:"action"`
	Messages int64         `json:"messages"`
	Newly    int64         `json:"newly"`
}

// A Lack is what is not remembered of messages.
type Lack struct {
	Name     string `json:"name"` // as rules write it
	Messages int64  `json:"messages"`
}

// A Sender is an Author Domain whose mail would fare otherwise, or may.
type Sender struct {
	Domain    string       `json:"domain"`
	Messages  int64        `json:"messages"`
	Blocked   int64        `json:"blocked"`
	Newly     int64        `json:"newly"` // of them, those that were let in
	NoLonger  int64        `json:"no_longer"`
	Undecided int64        `json:"undecided"`
	Rules     []RuleCount  `json:"rules"`
	Why       string       `json:"why"` // the results of most of them
	IPs       []netip.Addr `json:"ips"` // some
	First     time.Time    `json:"first"`
	Last      time.Time    `json:"last"`

	why map[string]int64
}

// The bounds of what is held in memory.
const (
	maxSenders = 20_000
	maxShapes  = 100_000
	maxIPs     = 4
	maxWhys    = 16
)

// Policy answers what a policy would have done.
func (a *Asker) Policy(ctx context.Context, c PolicyChange) (*Policy, error) {
	p := &replay{change: c, out: &Policy{Policy: c.Policy.Name, Period: c.Period, Rules: []RuleCount{}, Senders: []Sender{}, Lacks: []Lack{}, Notes: []string{}},
		view: viewOf(c.Policy, c.InForce), known: map[shape]*fate{}, senders: map[string]*Sender{}, rules: map[string]*RuleCount{}, lacks: map[string]int64{}, records: map[string]tri{}}
	if c.InForce != nil {
		p.out.InForce = c.InForce.Name
	}
	for n, err := range a.Store.Observations(ctx, store.ObservationFilter{From: c.Period.From, To: c.Period.To, AnyOrder: true}) {
		if err != nil {
			return nil, err
		}
		p.one(&n)
	}
	p.sum()
	return p.out, nil
}

// A replay is a policy being tried.
type replay struct {
	change  PolicyChange
	out     *Policy
	view    view
	known   map[shape]*fate
	senders map[string]*Sender
	rules   map[string]*RuleCount
	lacks   map[string]int64
	records map[string]tri // what the DMARC records say of testing
	day     time.Time
	pruned  bool
}

// A fate is what becomes of messages of one shape.
type fate struct {
	does  policy.Action // empty: it is not decided
	rule  string
	lacks []string
}

func (f *fate) blocks() bool { return f.does == policy.Reject || f.does == policy.Quarantine }

// decide finds the fate of a shape.
func (p *replay) decide(s shape) *fate {
	if f := p.known[s]; f != nil {
		return f
	}
	m := s.memory()
	m.Told = told(p.change.InForce, &s, m)
	r := p.change.Policy.Recall(m)
	f := &fate{lacks: r.Lacks, does: r.Possible[0].Action}
	var names []string
	for _, possible := range r.Possible {
		if !slices.Contains(names, possible.Rule) {
			names = append(names, possible.Rule)
		}
		switch same := class(possible.Action) == class(f.does); {
		case !same:
			f.does = ""
		case possible.Action != f.does && f.does != "": // both block, or both let in: the milder is what is certain
			f.does = milder(f.does, possible.Action)
		}
		if f.does == "" {
			break
		}
	}
	f.rule = strings.Join(slices.DeleteFunc(names, func(n string) bool { return n == "" }), " or ")
	if len(p.known) >= maxShapes {
		clear(p.known)
	}
	p.known[s] = f
	return f
}

func class(a policy.Action) string {
	switch a {
	case policy.Accept, policy.Mark:
		return "in"
	case policy.Quarantine, policy.Reject:
		return "blocked"
	}
	return string(a)
}

func milder(a, b policy.Action) policy.Action {
	for _, m := range []policy.Action{policy.Accept, policy.Mark, policy.Quarantine} {
		if a == m || b == m {
			return m
		}
	}
	return a
}

// one tries the policy on messages with one observation.
func (p *replay) one(c *store.Count) {
	n, out := c.Count, p.out
	if !c.Day.Equal(p.day) {
		p.day = c.Day
		out.Days++
	}
	out.Messages += n
	out.Recorded.add(policy.Action(c.Verdict), n)
	out.Done.add(policy.Action(cmp.Or(c.Done, c.Verdict)), n)
	if c.Rule == exceptions.Rule {
		out.Excepted += n
		out.Then.add(policy.Accept, n)
		return
	}
	f := p.decide(p.view.shape(&c.Observation, p.testing(&c.Observation)))
	out.Then.add(f.does, n)
	was := class(policy.Action(cmp.Or(c.Done, c.Verdict)))
	newly, noLonger := int64(0), int64(0)
	switch {
	case f.blocks() && was == "in":
		newly = n
	case was == "blocked" && class(f.does) == "in":
		noLonger = n
	}
	out.Newly += newly
	out.NoLonger += noLonger
	if f.blocks() {
		count(p.rules, f, n, newly)
	}
	if f.does == "" {
		for _, name := range f.lacks {
			p.lacks[name] += n
		}
	}
	if f.blocks() || noLonger > 0 || f.does == "" {
		p.sender(c, f, newly, noLonger)
	}
}

// testing reads each record once.
func (p *replay) testing(o *store.Observation) tri {
	if o.Record == "" {
		return testing(o)
	}
	t, ok := p.records[o.Record]
	if !ok {
		if len(p.records) >= maxShapes {
			clear(p.records)
		}
		t = testing(o)
		p.records[o.Record] = t
	}
	return t
}

func count(rules map[string]*RuleCount, f *fate, n, newly int64) {
	key := f.rule + " " + string(f.does)
	if rules[key] == nil {
		rules[key] = &RuleCount{Rule: f.rule, Action: f.does}
	}
	rules[key].Messages += n
	rules[key].Newly += newly
}

func (p *replay) sender(c *store.Count, f *fate, newly, noLonger int64) {
	s := p.senders[c.AuthorDomain]
	if s == nil {
		if len(p.senders) >= maxSenders {
			p.prune()
		}
		s = &Sender{Domain: c.AuthorDomain, IPs: []netip.Addr{}, Rules: []RuleCount{}, First: c.Day, why: map[string]int64{}}
		p.senders[c.AuthorDomain] = s
	}
	s.Messages += c.Count
	s.Newly += newly
	s.NoLonger += noLonger
	s.Last = c.Day
	switch {
	case f.blocks():
		s.Blocked += c.Count
		i := slices.IndexFunc(s.Rules, func(r RuleCount) bool { return r.Rule == f.rule && r.Action == f.does })
		if i < 0 {
			i, s.Rules = len(s.Rules), append(s.Rules, RuleCount{Rule: f.rule, Action: f.does})
		}
		s.Rules[i].Messages += c.Count
		s.Rules[i].Newly += newly
	case f.does == "":
		s.Undecided += c.Count
	}
	if c.SourceIP.IsValid() && !c.NetworkOnly() && len(s.IPs) < maxIPs && !slices.Contains(s.IPs, c.SourceIP) {
		s.IPs = append(s.IPs, c.SourceIP)
	}
	if why := results(&c.Observation); len(s.why) < maxWhys || s.why[why] > 0 {
		s.why[why] += c.Count
	}
}

// results says in a line what was found of messages.
func results(o *store.Observation) string {
	var parts []string
	if o.SPF != "" {
		parts = append(parts, "SPF "+o.SPF)
		if o.EnvelopeDomain != "" && named(o.EnvelopeDomain) {
			parts[0] += " for " + short(o.EnvelopeDomain)
		}
	}
	if o.SPFHelo == "fail" || o.SPFHelo == "softfail" {
		parts = append(parts, "HELO "+o.SPFHelo)
	}
	dkim := "no DKIM"
	for i, d := range o.DKIM {
		if i == 0 || d.Result == "pass" {
			dkim = "DKIM " + d.Result
			if named(d.SDID) {
				dkim += " for " + short(d.SDID)
			}
		}
	}
	parts = append(parts, dkim)
	if o.DMARC != "" {
		text := "DMARC " + o.DMARC
		if o.Policy != "" {
			text += " (p=" + o.Policy + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// prune gives up the smaller half of the senders.
func (p *replay) prune() {
	p.pruned = true
	all := make([]*Sender, 0, len(p.senders))
	for _, s := range p.senders {
		all = append(all, s)
	}
	slices.SortFunc(all, bySize)
	for _, s := range all[len(all)/2:] {
		p.out.Others += s.Messages
		delete(p.senders, s.Domain)
	}
}

func bySize(a, b *Sender) int {
	return cmp.Or(cmp.Compare(b.Newly, a.Newly), cmp.Compare(b.Blocked, a.Blocked), cmp.Compare(b.Undecided, a.Undecided),
		cmp.Compare(b.NoLonger, a.NoLonger), strings.Compare(a.Domain, b.Domain))
}

func byCount(a, b RuleCount) int {
	return cmp.Or(cmp.Compare(b.Messages, a.Messages), strings.Compare(a.Rule, b.Rule), strings.Compare(string(a.Action), string(b.Action)))
}

func (p *replay) sum() {
	out := p.out
	for _, r := range p.rules {
		out.Rules = append(out.Rules, *r)
	}
	slices.SortFunc(out.Rules, byCount)
	all := make([]*Sender, 0, len(p.senders))
	for _, s := range p.senders {
		all = append(all, s)
	}
	slices.SortFunc(all, bySize)
	for _, s := range all {
		slices.SortFunc(s.Rules, byCount)
		if causes := causesOf(s.why); len(causes) > 0 {
			s.Why = causes[0].Text
		}
		out.Senders = append(out.Senders, *s)
	}
	for name, n := range p.lacks {
		out.Lacks = append(out.Lacks, Lack{name, n})
	}
	slices.SortFunc(out.Lacks, func(a, b Lack) int { return most(a.Messages, b.Messages, a.Name, b.Name) })
	if out.Then.Undecided > 0 {
		out.Notes = append(out.Notes, "Undecided are messages of which a rule asks what is not kept of them. gatepost policy test tries it on messages that are kept whole.")
	}
	if p.pruned {
		out.Notes = append(out.Notes, fmt.Sprintf("There are more than %d senders: those with few messages are counted together.", maxSenders))
	}
	if out.Excepted > 0 {
		out.Notes = append(out.Notes, "Messages that an exception let in would go on to be let in by it.")
	}
}
