package store

import (
	"cmp"
	"context"
	"database/sql"
	"net/netip"
	"slices"
)

// An Alike is messages of one source that reports tell the same of.
type Alike struct {
	IP           netip.Addr `json:"ip"`
	HeaderFrom   string     `json:"header_from"`
	EnvelopeFrom string     `json:"envelope_from"`
	DKIM         string     `json:"dkim"` // as evaluated for DMARC
	SPF          string     `json:"spf"`
	Disposition  string     `json:"disposition"`
	AuthDKIM     []AuthDKIM `json:"auth_dkim"` // without human results
	AuthSPF      []AuthSPF  `json:"auth_spf"`
	Reasons      []string   `json:"reasons"`
	Messages     int64      `json:"messages"`
}

// Passes tells whether the messages passed DMARC, by the reporters' word.
func (a *Alike) Passes() bool { return a.DKIM == "pass" || a.SPF == "pass" }

// MaxAlike bounds what is given at once.
const MaxAlike = 20_000

// Alike is as Reports says.
func (d *database) Alike(ctx context.Context, q Question, ips []netip.Addr, limit int) ([]Alike, error) {
	if limit <= 0 || limit > MaxAlike {
		limit = MaxAlike
	}
	ids, _, err := d.domains(ctx, q)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	from, to := q.period()
	days, err := daysOf(ctx, d.read, ids, from, to)
	if err != nil || len(days) == 0 {
		return nil, d.explained(err)
	}
	type line struct {
		ip              netip.Addr
		facet, messages int64
	}
	order := func(a, b line) int {
		return cmp.Or(cmp.Compare(b.messages, a.messages), a.ip.Compare(b.ip), cmp.Compare(a.facet, b.facet))
	}
	var lines []line
	for part := range slices.Chunk(ips, maxAskedAtOne) {
		c := &conditions{terms: []string{"domain IN (" + integers(ids) + ")", "day IN (" + integers(days) + ")"}}
		var in inList
		for _, ip := range part {
			in.add(c, addressBytes(bare(ip)))
		}
		c.terms = append(c.terms, "source IN ("+in.text+")")
		if q.Verified {
			c.terms = append(c.terms, "verified = 1")
		}
		if q.Reporter != "" {
			c.ofReporter(q.Reporter)
		}
		c.args = append(c.args, limit)
		found, err := collect(ctx, d, `SELECT source, facet, sum(messages) AS n FROM report_details`+c.where()+` GROUP BY source, facet
			HAVING sum(messages) > 0 ORDER BY n DESC, source, facet LIMIT `+c.last(), c.args, func(rows *sql.Rows) (l line, err error) {
			var ip []byte
			err = rows.Scan(&ip, &l.facet, &l.messages)
			l.ip = address(ip)
			return l, err
		})
		if err != nil {
			return nil, err
		}
		lines = append(lines, found...)
		slices.SortFunc(lines, order)
		lines = lines[:min(len(lines), limit)]
	}
	facets := map[int64]*facet{}
	for _, l := range lines {
		facets[l.facet] = nil
	}
	if err := d.facetsOf(ctx, facets); err != nil {
		return nil, d.explained(err)
	}
	all := make([]Alike, len(lines))
	for i, l := range lines {
		all[i] = facets[l.facet].alike(l.ip, l.messages)
	}
	return all, nil
}

func (f *facet) alike(ip netip.Addr, messages int64) Alike {
	a := Alike{IP: ip, HeaderFrom: f.HeaderFrom, EnvelopeFrom: f.EnvelopeFrom, DKIM: f.DKIM, SPF: f.SPF, Disposition: f.Disposition,
		Reasons: f.Auth.Reasons, Messages: messages}
	for _, d := range f.Auth.DKIM {
		a.AuthDKIM = append(a.AuthDKIM, AuthDKIM{Domain: d.Domain, Selector: d.Selector, Result: d.Result})
	}
	for _, s := range f.Auth.SPF {
		a.AuthSPF = append(a.AuthSPF, AuthSPF{Domain: s.Domain, Scope: s.Scope, Result: s.Result})
	}
	return a
}
