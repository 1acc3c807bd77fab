package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
)

const maxTop = 1000

// TopSources is as Reports says.
//
// A large domain has more sources than can be summed up while somebody waits. So only the days of a source that have at least so many
// messages are looked at first. They tell which sources cannot be among the first, whatever they had on other days; the others are
// summed up exactly. Where that leaves it open who the first are, it is tried again with fewer messages.
func (d *database) TopSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error) {
	if q.Reporter != "" {
		return nil, errors.New("store: the top sources of one reporter are not known")
	}
	if limit <= 0 || limit > maxTop {
		limit = maxTop
	}
	t, err := d.topOf(ctx, q)
	if err != nil || t == nil {
		return nil, err
	}
	least := t.messages / (t.lists * int64(limit) * 8)
	for {
		least = max(least, 1)
		found, err := t.candidates(ctx, d, least, limit)
		if err != nil {
			return nil, err
		}
		if found != nil {
			return t.exactly(ctx, d, found, limit)
		}
		least /= 4
	}
}

// A top is a question for the first sources.
type top struct {
	domains, days, verified string // lists of numbers
	period                  string // a condition on the day, where sources are looked for one by one
	lists                   int64  // of a source's messages: days, domains, verified or not
	messages                int64
}

func (d *database) topOf(ctx context.Context, q Question) (*top, error) {
	ids, _, err := d.domains(ctx, q)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	t := &top{domains: integers(ids), verified: "1"}
	if !q.Verified {
		t.verified = "0,1"
	}
	from, to := q.period()
	var days []int64
	_, err = collect(ctx, d, `SELECT day, verified, count(*), sum(messages) FROM report_days WHERE domain IN (`+t.domains+
		`) AND reporter = 0 AND day >= $1 AND day <= $2 AND verified IN (`+t.verified+`) GROUP BY day, verified ORDER BY day, verified`,
		[]any{from, to}, func(rows *sql.Rows) (struct{}, error) {
			var day, verified, lists, messages int64
			err := rows.Scan(&day, &verified, &lists, &messages)
			if len(days) == 0 || days[len(days)-1] != day {
				days = append(days, day)
			}
			t.lists += lists
			t.messages += messages
			return struct{}{}, err
		})
	if err != nil || len(days) == 0 {
		return nil, err
	}
	t.days, t.period = integers(days), d.period(days)
	return t, nil
}

func (t *top) where() string {
	return ` WHERE domain IN (` + t.domains + `) AND verified IN (` + t.verified + `) AND day IN (` + t.days + `)`
}

// candidates gives sources among which the first are: all that could have as many messages as the one in the last place has for
// certain. They are nil if others could be among the first, or there are too many to sum up.
func (t *top) candidates(ctx context.Context, d *database, least int64, limit int) ([]netip.Addr, error) {
	type candidate struct {
		ip   netip.Addr
		seen int64 // messages on the days that have enough
		most int64 // that it can have in all
	}
	all, err := collect(ctx, d, `SELECT source, sum(messages), count(*) FROM report_sources`+t.where()+` AND messages >= $1 GROUP BY source`,
		[]any{least}, func(rows *sql.Rows) (c candidate, err error) {
			var ip []byte
			var lists int64
			err = rows.Scan(&ip, &c.seen, &lists)
			c.ip, c.most = address(ip), c.seen+(t.lists-lists)*(least-1)
			return c, err
		})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.seen, a.seen), a.ip.Compare(b.ip)) })
	if least > 1 && (len(all) < limit || all[limit-1].seen <= t.lists*(least-1)) {
		return nil, nil
	}
	found := []netip.Addr{}
	for i, c := range all {
		// With no messages left out, the sums are exact and the order is known.
		if i < limit || least > 1 && c.most >= all[limit-1].seen {
			found = append(found, c.ip)
		}
	}
	if least > 1 && len(found) > 4*limit+100 {
		return nil, nil
	}
	return found, nil
}

// exactly sums up sources and gives the first of them.
func (t *top) exactly(ctx context.Context, d *database, ips []netip.Addr, limit int) ([]SourceFigures, error) {
	var all []SourceFigures
	for part := range slices.Chunk(ips, maxAskedAtOne) {
		var c conditions
		var in inList
		for _, ip := range part {
			in.add(&c, addressBytes(ip))
		}
		found, err := collect(ctx, d, `SELECT source, `+sumFigures+` FROM report_sources WHERE domain IN (`+t.domains+`) AND verified IN (`+
			t.verified+`) AND `+t.period+` AND source IN (`+in.text+`) GROUP BY source`, c.args, scanSource)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return first(all, limit), nil
}

// NewSources is as Reports says.
func (d *database) NewSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error) {
	if limit <= 0 || limit > maxTop {
		limit = maxTop
	}
	t, err := d.topOf(ctx, q)
	if err != nil || t == nil {
		return nil, err
	}
	from, to := q.period()
	verified := ""
	if q.Verified {
		verified = " AND verified = 1"
	}
	// The first day of a source is that of any of the domains. The coalesce has it looked for by its key, not by its day.
	firsts := map[netip.Addr]int64{}
	_, err = collect(ctx, d, `SELECT source, min(first) FROM domain_sources AS seen WHERE domain IN (`+t.domains+`) AND first >= $1 AND first <= $2`+
		verified+` AND NOT EXISTS (SELECT 1 FROM domain_sources AS earlier WHERE earlier.domain IN (`+t.domains+`) AND earlier.source = seen.source
		AND coalesce(earlier.first, 0) < $1`+verified+`) GROUP BY source`, []any{from, to}, func(rows *sql.Rows) (struct{}, error) {
		var ip []byte
		var first int64
		err := rows.Scan(&ip, &first)
		firsts[address(ip)] = first
		return struct{}{}, err
	})
	if err != nil || len(firsts) == 0 {
		return nil, err
	}
	all, err := t.those(ctx, d, firsts, limit)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].First = dayTime(firsts[all[i].IP])
	}
	return all, nil
}

// fewLookups are less work than to go through all sources of some days.
const fewLookups = 20_000

// those sums up some sources and gives the first of them.
func (t *top) those(ctx context.Context, d *database, some map[netip.Addr]int64, limit int) ([]SourceFigures, error) {
	if int64(len(some))*t.lists <= fewLookups {
		return t.exactly(ctx, d, slices.Collect(maps.Keys(some)), limit)
	}
	// Figures of all of them would take much longer to read than to find.
	all, err := collect(ctx, d, `SELECT source, sum(messages) FROM report_sources`+t.where()+` GROUP BY source`, nil, func(rows *sql.Rows) (f SourceFigures, err error) {
		var ip []byte
		err = rows.Scan(&ip, &f.Messages)
		f.IP = address(ip)
		return f, err
	})
	if err != nil {
		return nil, err
	}
	all = first(slices.DeleteFunc(all, func(f SourceFigures) bool { _, is := some[f.IP]; return !is }), limit)
	ips := make([]netip.Addr, len(all))
	for i := range all {
		ips[i] = all[i].IP
	}
	return t.exactly(ctx, d, ips, limit)
}

func scanSource(rows *sql.Rows) (f SourceFigures, err error) {
	var ip []byte
	err = rows.Scan(append([]any{&ip}, f.into()...)...)
	f.IP = address(ip)
	return f, err
}

// first gives those with the most messages.
func first(all []SourceFigures, limit int) []SourceFigures {
	slices.SortFunc(all, func(a, b SourceFigures) int { return cmp.Or(cmp.Compare(b.Messages, a.Messages), a.IP.Compare(b.IP)) })
	return all[:min(limit, len(all))]
}

// Source is as Reports says.
func (d *database) Source(ctx context.Context, q Question, ip netip.Addr) (SourceDetail, error) {
	ip = bare(ip)
	detail := SourceDetail{IP: ip}
	ids, _, err := d.domains(ctx, q)
	if err != nil || len(ids) == 0 {
		return detail, err
	}
	if err := d.seen(ctx, ids, q.Verified, &detail); err != nil {
		return detail, d.explained(err)
	}
	from, to := q.period()
	days, err := daysOf(ctx, d.read, ids, from, to)
	if err != nil || len(days) == 0 {
		return detail, d.explained(err)
	}
	where := ` WHERE domain IN (` + integers(ids) + `) AND day IN (` + integers(days) + `) AND source = $1`
	if q.Verified {
		where += ` AND verified = 1`
	}
	args := []any{addressBytes(ip)}
	if q.Reporter != "" {
		where += ` AND reporter = (SELECT id FROM texts WHERE text = $2)`
		args = append(args, clean(q.Reporter, maxText))
	}
	return detail, d.explained(d.detail(ctx, where, args, &detail))
}

func (d *database) explained(err error) error {
	if err == nil {
		return nil
	}
	return d.explain(err)
}

// seen looks for the first and the last day of a source, among the latest days first.
func (d *database) seen(ctx context.Context, domains []int64, verified bool, s *SourceDetail) error {
	only := ""
	if verified {
		only = ` AND verified = 1`
	}
	var first, last sql.NullInt64
	err := d.read.QueryRowContext(ctx, `SELECT min(first) FROM domain_sources WHERE domain IN (`+integers(domains)+`) AND source = $1`+only,
		addressBytes(s.IP)).Scan(&first)
	if err != nil || !first.Valid {
		return err
	}
	s.First = dayTime(first.Int64)
	days, err := daysOf(ctx, d.read, domains, first.Int64, lastDay)
	if err != nil {
		return err
	}
	for end := len(days); end > 0 && !last.Valid; end -= min(end, 100) {
		err := d.read.QueryRowContext(ctx, `SELECT max(day) FROM report_sources WHERE domain IN (`+integers(domains)+`) AND day IN (`+
			integers(days[max(0, end-100):end])+`) AND source = $1`+only, addressBytes(s.IP)).Scan(&last)
		if err != nil {
			return err
		}
	}
	if last.Valid {
		s.Last = dayTime(last.Int64)
	}
	return nil
}

// detail sums up the rows of report_details that are asked for.
func (d *database) detail(ctx context.Context, where string, args []any, s *SourceDetail) error {
	type line struct{ day, reporter, facet, messages int64 }
	lines, err := gather(ctx, d.read, `SELECT day, reporter, facet, sum(messages) FROM report_details`+where+` GROUP BY day, reporter, facet`, args,
		func(rows *sql.Rows) (l line, err error) {
			err = rows.Scan(&l.day, &l.reporter, &l.facet, &l.messages)
			return l, err
		})
	if err != nil {
		return err
	}
	facets, reporters := map[int64]*facet{}, map[int64]string{}
	for _, l := range lines {
		facets[l.facet], reporters[l.reporter] = nil, ""
	}
	if err := d.facetsOf(ctx, facets); err != nil {
		return err
	}
	if err := d.textsOf(ctx, reporters); err != nil {
		return err
	}
	byDay, byFacet, byReporter := map[int64]*Figures{}, map[int64]int64{}, map[int64]*Part{}
	for _, l := range lines {
		f := facets[l.facet].figures(l.messages)
		s.Figures.Add(f)
		if byDay[l.day] == nil {
			byDay[l.day] = &Figures{}
		}
		byDay[l.day].Add(f)
		byFacet[l.facet] += l.messages
		if byReporter[l.reporter] == nil {
			byReporter[l.reporter] = &Part{Name: reporters[l.reporter]}
		}
		byReporter[l.reporter].Messages += f.Messages
		byReporter[l.reporter].Passed += f.Passed
	}
	for day, f := range byDay {
		s.Days = append(s.Days, DayFigures{dayTime(day), *f})
	}
	slices.SortFunc(s.Days, func(a, b DayFigures) int { return a.Day.Compare(b.Day) })
	s.parts(facets, byFacet)
	all := parts{}
	for _, p := range byReporter {
		all.add(Part{Name: p.Name}, *p)
	}
	s.Reporters = all.first()
	return nil
}

func (f *facet) figures(messages int64) Figures {
	n := Figures{Messages: messages}
	if f.DKIM == "pass" {
		n.DKIM, n.Passed = messages, messages
	}
	if f.SPF == "pass" {
		n.SPF, n.Passed = messages, messages
	}
	switch f.Disposition {
	case "quarantine":
		n.Quarantined = messages
	case "reject":
		n.Rejected = messages
	}
	return n
}

// parts sums up what has something in common: the members of the key.
type parts map[Part]*Part

func (p parts) add(key, n Part) {
	if p[key] == nil {
		sum := key
		p[key] = &sum
	}
	p[key].Messages += n.Messages
	p[key].Passed += n.Passed
}

const maxParts = 100

func (p parts) first() []Part {
	var all []Part
	for _, n := range p {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Selector, b.Selector),
			cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Result, b.Result), cmp.Compare(a.DKIM, b.DKIM), cmp.Compare(a.SPF, b.SPF))
	})
	return all[:min(len(all), maxParts)]
}

func (s *SourceDetail) parts(facets map[int64]*facet, messages map[int64]int64) {
	header, envelope, dkim, spf := parts{}, parts{}, parts{}, parts{}
	results, dispositions, reasons := parts{}, parts{}, parts{}
	for id, count := range messages {
		f := facets[id]
		n := Part{Messages: count, Passed: f.figures(count).Passed}
		header.add(Part{Name: f.HeaderFrom}, n)
		envelope.add(Part{Name: f.EnvelopeFrom}, n)
		results.add(Part{DKIM: f.DKIM, SPF: f.SPF}, n)
		dispositions.add(Part{Name: f.Disposition}, n)
		// What a record names twice counts its messages once.
		for _, key := range unique(f.Auth.DKIM, func(a facetDKIM) Part { return Part{Name: a.Domain, Selector: a.Selector, Result: a.Result} }) {
			dkim.add(key, n)
		}
		for _, key := range unique(f.Auth.SPF, func(a facetSPF) Part { return Part{Name: a.Domain, Scope: a.Scope, Result: a.Result} }) {
			spf.add(key, n)
		}
		for _, key := range unique(f.Auth.Reasons, func(r string) Part { return Part{Name: r} }) {
			reasons.add(key, n)
		}
	}
	s.HeaderFrom, s.EnvelopeFrom, s.DKIM, s.SPF = header.first(), envelope.first(), dkim.first(), spf.first()
	s.Results, s.Dispositions, s.Reasons = results.first(), dispositions.first(), reasons.first()
}

func unique[T any](all []T, key func(T) Part) []Part {
	var keys []Part
	for _, v := range all {
		if k := key(v); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (d *database) facetsOf(ctx context.Context, facets map[int64]*facet) error {
	for part := range slices.Chunk(changed(facets, func(*facet) bool { return true }), maxAskedAtOne) {
		_, err := gather(ctx, d.read, `SELECT id, header_from, envelope_from, dkim, spf, disposition, auth FROM facets WHERE id IN (`+integers(part)+`)`,
			nil, func(rows *sql.Rows) (f *facet, err error) {
				f = &facet{}
				var id int64
				var auth string
				if err := rows.Scan(&id, &f.HeaderFrom, &f.EnvelopeFrom, &f.DKIM, &f.SPF, &f.Disposition, &auth); err != nil {
					return nil, err
				}
				facets[id] = f
				return f, json.Unmarshal([]byte(auth), &f.Auth)
			})
		if err != nil {
			return err
		}
	}
	for id, f := range facets {
		if f == nil { // the store is damaged: nothing is known of it, and that is no pass
			facets[id] = &facet{}
		}
	}
	return nil
}

func (d *database) textsOf(ctx context.Context, names map[int64]string) error {
	for part := range slices.Chunk(changed(names, func(string) bool { return true }), maxAskedAtOne) {
		_, err := gather(ctx, d.read, `SELECT id, text FROM texts WHERE id IN (`+integers(part)+`)`, nil, func(rows *sql.Rows) (struct{}, error) {
			var id int64
			var text string
			err := rows.Scan(&id, &text)
			names[id] = text
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
