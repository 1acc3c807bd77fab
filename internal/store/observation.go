package store

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// An Observation is a Decision without what is special about the one message: messages with the same Observation are counted. It
// holds what a row of an aggregate report needs (RFC 9990 2.1).
type Observation struct {
	Day            time.Time   `json:"day"` // 00:00 UTC
	AuthorDomain   string      `json:"author_domain"`
	EnvelopeDomain string      `json:"envelope_domain"`
	HeloDomain     string      `json:"helo_domain"`
	SourceIP       netip.Addr  `json:"source_ip,omitzero"`
	SPF            string      `json:"spf"`      // of MAIL FROM
	SPFHelo        string      `json:"spf_helo"` // of HELO
	DKIM           []Signature `json:"dkim"`     // sorted, each once
	ARC            string      `json:"arc"`
	DMARC          string      `json:"dmarc"`
	PolicyDomain   string      `json:"policy_domain"`
	Policy         string      `json:"policy"`
	Disposition    string      `json:"disposition"`
	Record         string      `json:"record"`
	AlignedSPF     bool        `json:"aligned_spf"`
	AlignedDKIM    bool        `json:"aligned_dkim"`
	Verdict        string      `json:"verdict"`
	Rule           string      `json:"rule"`
	Mode           string      `json:"mode"`
	Done           string      `json:"done"`
	Folded         int64       `json:"folded,omitempty"` // how much was given up for want of room, as Fold says
}

// A Count is how many messages had one Observation.
type Count struct {
	Observation
	Count int64 `json:"count"`
}

// Observe gives what is counted of a decision. What should be a domain and is none is [Invalid], lest each be a row.
func Observe(d *Decision) Observation {
	o := Observation{
		Day: day(d.Time), AuthorDomain: name(d.AuthorDomain), EnvelopeDomain: name(d.EnvelopeDomain), HeloDomain: name(d.Helo), SourceIP: d.ClientIP,
		DKIM: named(d.DKIM), ARC: d.ARC, DMARC: d.DMARC, PolicyDomain: d.PolicyDomain, Policy: d.Policy, Disposition: d.Disposition,
		Record: d.Record, AlignedSPF: d.AlignedSPF, AlignedDKIM: d.AlignedDKIM, Verdict: d.Verdict, Rule: d.Rule, Mode: d.Mode, Done: d.Done,
	}
	for _, s := range d.SPF {
		switch s.Identity {
		case "mailfrom":
			o.SPF = s.Result
		case "helo":
			o.SPFHelo = s.Result
		}
	}
	return o
}

// day is the day in UTC: reports have days of UTC (RFC 9990 2.1).
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// named gives signatures by whoever could have a name.
func named(signatures []Signature) []Signature {
	all := list[Signature](min(len(signatures), maxSignatures))
	for i := range all {
		selector, _ := labels(signatures[i].Selector)
		all[i] = Signature{Result: signatures[i].Result, SDID: name(signatures[i].SDID), Selector: selector}
	}
	return canonical(all)
}

// canonical sorts signatures in place, so that the order in a header does not make two Observations of one, and keeps each once.
func canonical(signatures []Signature) []Signature {
	slices.SortFunc(signatures, func(a, b Signature) int {
		return cmp.Or(cmp.Compare(a.SDID, b.SDID), cmp.Compare(a.Selector, b.Selector), cmp.Compare(a.Result, b.Result))
	})
	return slices.Compact(signatures)
}

// fields goes through the members in an order that never changes, as a Decision's does.
func (o *Observation) fields(c *coder) {
	c.time(&o.Day)
	c.text(&o.AuthorDomain, maxDomain)
	c.text(&o.EnvelopeDomain, maxDomain)
	c.text(&o.HeloDomain, maxDomain)
	c.addr(&o.SourceIP)
	c.text(&o.SPF, maxWord)
	c.text(&o.SPFHelo, maxWord)
	c.signatures(&o.DKIM)
	c.text(&o.ARC, maxWord)
	c.text(&o.DMARC, maxWord)
	c.text(&o.PolicyDomain, maxDomain)
	c.text(&o.Policy, maxWord)
	c.text(&o.Disposition, maxWord)
	c.text(&o.Record, maxText)
	c.flag(&o.AlignedSPF)
	c.flag(&o.AlignedDKIM)
	c.text(&o.Verdict, maxWord)
	c.text(&o.Rule, maxWord)
	c.text(&o.Mode, maxWord)
	c.text(&o.Done, maxWord)
	c.number(&o.Folded)
}

// AppendBinary appends the observation. Equal ones have equal bytes. It never fails.
func (o *Observation) AppendBinary(b []byte) ([]byte, error) {
	c := coder{buf: b}
	o.fields(&c)
	return c.buf, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (o *Observation) UnmarshalBinary(b []byte) error {
	*o = Observation{}
	c := coder{rest: string(b), reading: true}
	o.fields(&c)
	return c.err
}
