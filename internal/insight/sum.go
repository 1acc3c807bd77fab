package insight

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Sum makes the answer. It is the same for the same facts.
func (f *Facts) Sum() *Answer {
	a := &Answer{Period: f.Period}
	for i := range f.Domains {
		d := f.domain(&f.Domains[i])
		a.Now.Add(d.Now)
		a.Before.Add(d.Before)
		if a.Days == nil {
			a.Days = slices.Clone(d.Days)
		} else {
			for n := range d.Days {
				a.Days[n].add(d.Days[n])
			}
		}
		a.Domains = append(a.Domains, d)
	}
	return a
}

func (d *Day) add(o Day) {
	d.Passed += o.Passed
	d.Forwarded += o.Forwarded
	d.Misconfigured += o.Misconfigured
	d.Unknown += o.Unknown
	d.Abuse += o.Abuse
}

func within(days []store.DayFigures, p Period) (sum store.Figures) {
	for _, d := range days {
		if p.Has(d.Day) {
			sum.Add(d.Figures)
		}
	}
	return sum
}

func (f *Facts) domain(d *DomainFacts) Domain {
	out := Domain{Name: d.Name, First: d.First, Last: d.Last}
	out.Now, out.Before = within(d.Days, f.Period), within(d.Days, f.Period.Before())
	kinds := map[netip.Addr]senders.Kind{}
	out.Groups = f.groups(d, kinds)
	out.Others = out.Now
	for i := range d.Sources {
		minus(&out.Others, d.Sources[i].Figures)
	}
	out.Days = f.days(d, kinds)
	out.Effect = effect(&out)
	out.Reporters, out.Silent = f.reporters(d)
	out.Policy = policy(d)
	out.Next = f.next(d, &out)
	return out
}

// minus leaves nothing below zero: figures are fetched one after the other, while reports go on coming.
func minus(from *store.Figures, f store.Figures) {
	less := func(a *int64, b int64) { *a = max(0, *a-b) }
	less(&from.Messages, f.Messages)
	less(&from.Passed, f.Passed)
	less(&from.DKIM, f.DKIM)
	less(&from.SPF, f.SPF)
	less(&from.Quarantined, f.Quarantined)
	less(&from.Rejected, f.Rejected)
}

// groups classes each source, and puts together what is one thing to a person. The class of a group is that of all its evidence
// together, where that is what its sources are each.
func (f *Facts) groups(d *DomainFacts, kinds map[netip.Addr]senders.Kind) []Group {
	j := newJudge(d, f.Period.Len())
	type part struct {
		name    string
		sources []*SourceFacts
		classes []senders.Class
	}
	parts := map[[2]string]*part{}
	for i := range d.Sources {
		s := &d.Sources[i]
		if s.Messages == 0 {
			continue
		}
		class := senders.Classify(j.source([]*SourceFacts{s}))
		kinds[s.IP] = class.Kind
		key, name := group(s)
		at := [2]string{key, string(class.Kind)}
		if parts[at] == nil {
			parts[at] = &part{name: name}
		}
		parts[at].sources = append(parts[at].sources, s)
		parts[at].classes = append(parts[at].classes, class)
	}
	earlier := newJudge(d, f.Trend.Len())
	for i := range d.Earlier {
		if s := &d.Earlier[i]; kinds[s.IP] == "" {
			kinds[s.IP] = senders.Classify(earlier.source([]*SourceFacts{s})).Kind
		}
	}
	all := []*Group{}
	for at, p := range parts {
		g := &Group{Domain: d.Name, Key: at[0], Name: p.name, Class: p.classes[0]}
		if len(p.sources) > 1 {
			if class := senders.Classify(j.source(p.sources)); class.Kind == g.Class.Kind {
				g.Class = class
			}
		}
		if s := p.sources[0].Match.Service; s != nil && g.Key == "service:"+s.ID {
			g.Docs = s.Docs
		}
		for _, s := range p.sources {
			g.Figures.Add(s.Figures)
			g.Week.Add(within(s.Days, f.Period.Last(7)))
			g.WeekBefore.Add(within(s.Days, Period{f.Period.To.AddDate(0, 0, -13), f.Period.To.AddDate(0, 0, -7)}))
			g.IPs = append(g.IPs, s.IP)
			if !s.First.IsZero() && (g.First.IsZero() || s.First.Before(g.First)) {
				g.First = s.First
			}
		}
		g.New = !g.First.IsZero() && f.Period.Has(g.First) && d.First.Before(f.Period.From)
		all = append(all, g)
	}
	sortGroups(all)
	groups := []Group{}
	for _, g := range all {
		groups = append(groups, *g)
	}
	return groups
}

func sortGroups(all []*Group) {
	slices.SortFunc(all, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Class.Kind, b.Class.Kind),
			cmp.Compare(a.Domain, b.Domain))
	})
}

// days tell of each day of the trend how its messages fared. What failed from sources that were not looked at is unknown.
func (f *Facts) days(d *DomainFacts, kinds map[netip.Addr]senders.Kind) []Day {
	days := make([]Day, f.Trend.Len())
	at := func(day time.Time) *Day {
		if !f.Trend.Has(day) {
			return nil
		}
		return &days[int(day.Sub(f.Trend.From)/oneDay)]
	}
	for i := range days {
		days[i].Day = f.Trend.From.AddDate(0, 0, i)
	}
	for _, figures := range d.Days {
		if day := at(figures.Day); day != nil {
			day.Passed, day.Unknown = figures.Passed, figures.Failed()
		}
	}
	for _, list := range [][]SourceFacts{d.Sources, d.Earlier} {
		for i := range list {
			s := &list[i]
			for _, figures := range s.Days {
				day := at(figures.Day)
				if day == nil {
					continue
				}
				n := min(figures.Failed(), day.Unknown)
				switch kinds[s.IP] {
				case senders.Forwarded:
					day.Forwarded += n
				case senders.Misconfigured, senders.Passing:
					day.Misconfigured += n
				case senders.Abuse:
					day.Abuse += n
				default:
					continue
				}
				day.Unknown -= n
			}
		}
	}
	return days
}

func effect(d *Domain) Effect {
	e := Effect{Quarantined: d.Now.Quarantined, Rejected: d.Now.Rejected}
	e.Delivered = max(0, d.Now.Failed()-e.Quarantined-e.Rejected)
	for i := range d.Groups {
		g := &d.Groups[i]
		switch n := g.Quarantined + g.Rejected; {
		case g.Own():
			e.Own += n
		case g.Class.Kind == senders.Forwarded:
			e.Forwarded += n
		}
	}
	return e
}

// When a reporter is regular, and when it is silent.
const (
	regularReports = 4
	regularEvery   = 8 * oneDay // a weekly report, and a day's leeway
	silentFor      = 4          // times its usual interval
	silentNews     = 30 * oneDay
	silentAtLeast  = 4 * oneDay // over a weekend nobody writes, and a report may be a day late
)

// reporters tells who reported in the period, and who used to and does not any more. How often one uses to is the mean of the time in
// which it did.
func (f *Facts) reporters(d *DomainFacts) (all, silent []Reporter) {
	all, silent = []Reporter{}, []Reporter{}
	usually := map[string]time.Duration{}
	end := f.Period.To.AddDate(0, 0, 1)
	for _, r := range d.Usual {
		every := r.End.Sub(r.Begin) / time.Duration(max(1, r.Reports))
		usually[r.Reporter] = every
		// Several reports of one day, as some send, are no shorter interval than that day.
		every = max(every, oneDay)
		regular := r.Reports >= regularReports && every <= regularEvery && r.End.Sub(r.Begin) >= regularReports*oneDay
		since := r.End.Add(max(silentAtLeast, silentFor*every))
		if regular && end.After(since) && end.Sub(since) < silentNews {
			silent = append(silent, Reporter{Name: r.Reporter, Reports: r.Reports, Messages: r.Messages, Last: r.End, Usual: every, Since: since})
		}
	}
	for _, r := range d.Reporters {
		all = append(all, Reporter{Name: r.Reporter, Reports: r.Reports, Messages: r.Messages, Last: r.End, Usual: max(oneDay, usually[r.Reporter])})
	}
	slices.SortFunc(all, func(a, b Reporter) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(silent, func(a, b Reporter) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name)) })
	return all, silent
}
