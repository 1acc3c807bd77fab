package insight

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/spf"
)

// An Asker fetches what there is to know. It may be used by several goroutines.
type Asker struct {
	Store    Store
	Table    *senders.Table             // none if nil: sources go by their names
	DNS      dns.Resolver               // nil: nothing is asked, and what is published is not known
	Method   dmarc.Method               // by which policies are found
	Networks []netip.Prefix             // which the administrator calls his own
	Verified bool                       // figures without reports that are not verified
	Trend    int                        // days of the trend, and no fewer than those of the period
	Rua      func(domain string) string // the address that reports of a domain are to be sent to; may be nil
}

// How much is looked at.
const (
	lookedAt     = 100 // sources of a domain in detail
	lookedBefore = 50  // sources that failed in the trend before the period
	judged       = 30  // days by which the next step is judged
	usual        = 90  // days by which is known how reporters use to report

	dnsTime = 10 * time.Second // that DNS is asked about one domain
)

// Facts are what there is to know of some domains and a period.
type Facts struct {
	Period, Trend Period
	Domains       []DomainFacts
}

// DomainFacts are what there is to know of one.
type DomainFacts struct {
	Name        string
	First, Last time.Time          // days that any report is about; zero if none is
	Days        []store.DayFigures // of the period and all before it that something is judged by
	Sources     []SourceFacts      // of the period, the most messages first
	Earlier     []SourceFacts      // those that failed in the trend before the period
	Reporters   []store.ReporterInfo
	Usual       []store.ReporterInfo // of the days before the period's end
	Policies    []store.PolicySeen   // likewise
	Published   Published
	Marks       []store.SourceMark // of the domain and of all
	Networks    []netip.Prefix
	Services    []string // ids of those in its SPF record
	Rua         string   // where its reports are to be sent; may be empty
}

// SourceFacts are what there is to know of one address.
type SourceFacts struct {
	store.SourceDetail
	Address    store.Address // zero if nobody looked yet
	Match      senders.Match
	Authorised senders.Answer // by the SPF record
}

// Published is what DNS says now.
type Published struct {
	Known   bool
	At      string // the Policy Domain; empty without a record
	Record  *dmarc.Record
	Applies dmarc.Disposition
	Problem string
}

// Ask fetches and sums up.
func (a *Asker) Ask(ctx context.Context, domains []string, p Period) (*Answer, error) {
	f, err := a.Fetch(ctx, domains, p)
	if err != nil {
		return nil, err
	}
	return f.Sum(), nil
}

// Fetch fetches what there is to know. What DNS does not tell is no error.
func (a *Asker) Fetch(ctx context.Context, domains []string, p Period) (*Facts, error) {
	f := &Facts{Period: p, Trend: p.Last(max(a.Trend, p.Len()))}
	ever, err := a.Store.Domains(ctx, store.Question{Domains: domains, Verified: a.Verified})
	if err != nil {
		return nil, err
	}
	for _, name := range domains {
		d := DomainFacts{Name: name, Networks: a.Networks}
		if i := slices.IndexFunc(ever, func(e store.DomainFigures) bool { return e.Domain == name }); i >= 0 {
			d.First, d.Last = ever[i].First, ever[i].Last
		}
		if a.Rua != nil {
			d.Rua = a.Rua(name)
		}
		if err := a.fetch(ctx, f, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		f.Domains = append(f.Domains, d)
	}
	return f, nil
}

func (a *Asker) fetch(ctx context.Context, f *Facts, d *DomainFacts) (err error) {
	asked, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	q := func(p Period) store.Question {
		return store.Question{Domains: []string{d.Name}, From: p.From, To: p.To, Verified: a.Verified}
	}
	longest := f.Period.Last(max(f.Period.Len()*2, f.Trend.Len(), judged))
	if d.Days, err = a.Store.ReportDays(ctx, q(longest)); err != nil {
		return err
	}
	if d.Reporters, err = a.Store.Reporters(ctx, q(f.Period)); err != nil {
		return err
	}
	if d.Usual, err = a.Store.Reporters(ctx, q(f.Period.Last(usual))); err != nil {
		return err
	}
	if d.Policies, err = a.Store.Policies(ctx, q(f.Period.Last(max(judged, f.Period.Len())))); err != nil {
		return err
	}
	if err := a.marks(ctx, d); err != nil {
		return err
	}
	a.published(asked, d)
	a.services(asked, d)
	if err := a.sources(ctx, asked, q(f.Period), d); err != nil {
		return err
	}
	if f.Trend.Len() > f.Period.Len() {
		return a.earlier(ctx, asked, q(Period{f.Trend.From, f.Period.From.AddDate(0, 0, -1)}), d)
	}
	return nil
}

// marks fetches what administrators said of sources, for the domain and for all.
func (a *Asker) marks(ctx context.Context, d *DomainFacts) error {
	for _, name := range []string{d.Name, ""} {
		marks, err := a.Store.Marks(ctx, name)
		if err != nil {
			return err
		}
		for _, m := range marks {
			if m.Domain == name { // no name asks for those of all domains, each its own
				d.Marks = append(d.Marks, m)
			}
		}
	}
	return nil
}

// sources fetches those of the period: the largest, and those that are new.
func (a *Asker) sources(ctx, asked context.Context, q store.Question, d *DomainFacts) error {
	top, err := a.Store.TopSources(ctx, q, lookedAt)
	if err != nil {
		return err
	}
	fresh, err := a.Store.NewSources(ctx, q, lookedAt/4)
	if err != nil {
		return err
	}
	for _, s := range fresh {
		if !slices.ContainsFunc(top, func(t store.SourceFigures) bool { return t.IP == s.IP }) {
			top = append(top, s)
		}
	}
	d.Sources, err = a.look(ctx, asked, q, d, top)
	return err
}

// earlier fetches those that failed before the period, to tell of the trend whose they were.
func (a *Asker) earlier(ctx, asked context.Context, q store.Question, d *DomainFacts) error {
	top, err := a.Store.TopSources(ctx, q, 0)
	if err != nil {
		return err
	}
	top = slices.DeleteFunc(top, func(s store.SourceFigures) bool { return s.Failed() == 0 })
	slices.SortFunc(top, func(a, b store.SourceFigures) int {
		return cmp.Or(cmp.Compare(b.Failed(), a.Failed()), a.IP.Compare(b.IP))
	})
	d.Earlier, err = a.look(ctx, asked, q, d, top[:min(len(top), lookedBefore)])
	return err
}

// look fetches all that is known of some sources. DNS is given the time that asked has.
func (a *Asker) look(ctx, asked context.Context, q store.Question, d *DomainFacts, of []store.SourceFigures) ([]SourceFacts, error) {
	var ips []netip.Addr
	for _, s := range of {
		if s.IP.IsValid() {
			ips = append(ips, s.IP)
		}
	}
	addresses, err := a.Store.Addresses(ctx, ips)
	if err != nil {
		return nil, err
	}
	found := map[netip.Addr]store.Address{}
	for _, at := range addresses {
		found[at.IP] = at
	}
	var all []SourceFacts
	for _, s := range of {
		detail, err := a.Store.Source(ctx, q, s.IP)
		if err != nil {
			return nil, err
		}
		facts := SourceFacts{SourceDetail: detail, Address: found[s.IP]}
		if a.Table != nil {
			facts.Match = a.Table.Recognise(evidence(&facts))
		}
		facts.Authorised = a.authorised(asked, d.Name, s.IP)
		all = append(all, facts)
	}
	return all, nil
}

// More looks at some sources of a domain as well, by its place in the facts. Those that are there already stay as they are.
func (a *Asker) More(ctx context.Context, f *Facts, domain int, ips []netip.Addr) error {
	asked, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	d := &f.Domains[domain]
	known := map[netip.Addr]bool{}
	for i := range d.Sources {
		known[d.Sources[i].IP] = true
	}
	var fresh []store.SourceFigures
	for _, ip := range ips {
		if !known[ip] {
			known[ip] = true
			fresh = append(fresh, store.SourceFigures{IP: ip})
		}
	}
	q := store.Question{Domains: []string{d.Name}, From: f.Period.From, To: f.Period.To, Verified: a.Verified}
	found, err := a.look(ctx, asked, q, d, fresh)
	d.Sources = append(d.Sources, found...)
	return err
}

// evidence is what tells the service of a source. Only what passed and names that are confirmed are proof.
func evidence(s *SourceFacts) senders.Evidence {
	e := senders.Evidence{IP: s.IP}
	if s.Address.Confirmed {
		e.PTR = []string{s.Address.PTR}
	}
	for _, p := range s.DKIM {
		if p.Result == "pass" {
			e.DKIM = append(e.DKIM, p.Name)
		}
	}
	for _, p := range s.SPF {
		if p.Result == "pass" && p.Scope != "helo" && e.SPF == "" {
			e.SPF = p.Name
		}
	}
	if len(s.EnvelopeFrom) > 0 {
		e.Envelope = s.EnvelopeFrom[0].Name
		if _, domain, ok := strings.Cut(e.Envelope, "@"); ok {
			e.Envelope = domain
		}
	}
	return e
}

// published asks DNS for the policy.
func (a *Asker) published(ctx context.Context, d *DomainFacts) {
	if a.DNS == nil {
		return
	}
	p := dmarc.Discover(ctx, a.DNS, d.Name, dmarc.Options{Method: a.Method})
	switch code := p.Evaluate(ctx, dmarc.Identifiers{}).Code; {
	case code == dmarc.TempError:
		d.Published.Problem = "DNS did not answer"
	case p.Record == nil && p.Err != nil:
		d.Published = Published{Known: true, At: d.Name, Problem: p.Err.Error()}
	default:
		d.Published = Published{Known: true, At: p.PolicyDomain, Record: p.Record, Applies: p.Applicable}
	}
}

// services asks DNS which services are in the SPF record.
func (a *Asker) services(ctx context.Context, d *DomainFacts) {
	if a.DNS == nil || a.Table == nil {
		return
	}
	answer, err := a.DNS.Lookup(ctx, d.Name, dns.TypeTXT)
	if err != nil {
		return
	}
	for _, txt := range answer.TXT {
		terms := strings.Fields(strings.ToLower(txt))
		if len(terms) == 0 || terms[0] != "v=spf1" {
			continue
		}
		for _, term := range terms[1:] {
			include, ok := strings.CutPrefix(strings.TrimLeft(term, "+?~-"), "include:")
			if !ok {
				continue
			}
			if s := a.Table.Include(include); s != nil && !slices.Contains(d.Services, s.ID) {
				d.Services = append(d.Services, s.ID)
			}
		}
	}
}

// authorised asks whether the domain's SPF record lists an address.
func (a *Asker) authorised(ctx context.Context, domain string, ip netip.Addr) senders.Answer {
	if a.DNS == nil || !ip.IsValid() || ctx.Err() != nil {
		return senders.Unknown
	}
	switch spf.Check(ctx, a.DNS, spf.Query{IP: ip, Helo: domain, MailFrom: "postmaster@" + domain}).Code {
	case spf.Pass:
		return senders.Yes
	case spf.Fail, spf.SoftFail, spf.Neutral:
		return senders.No
	}
	return senders.Unknown
}
