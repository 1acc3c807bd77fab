package dashboard

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// SourceIn asks for a source of a domain's.
type SourceIn struct {
	Domain string `path:"domain" doc:"The domain's name in A-labels"`
	Source string `path:"source" maxLength:"300" doc:"An address, or the key of a source as the domain lists it"`
	Days
}

// A Source is all that is known of one.
type Source struct {
	Domain    string          `json:"domain"`
	Key       string          `json:"key"` // in the path
	Name      string          `json:"name"`
	Group     string          `json:"group"` // the key of the source that the address belongs to, where an address was asked for
	Classes   []SourceClass   `json:"classes"`
	Figures   store.Figures   `json:"figures"`
	First     time.Time       `json:"first,omitzero"`
	Last      time.Time       `json:"last,omitzero"`
	Days      []insight.Day   `json:"days"`
	Addresses []SourceAddress `json:"addresses"`

	HeaderFrom   []store.Part `json:"header_from"`
	EnvelopeFrom []store.Part `json:"envelope_from"`
	DKIM         []store.Part `json:"dkim"` // each signature's domain, selector and result
	SPF          []store.Part `json:"spf"`
	Results      []store.Part `json:"results"` // as evaluated for DMARC
	Dispositions []store.Part `json:"dispositions"`
	Reasons      []store.Part `json:"reasons"`
	Reporters    []store.Part `json:"reporters"`

	Service *SourceService `json:"service"` // null if it is none that is known
	Marks   []Mark         `json:"marks"`   // what was said of it, the one that holds first
	Marking Marking        `json:"marking"`
	Period  insight.Period `json:"period"`
	Made    Made           `json:"made"`
	may     bool           // mark it
}

// A SourceClass is what a source, or a part of it, is to the domain.
type SourceClass struct {
	Class    senders.Kind  `json:"class"`
	Messages int64         `json:"messages"`
	Passed   int64         `json:"passed"`
	New      bool          `json:"new"`
	Reason   string        `json:"reason"`
	Fault    senders.Fault `json:"fault"`
	Advice   string        `json:"advice"`
	Instead  senders.Kind  `json:"instead"` // what it would be without anybody's word
}

// A SourceAddress is one address of a source.
type SourceAddress struct {
	IP        string        `json:"ip"`        // empty where reports gave none
	PTR       string        `json:"ptr"`       // its name; empty if it has none, or nobody looked
	Confirmed bool          `json:"confirmed"` // the name leads back to the address
	Looked    bool          `json:"looked"`
	Network   string        `json:"network"`
	ASN       uint32        `json:"asn"`
	Country   string        `json:"country"`
	Class     senders.Kind  `json:"class"`
	First     time.Time     `json:"first,omitzero"`
	Last      time.Time     `json:"last,omitzero"`
	Figures   store.Figures `json:"figures"`
}

// A SourceService is a service that sends for others, with how its customers authenticate their mail.
type SourceService struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Category string           `json:"category"`
	Note     string           `json:"note"`
	Docs     string           `json:"docs"`
	Records  []insight.Record `json:"records"` // that a customer publishes; what stands in braces the service tells
	Include  string           `json:"include"` // to be added to the SPF record; empty where that would not help
}

// facts are those of a domain, and of addresses that are too small to be among them.
func (d *Desk) facts(ctx context.Context, domain, source string, p insight.Period) (*insight.Facts, Made, error) {
	at := fmt.Sprintf("%s %d", insight.Date(p.To), p.Len())
	kept, err := keep.Get(ctx, d.Answers, "domain "+domain+" facts "+at, func(ctx context.Context) (*insight.Facts, error) {
		a, err := d.asker()
		if err != nil {
			return nil, err
		}
		return a.Fetch(ctx, []string{domain}, p)
	})
	if err != nil {
		return nil, Made{}, err
	}
	ip, one := insight.AddressOf(source)
	if !one || slices.ContainsFunc(kept.Value.Domains[0].Sources, func(s insight.SourceFacts) bool { return s.IP.Unmap() == ip }) {
		return kept.Value, Made{kept.At, kept.Anew}, nil
	}
	more, err := keep.Get(ctx, d.Answers, "domain "+domain+" source "+ip.String()+" "+at, func(ctx context.Context) (*insight.Facts, error) {
		a, err := d.asker()
		if err != nil {
			return nil, err
		}
		f := *kept.Value // others read it
		f.Domains = slices.Clone(f.Domains)
		f.Domains[0].Sources = slices.Clone(f.Domains[0].Sources)
		return &f, a.More(ctx, &f, 0, []netip.Addr{ip})
	})
	return more.Value, Made{more.At, more.Anew}, err
}

// Source tells what is known of a source.
func (d *Desk) Source(ctx context.Context, who *people.Access, in *SourceIn) (*Source, error) {
	if err := d.see(ctx, in.Domain); err != nil {
		return nil, err
	}
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	f, made, err := d.facts(ctx, in.Domain, in.Source, p)
	if err != nil {
		return nil, err
	}
	of := f.Source(0, in.Source)
	if of == nil {
		return nil, fmt.Errorf("source %q of %s: %w", in.Source, in.Domain, ErrNotFound)
	}
	out := &Source{
		Domain: of.Domain, Key: in.Source, Name: of.Name, Classes: []SourceClass{}, Figures: of.Figures, First: of.First, Last: of.Last, Days: of.Days,
		Addresses: []SourceAddress{}, HeaderFrom: of.HeaderFrom, EnvelopeFrom: of.EnvelopeFrom, DKIM: of.DKIM, SPF: of.SPF, Results: of.Results,
		Dispositions: of.Dispositions, Reasons: of.Reasons, Reporters: of.Reporters, Service: service(of, in.Domain), Period: p, Made: made,
		may: who.Over(in.Domain) >= people.Analyst,
	}
	if ip, ok := insight.AddressOf(of.Key); of.Key != in.Source && (!ok || ip.String() != in.Source) {
		out.Group = of.Key
	}
	for _, c := range of.Classes {
		out.Classes = append(out.Classes, SourceClass{
			Class: c.Kind, Messages: c.Figures.Messages, Passed: c.Figures.Passed, New: c.New, Reason: c.Reason, Fault: c.Fault,
			Advice: withoutDocs(c.Advice, of.Docs), Instead: c.Overruled,
		})
	}
	for _, a := range of.Addresses {
		out.Addresses = append(out.Addresses, sourceAddress(&a))
	}
	if out.Marks, err = d.marks(ctx, of); err != nil {
		return nil, err
	}
	out.Marking = marking(of, in.Source)
	return out, nil
}

func sourceAddress(a *insight.Address) SourceAddress {
	out := SourceAddress{
		Confirmed: a.Confirmed, Looked: !a.LookedAt.IsZero(), Network: a.ASName, ASN: a.ASN, Country: a.Country, Class: a.Kind, First: a.First, Last: a.Last,
		Figures: a.Figures,
	}
	if a.IP.IsValid() {
		out.IP = a.IP.String()
	}
	if a.PTR != store.NameUnknown {
		out.PTR = a.PTR
	}
	return out
}

func service(of *insight.Source, domain string) *SourceService {
	s := of.Service
	if s == nil {
		return nil
	}
	out := &SourceService{ID: s.ID, Name: s.Name, Category: s.Category, Note: s.Note, Docs: s.Docs, Records: []insight.Record{}}
	if s.CanAlign(senders.BySPF) && mayAsk(of.SPF, domain) {
		out.Include = s.Include
	}
	for _, r := range s.HowTo(domain) {
		if r.For == "spf" { // not one to be published as it is
			continue
		}
		out.Records = append(out.Records, insight.Record{Name: r.Name, Type: r.Type, Value: r.Value})
	}
	return out
}

// mayAsk tells whether receivers may have asked the SPF record of a domain: where they are known to have asked another's, nothing in it helps.
func mayAsk(of []store.Part, domain string) bool {
	org, other := senders.OrganizationalDomain(domain), false
	for _, p := range of {
		switch {
		case p.Name == "" || p.Scope == "helo":
		case senders.OrganizationalDomain(strings.ToLower(p.Name)) == org:
			return true
		default:
			other = true
		}
	}
	return !other
}

// scope says what SPF was asked about.
func scope(s string) string {
	switch s {
	case "mfrom":
		return "envelope"
	case "helo":
		return "HELO"
	}
	return s
}

// Title is the source's name.
func (s *Source) Title() string { return s.Name }

// Crumbs lead to the domain.
func (s *Source) Crumbs() []Crumb {
	return []Crumb{{"Domains", "/domains"}, {s.Domain, "/domains/" + s.Domain}}
}

// Again is when it is worth looking again: when the classes are of before the last word on it.
func (s *Source) Again() int {
	if s.Made.Anew && slices.ContainsFunc(s.Marks, func(m Mark) bool { return m.At.After(s.Made.At) }) {
		return 2
	}
	return 0
}

// May tells whether who looks may say whose the source is.
func (s *Source) May() bool { return s.may }

// Trend is the picture of the days.
func (s *Source) Trend() chart.Trend { return chart.Trend{ID: "trend", Days: s.Days} }

// A PartList is what the messages of a source have in common, of one kind.
type PartList struct {
	Name, Title string
	Columns     []string
	Rows        [][]string
	Parts       []store.Part
}

// Parts are the lists of what reports say of the source.
func (s *Source) Parts() []PartList {
	lists := []struct {
		name, title string
		parts       []store.Part
		columns     []string
		row         func(store.Part) []string
	}{
		{"header-from", "From addresses are of", s.HeaderFrom, []string{"Domain"}, func(p store.Part) []string { return []string{p.Name} }},
		{"envelope-from", "Envelope senders are of", s.EnvelopeFrom, []string{"Domain"}, func(p store.Part) []string { return []string{p.Name} }},
		{"dkim", "DKIM signatures", s.DKIM, []string{"Domain", "Selector", "Result"}, func(p store.Part) []string { return []string{p.Name, p.Selector, p.Result} }},
		{"spf", "SPF", s.SPF, []string{"Domain", "Of", "Result"}, func(p store.Part) []string { return []string{p.Name, scope(p.Scope), p.Result} }},
		{"results", "As counted for DMARC", s.Results, []string{"DKIM", "SPF"}, func(p store.Part) []string { return []string{p.DKIM, p.SPF} }},
		{"dispositions", "What receivers did", s.Dispositions, []string{"Disposition"}, func(p store.Part) []string { return []string{p.Name} }},
		{"reasons", "Why they did otherwise than the policy asks", s.Reasons, []string{"Reason"}, func(p store.Part) []string { return []string{p.Name} }},
		{"reporters", "Who reported it", s.Reporters, []string{"Reporter"}, func(p store.Part) []string { return []string{p.Name} }},
	}
	all := make([]PartList, 0, len(lists))
	for _, l := range lists {
		list := PartList{Name: l.name, Title: l.title, Columns: l.columns, Parts: l.parts}
		for _, p := range l.parts {
			list.Rows = append(list.Rows, l.row(p))
		}
		all = append(all, list)
	}
	return all
}

// Tables has what the page lists.
func (s *Source) Tables() []Table {
	all := []Table{dayTable(s.Days), {
		Name: "addresses", Columns: slices.Concat([]string{"address", "name", "confirmed", "network", "asn", "country", "class"}, figuresColumns),
		Rows: func(yield func([]string) bool) {
			for _, a := range s.Addresses {
				confirmed := ""
				if a.Confirmed {
					confirmed = "yes"
				}
				if !yield(slices.Concat([]string{a.IP, a.PTR, confirmed, a.Network, count(int64(a.ASN)), a.Country, string(a.Class)}, figuresOf(a.Figures))) {
					return
				}
			}
		},
	}}
	for _, l := range s.Parts() {
		all = append(all, Table{Name: l.Name, Columns: append(slices.Clone(l.Columns), "messages", "passed"), Rows: func(yield func([]string) bool) {
			for i, row := range l.Rows {
				if !yield(append(slices.Clone(row), count(l.Parts[i].Messages), count(l.Parts[i].Passed))) {
					return
				}
			}
		}})
	}
	return all
}
