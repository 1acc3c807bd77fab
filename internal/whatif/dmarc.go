package whatif

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A DMARCChange is a policy that a domain might publish. What is empty stays as it is published.
type DMARCChange struct {
	Domain     string
	Period     insight.Period
	Policy     dmarc.Disposition // p
	Subdomains dmarc.Disposition // sp
	DKIM, SPF  string            // adkim and aspf: r or s
}

// DMARC is what a policy would do to the messages of a period, had it been published throughout.
type DMARC struct {
	Domain     string         `json:"domain"`
	Period     insight.Period `json:"period"`
	Now        string         `json:"now"` // the record as it is published; empty without one
	Record     insight.Record `json:"record"`
	Messages   int64          `json:"messages"`
	Passing    int64          `json:"passing"` // that pass, and would go on to
	Lost       Kinds          `json:"lost"`    // that fail, and that the policy would have quarantined or rejected
	Already    int64          `json:"already"` // of the lost, those that reporters quarantined or rejected as it is
	Broken     int64          `json:"broken"`  // of the lost, those that pass as it is, and would not by the new alignment
	Mended     int64          `json:"mended"`  // that fail as it is, and would pass by it
	Spared     int64          `json:"spared"`  // that fail, and for which the policy asks for nothing
	Undecided  int64          `json:"undecided"`
	Sources    []Loser        `json:"sources"` // those that lose messages, the domain's own first, and the most lost
	Confidence Confidence     `json:"confidence"`
	Notes      []string       `json:"notes"`
}

// A Loser is a source of which messages would be lost.
type Loser struct {
	Key       string       `json:"key"`
	Name      string       `json:"name"`
	Kind      senders.Kind `json:"kind"`
	IPs       []netip.Addr `json:"ips"`
	Messages  int64        `json:"messages"`
	Lost      int64        `json:"lost"`
	Already   int64        `json:"already"`
	Undecided int64        `json:"undecided"`
	Why       string       `json:"why"`    // why it is thought to be what it is
	Causes    []Cause      `json:"causes"` // of the lost
	Mend      string       `json:"mend"`
	Docs      string       `json:"docs"`
}

// Own tells whether the source is the domain's own.
func (l *Loser) Own() bool { return l.Kind == senders.Passing || l.Kind == senders.Misconfigured }

// DMARC answers what would be lost by a policy. It wraps [ErrNoReports] and [ErrDNS].
func (a *Asker) DMARC(ctx context.Context, c DMARCChange) (*DMARC, error) {
	f, err := a.Insight.Fetch(ctx, []string{c.Domain}, c.Period)
	if err != nil {
		return nil, err
	}
	d := &f.Domains[0]
	if d.First.IsZero() {
		return nil, fmt.Errorf("%s: %w", c.Domain, ErrNoReports)
	}
	if !d.Published.Known {
		return nil, fmt.Errorf("%s: its DMARC record: %w", c.Domain, ErrDNS)
	}
	ips, err := a.failingMost(ctx, c.Domain, c.Period)
	if err != nil {
		return nil, err
	}
	if err := a.Insight.More(ctx, f, 0, ips); err != nil {
		return nil, err
	}
	sum := f.Sum().Domains[0]
	t := &trial{change: c, out: &DMARC{Domain: c.Domain, Period: c.Period, Messages: sum.Now.Messages, Sources: []Loser{}, Notes: []string{},
		Confidence: confidence(&sum, d, c.Period)}, by: map[netip.Addr]*tried{}}
	if err := t.write(d); err != nil {
		return nil, err
	}
	t.world(a)
	all, err := a.Store.Alike(ctx, a.question(c.Domain, c.Period), addresses(d.Sources), 0)
	if err != nil {
		return nil, err
	}
	for i := range all {
		t.try(ctx, &all[i])
	}
	t.sum(ctx, &sum)
	return t.out, nil
}

func addresses(all []insight.SourceFacts) (ips []netip.Addr) {
	for i := range all {
		ips = append(ips, all[i].IP)
	}
	return ips
}

// A trial is one change being tried.
type trial struct {
	change DMARCChange
	out    *DMARC
	names  *names
	by     map[netip.Addr]*tried
}

// tried is what becomes of the messages of one source.
type tried struct {
	seen                                              int64 // that were looked at
	failed                                            int64 // of them, as it is
	passing, lost, already, broken, mended, undecided int64
	spared                                            int64
	causes                                            map[string]int64
}

// write makes the record that would be published, by an edit of the one that is.
func (t *trial) write(d *insight.DomainFacts) error {
	p := d.Published
	record, at := "v=DMARC1; p=none", d.Name
	switch {
	case p.Record != nil && p.At == d.Name:
		record, t.out.Now = p.Record.Text, p.Record.Text
	case p.Record != nil:
		t.note("As it is, the policy that holds for %s is the one at _dmarc.%s. The record below would be its own.", d.Name, p.At)
	case p.Problem != "":
		t.note("The record that is published cannot be used: %s. The one below would take its place.", strings.TrimSuffix(p.Problem, "."))
	default:
		t.note("No DMARC record is published.")
	}
	if t.out.Now == "" && d.Rua != "" {
		record += "; rua=mailto:" + d.Rua
	}
	for _, set := range [][2]string{{"p", string(t.change.Policy)}, {"sp", string(t.change.Subdomains)}, {"adkim", t.change.DKIM}, {"aspf", t.change.SPF}} {
		if set[1] == "" {
			continue
		}
		var err error
		if record, err = dmarc.Set(record, set[0], set[1]); err != nil {
			return err
		}
	}
	t.out.Record = insight.Record{Name: "_dmarc." + at, Type: "TXT", Value: record}
	r, err := dmarc.Parse(record)
	if err != nil {
		return err
	}
	if r.Testing {
		t.note("The record has t=y, so that receivers do one step less than it asks for; this is counted as they would.")
	}
	return nil
}

func (t *trial) note(format string, args ...any) {
	t.out.Notes = append(t.out.Notes, fmt.Sprintf(format, args...))
}

// world is DNS as it would be.
func (t *trial) world(a *Asker) {
	change := publish.Change{Name: t.out.Record.Name, Type: "TXT", New: t.out.Record.Value}
	t.names = newNames(only{a.Insight.DNS, change}, a.Insight.Method, t.change.Domain)
}

// try holds some messages against the policy.
func (t *trial) try(ctx context.Context, m *store.Alike) {
	s := t.by[m.IP]
	if s == nil {
		s = &tried{causes: map[string]int64{}}
		t.by[m.IP] = s
	}
	n := m.Messages
	s.seen += n
	passes := m.Passes()
	if !passes {
		s.failed += n
	}
	now, known := t.passes(ctx, m)
	if known && now {
		s.passing += n
		if !passes {
			s.mended += n
		}
		return
	}
	does, sure := t.names.does(ctx, m.HeaderFrom)
	switch {
	case sure && does == dmarc.DispositionNone:
		if passes {
			s.passing += n
		} else {
			s.spared += n
		}
	case !known || !sure:
		s.undecided += n
	default:
		s.lost += n
		if passes {
			s.broken += n
		}
		if m.Disposition == "quarantine" || m.Disposition == "reject" {
			s.already += n
		}
		s.causes[t.names.cause(ctx, m)] += n
	}
}

// passes tells whether messages would pass, as far as reporters tell. Their word holds where the alignment stays as it is.
func (t *trial) passes(ctx context.Context, m *store.Alike) (passes, known bool) {
	dkim, dkimKnown := t.mean(ctx, m, t.change.DKIM, m.DKIM == "pass", signers(m))
	spf, spfKnown := t.mean(ctx, m, t.change.SPF, m.SPF == "pass", envelopes(m))
	return dkim || spf, dkim && dkimKnown || spf && spfKnown || dkimKnown && spfKnown
}

// mean evaluates one means anew by the domains that passed, where the record asks for another alignment.
func (t *trial) mean(ctx context.Context, m *store.Alike, mode string, passed bool, domains []string) (passes, known bool) {
	switch {
	case mode == "" || mode == "r" && passed:
		return passed, true // what was aligned strictly is so relaxedly
	case mode == "s" && !passed:
		return false, true
	case mode == "s":
		return slices.Contains(domains, m.HeaderFrom), len(domains) > 0
	}
	for _, d := range domains {
		switch aligned, sure := t.names.aligned(ctx, m.HeaderFrom, d); {
		case !sure:
			return false, false
		case aligned:
			return true, true
		}
	}
	return false, true
}

// signers are the domains whose signatures passed.
func signers(m *store.Alike) (all []string) {
	for _, d := range m.AuthDKIM {
		if d.Result == "pass" {
			all = append(all, d.Domain)
		}
	}
	return all
}

// envelopes are the domains for which SPF passed: of MAIL FROM, or of HELO where that alone was evaluated, as it is for a null reverse-path.
func envelopes(m *store.Alike) []string {
	var from, helo []string
	mailFrom := false
	for _, s := range m.AuthSPF {
		switch {
		case s.Scope != "helo":
			mailFrom = true
			if s.Result == "pass" {
				from = append(from, s.Domain)
			}
		case s.Result == "pass":
			helo = append(helo, s.Domain)
		}
	}
	if mailFrom {
		return from
	}
	return helo
}

// sum puts the sources together as people know them.
func (t *trial) sum(ctx context.Context, sum *insight.Domain) {
	out := t.out
	does, _ := t.names.does(ctx, t.change.Domain)
	for i := range sum.Groups {
		l := t.loser(&sum.Groups[i], does)
		out.Lost.add(l.Kind, l.Lost)
		out.Already += l.Already
		out.Undecided += l.Undecided
		if l.Lost+l.Undecided > 0 {
			out.Sources = append(out.Sources, l)
		}
	}
	if others := sum.Others; does == dmarc.DispositionNone {
		out.Spared += others.Failed()
	} else {
		out.Lost.addSmall(others.Failed())
		out.Already += min(others.Failed(), others.Quarantined+others.Rejected)
	}
	if t.stricter() {
		out.Undecided += sum.Others.Passed
	} else {
		out.Passing += sum.Others.Passed
	}
	sortLosers(out.Sources)
	switch {
	case t.names.failed:
		t.note("DNS did not answer for every domain: what depends on it is counted as undecided.")
	case t.names.crowded:
		t.note("There are very many Author Domains: only %d of them were asked for a policy of their own.", maxNames)
	}
	if out.Lost.Messages > 0 {
		t.note("This is the most that would be lost: receivers may spare what they know to be forwarded.")
	}
}

// stricter tells whether what passes as it is may fail.
func (t *trial) stricter() bool { return t.change.DKIM == "s" || t.change.SPF == "s" }

// loser is what becomes of a group's messages. A source may have more kinds of messages than were looked at; of the rest is known whether
// they passed.
func (t *trial) loser(g *insight.Group, does dmarc.Disposition) Loser {
	l := Loser{Key: g.Key, Name: g.Name, Kind: g.Class.Kind, IPs: []netip.Addr{}, Messages: g.Messages, Why: g.Class.Reason, Mend: g.Class.Advice,
		Docs: g.Docs}
	counted := map[string]int64{}
	passed, failed := g.Passed, g.Failed()
	for _, ip := range g.IPs {
		s := t.by[ip]
		if s == nil {
			continue
		}
		passed, failed = passed-(s.seen-s.failed), failed-s.failed
		l.Lost += s.lost
		l.Already += s.already
		l.Undecided += s.undecided
		t.out.Passing += s.passing
		t.out.Broken += s.broken
		t.out.Mended += s.mended
		t.out.Spared += s.spared
		for text, n := range s.causes {
			counted[text] += n
		}
		if s.lost+s.undecided > 0 {
			l.IPs = append(l.IPs, ip)
		}
	}
	passed, failed = max(0, passed), max(0, failed) // reports go on coming between two questions
	switch {
	case does == dmarc.DispositionNone:
		t.out.Spared += failed
	default:
		l.Lost += failed
	}
	if t.stricter() {
		l.Undecided += passed
	} else {
		t.out.Passing += passed
	}
	l.Causes = causesOf(counted)
	return l
}

func sortLosers(all []Loser) {
	rank := func(l *Loser) int {
		return slices.Index([]senders.Kind{senders.Misconfigured, senders.Passing, senders.Forwarded, senders.Unclear, senders.Abuse}, l.Kind)
	}
	slices.SortFunc(all, func(a, b Loser) int {
		ra, rb := max(rank(&a), 1), max(rank(&b), 1) // the domain's own together
		if ra != rb {
			return ra - rb
		}
		return most(a.Lost, b.Lost, a.Key, b.Key)
	})
}
