package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"slices"
)

// Roll-ups. A row counts in three, by what questions begin with: report_days, report_sources and report_details. They are kept in the
// transaction that writes the rows, and answer without the rows. Rows that count no message count nowhere.
//
// Within a transaction, what is added and taken away is summed up in memory first. There it stays within a bound, so that a report of
// a million rows needs no more.

// maxTally is how many details are summed up before they are written.
const maxTally = 5000

// A place is where the rows of a report count.
type place struct {
	domain, reporter, day int64
	verified              bool
}

type sums struct{ messages, passed, dkim, spf, quarantined, rejected int64 }

func (s *sums) add(o sums) {
	s.messages += o.messages
	s.passed += o.passed
	s.dkim += o.dkim
	s.spf += o.spf
	s.quarantined += o.quarantined
	s.rejected += o.rejected
}

type sourceKey struct {
	domain, day int64
	source      netip.Addr
	verified    bool
}

type detailKey struct {
	sourceKey
	reporter, facet int64
}

type tlsKey struct {
	place
	policy, mx, result string
}

type tally struct {
	days    map[place]*sums
	sources map[sourceKey]*sums
	details map[detailKey]int64
	facets  map[int64]*facet // new, perhaps
	tls     map[tlsKey]int64
	less    bool // something was taken away

	encoded []byte
}

func newTally() *tally {
	return &tally{days: map[place]*sums{}, sources: map[sourceKey]*sums{}, details: map[detailKey]int64{}, facets: map[int64]*facet{},
		tls: map[tlsKey]int64{}}
}

func (t *tally) full() bool { return len(t.details) >= maxTally || len(t.facets) >= maxTally }

// row counts a row that is within bounds: its messages times sign, which is 1 or -1. known tells facets that the store has.
func (t *tally) row(p place, r *Row, sign int64, known func(facet int64) bool) {
	n := r.Count * sign
	if n == 0 {
		return
	}
	t.less = t.less || n < 0
	s := sums{messages: n}
	if r.Passes() {
		s.passed = n
	}
	if r.DKIM == "pass" {
		s.dkim = n
	}
	if r.SPF == "pass" {
		s.spf = n
	}
	switch r.Disposition {
	case "quarantine":
		s.quarantined = n
	case "reject":
		s.rejected = n
	}
	t.encoded = appendFacet(t.encoded[:0], r)
	hash := sha256.Sum256(t.encoded)
	id := int64(binary.BigEndian.Uint64(hash[:8]))
	if t.facets[id] == nil && !known(id) {
		t.facets[id] = facetOf(r)
	}
	source := sourceKey{p.domain, p.day, r.SourceIP, p.verified}
	t.details[detailKey{source, p.reporter, id}] += n
	addSums(t.sources, source, s)
	addSums(t.days, p, s)
	p.reporter = 0
	addSums(t.days, p, s)
}

func addSums[K comparable](m map[K]*sums, k K, s sums) {
	if old := m[k]; old != nil {
		old.add(s)
		return
	}
	m[k] = &s
}

// write brings the sums into the tables, in the order of their keys: so they lie close to each other, and two transactions do not
// wait for each other.
func (w *arriving) write(ctx context.Context) error {
	t := w.tally
	if err := w.writeFacets(ctx); err != nil {
		return err
	}
	details := changed(t.details, func(n int64) bool { return n != 0 })
	sources := changed(t.sources, func(s *sums) bool { return *s != sums{} })
	daily := changed(t.days, func(s *sums) bool { return *s != sums{} })
	slices.SortFunc(details, func(a, b detailKey) int {
		return cmp.Or(compareSources(a.sourceKey, b.sourceKey), cmp.Compare(a.reporter, b.reporter), cmp.Compare(a.facet, b.facet))
	})
	slices.SortFunc(sources, compareSources)
	slices.SortFunc(daily, comparePlaces)
	if err := w.writeAddresses(ctx, sources); err != nil {
		return err
	}
	values := w.values[:0]
	for _, k := range details {
		values = append(values, k.domain, k.day, addressBytes(k.source), number(k.verified), k.reporter, k.facet, t.details[k])
	}
	if err := w.bulk.write(ctx, w.tx, bulkDetails, values); err != nil {
		return err
	}
	values = values[:0]
	for _, k := range sources {
		s := t.sources[k]
		values = append(values, k.domain, k.day, addressBytes(k.source), number(k.verified), s.messages, s.passed, s.dkim, s.spf, s.quarantined,
			s.rejected)
	}
	if err := w.bulk.write(ctx, w.tx, bulkSources, values); err != nil {
		return err
	}
	values = values[:0]
	for _, k := range daily {
		s := t.days[k]
		values = append(values, k.domain, k.reporter, k.day, number(k.verified), s.messages, s.passed, s.dkim, s.spf, s.quarantined, s.rejected)
	}
	if err := w.bulk.write(ctx, w.tx, bulkDays, values); err != nil {
		return err
	}
	w.values = values
	if err := w.writeTLS(ctx); err != nil {
		return err
	}
	if t.less {
		// Where a day's sums are as before, those of its sources need not be.
		all := changed(t.days, func(*sums) bool { return true })
		slices.SortFunc(all, comparePlaces)
		if err := w.sweep(ctx, all); err != nil {
			return err
		}
	}
	w.tally = newTally()
	return nil
}

// changed are the keys of what is to be written.
func changed[K comparable, V any](m map[K]V, is func(V) bool) []K {
	keys := make([]K, 0, len(m))
	for k, v := range m {
		if is(v) {
			keys = append(keys, k)
		}
	}
	return keys
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.reporter, b.reporter), cmp.Compare(a.day, b.day))
}

func compareSources(a, b sourceKey) int {
	return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.day, b.day), a.source.Compare(b.source),
		cmp.Compare(number(a.verified), number(b.verified)))
}

// atMost gives the last of them, as many as are remembered.
func atMost[T any](all []T) []T {
	if len(all) <= remembered {
		return all
	}
	return slices.Delete(all, 0, len(all)-remembered)
}

func (w *arriving) writeFacets(ctx context.Context) error {
	var values []any
	ids := changed(w.tally.facets, func(*facet) bool { return true })
	slices.Sort(ids)
	for _, id := range ids {
		f := w.tally.facets[id]
		auth, err := json.Marshal(f.Auth)
		if err != nil {
			return err
		}
		values = append(values, id, f.HeaderFrom, f.EnvelopeFrom, f.DKIM, f.SPF, f.Disposition, string(auth))
	}
	w.facets = atMost(append(w.facets, ids...))
	return w.bulk.write(ctx, w.tx, bulkFacets, values)
}

// writeAddresses notes sources, and when each was seen first.
func (w *arriving) writeAddresses(ctx context.Context, sources []sourceKey) error {
	type seen struct {
		domain   int64
		source   netip.Addr
		verified bool
	}
	firsts := map[seen]int64{}
	var fresh []netip.Addr
	noted := map[netip.Addr]bool{}
	for _, k := range sources {
		if w.tally.sources[k].messages <= 0 {
			continue
		}
		at := seen{k.domain, k.source, k.verified}
		if first, ok := firsts[at]; !ok || k.day < first {
			firsts[at] = k.day
		}
		if k.source.IsValid() && !noted[k.source] && !w.d.known.addresses.Contains(k.source) {
			noted[k.source] = true
			fresh = append(fresh, k.source)
		}
	}
	slices.SortFunc(fresh, netip.Addr.Compare)
	var values []any
	for _, ip := range fresh {
		values = append(values, addressBytes(ip), "", 0, 0, "", "", "", 0)
	}
	if err := w.bulk.write(ctx, w.tx, bulkAddresses, values); err != nil {
		return err
	}
	w.addresses = atMost(append(w.addresses, fresh...))
	keys := changed(firsts, func(int64) bool { return true })
	slices.SortFunc(keys, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), a.source.Compare(b.source), cmp.Compare(number(a.verified), number(b.verified)))
	})
	values = values[:0]
	for _, k := range keys {
		values = append(values, k.domain, addressBytes(k.source), number(k.verified), firsts[k])
	}
	return w.bulk.write(ctx, w.tx, bulkFirsts, values)
}

// sweep deletes what has come down to nothing.
func (w *arriving) sweep(ctx context.Context, daily []place) error {
	for i, p := range daily {
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM report_days WHERE domain = $1 AND reporter = $2 AND day = $3 AND messages = 0`,
			p.domain, p.reporter, p.day); err != nil {
			return err
		}
		if p.reporter != 0 || i > 0 && daily[i-1].domain == p.domain && daily[i-1].reporter == 0 && daily[i-1].day == p.day {
			continue
		}
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM report_details WHERE domain = $1 AND day = $2 AND messages = 0`, p.domain, p.day); err != nil {
			return err
		}
		if err := w.sweepSources(ctx, p.domain, p.day); err != nil {
			return err
		}
	}
	return nil
}

// A gone source has no messages of one day any more.
type gone struct {
	domain   int64
	source   string // its bytes
	verified int
}

func (w *arriving) sweepSources(ctx context.Context, domain, day int64) error {
	rows, err := w.tx.QueryContext(ctx, `DELETE FROM report_sources WHERE domain = $1 AND verified IN (0, 1) AND day = $2 AND messages = 0
		RETURNING source, verified`,
		domain, day)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var source []byte
		g := gone{domain: domain}
		if err := rows.Scan(&source, &g.verified); err != nil {
			return err
		}
		g.source = string(source)
		w.gone[g] = true
	}
	return rows.Err()
}

// first looks again when the sources that are gone from a day were seen first.
func (w *arriving) first(ctx context.Context) error {
	all := map[int64][]int64{} // days of domains
	keys := changed(w.gone, func(bool) bool { return true })
	slices.SortFunc(keys, func(a, b gone) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), bytes.Compare([]byte(a.source), []byte(b.source)), cmp.Compare(a.verified, b.verified))
	})
	for _, g := range keys {
		if all[g.domain] == nil {
			var err error
			if all[g.domain], err = daysOf(ctx, w.tx, []int64{g.domain}, firstDay, lastDay); err != nil {
				return err
			}
		}
		var first sql.NullInt64
		if len(all[g.domain]) > 0 {
			err := w.tx.QueryRowContext(ctx, `SELECT min(day) FROM report_sources WHERE domain = $1 AND source = $2 AND verified = $3 AND day IN (`+
				integers(all[g.domain])+`)`, g.domain, []byte(g.source), g.verified).Scan(&first)
			if err != nil {
				return err
			}
		}
		statement := `DELETE FROM domain_sources WHERE domain = $1 AND source = $2 AND verified = $3`
		args := []any{g.domain, []byte(g.source), g.verified}
		if first.Valid {
			statement = `UPDATE domain_sources SET first = $4 WHERE domain = $1 AND source = $2 AND verified = $3`
			args = append(args, first.Int64)
		}
		if _, err := w.tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}
