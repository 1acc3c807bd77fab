package store

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// collect runs a question on the store and gives its rows.
func collect[T any](ctx context.Context, d *database, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	all, err := gather(ctx, d.read, query, args, scan)
	if err != nil {
		return nil, d.explain(err)
	}
	return all, nil
}

func gather[T any](ctx context.Context, db asker, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// last is the placeholder of the last value.
func (c *conditions) last() string { return "$" + strconv.Itoa(len(c.args)) }

// lower gives a domain as columns have it.
func lower(domain string) string {
	return strings.ToLower(strings.TrimSuffix(clean(domain, maxDomain), "."))
}

// addressBytes is an address as columns have it: 4 or 16 bytes, or none.
func addressBytes(ip netip.Addr) []byte {
	if b := ip.AsSlice(); b != nil {
		return b
	}
	return []byte{}
}

func address(b []byte) netip.Addr {
	ip, _ := netip.AddrFromSlice(b)
	return ip
}

func dayTime(day int64) time.Time { return time.Unix(day*daySeconds, 0).UTC() }

// integers is a list of our own numbers, to stand in a statement: there may be more than a statement may have placeholders, and an
// engine plans better for what it sees.
func integers(all []int64) string {
	var b []byte
	for i, n := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(b)
}

// What no day is before or after.
const (
	firstDay = -1 << 31
	lastDay  = 1 << 31
)

func (q *Question) period() (from, to int64) {
	from, to = firstDay, lastDay
	if !q.From.IsZero() {
		from = days(q.From)
	}
	if !q.To.IsZero() {
		to = days(q.To)
	}
	return from, to
}

// domainsOf gives the numbers of the domains that a question names, and their names.
func domainsOf(ctx context.Context, db asker, q Question) (ids []int64, names map[int64]string, err error) {
	var c conditions
	if len(q.Domains) > 0 {
		var in inList
		for _, name := range q.Domains {
			in.add(&c, lower(name))
		}
		c.terms = append(c.terms, "name IN ("+in.text+")")
	}
	names = map[int64]string{}
	ids, err = gather(ctx, db, `SELECT id, name FROM domains`+c.where()+` ORDER BY id`, c.args, func(rows *sql.Rows) (id int64, err error) {
		var name string
		err = rows.Scan(&id, &name)
		names[id] = name
		return id, err
	})
	return ids, names, err
}

// domains gives the domains that a question is about, of those that are there.
func (d *database) domains(ctx context.Context, q Question) (ids []int64, names map[int64]string, err error) {
	if err := d.ready(); err != nil {
		return nil, nil, err
	}
	ids, names, err = domainsOf(ctx, d.read, q)
	return ids, names, d.explained(err)
}

// asked gives the conditions of a question on a table with domain, day and verified; nil if it asks for nothing that is there.
func (d *database) asked(ctx context.Context, q Question) (*conditions, error) {
	ids, _, err := d.domains(ctx, q)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return askedOf(ids, q), nil
}

// askedOf are the conditions of a question about the domains that it is about.
func askedOf(ids []int64, q Question) *conditions {
	c := &conditions{terms: []string{"domain IN (" + integers(ids) + ")"}}
	from, to := q.period()
	c.add("day >= ?", from)
	c.add("day <= ?", to)
	if q.Verified {
		c.terms = append(c.terms, "verified = 1")
	}
	return c
}

// ofReporter adds the condition on report_days.
func (c *conditions) ofReporter(name string) {
	if name == "" {
		c.terms = append(c.terms, "reporter = 0")
		return
	}
	c.add("reporter = (SELECT id FROM texts WHERE text = ?)", clean(name, maxText))
}

const sumFigures = `sum(messages), sum(passed), sum(dkim), sum(spf), sum(quarantined), sum(rejected)`

func (f *Figures) into() []any {
	return []any{&f.Messages, &f.Passed, &f.DKIM, &f.SPF, &f.Quarantined, &f.Rejected}
}

// Add counts more messages in.
func (f *Figures) Add(o Figures) {
	f.Messages += o.Messages
	f.Passed += o.Passed
	f.DKIM += o.DKIM
	f.SPF += o.SPF
	f.Quarantined += o.Quarantined
	f.Rejected += o.Rejected
}

// Domains is as Reports says.
func (d *database) Domains(ctx context.Context, q Question) ([]DomainFigures, error) {
	ids, names, err := d.domains(ctx, q)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	c := askedOf(ids, q)
	c.ofReporter(q.Reporter)
	counted := map[int64]DomainFigures{}
	_, err = collect(ctx, d, `SELECT domain, min(day), max(day), `+sumFigures+` FROM report_days`+c.where()+` GROUP BY domain`, c.args,
		func(rows *sql.Rows) (f DomainFigures, err error) {
			var id, first, last int64
			err = rows.Scan(append([]any{&id, &first, &last}, f.into()...)...)
			f.First, f.Last = dayTime(first), dayTime(last)
			counted[id] = f
			return f, err
		})
	if err != nil {
		return nil, err
	}
	var all []DomainFigures
	for _, id := range ids {
		f := counted[id]
		f.Domain = names[id]
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b DomainFigures) int { return strings.Compare(a.Domain, b.Domain) })
	return all, nil
}

// ReportDays is as Reports says.
func (d *database) ReportDays(ctx context.Context, q Question) ([]DayFigures, error) {
	c, err := d.asked(ctx, q)
	if err != nil || c == nil {
		return nil, err
	}
	c.ofReporter(q.Reporter)
	return collect(ctx, d, `SELECT day, `+sumFigures+` FROM report_days`+c.where()+` GROUP BY day ORDER BY day`, c.args, scanDay)
}

func scanDay(rows *sql.Rows) (f DayFigures, err error) {
	var day int64
	err = rows.Scan(append([]any{&day}, f.into()...)...)
	f.Day = dayTime(day)
	return f, err
}

// daysOf gives the days of a period that have messages of one of the domains.
func daysOf(ctx context.Context, db asker, domains []int64, from, to int64) ([]int64, error) {
	return gather(ctx, db, `SELECT DISTINCT day FROM report_days WHERE domain IN (`+integers(domains)+
		`) AND reporter = 0 AND day >= $1 AND day <= $2 ORDER BY day`, []any{from, to}, func(rows *sql.Rows) (day int64, err error) {
		err = rows.Scan(&day)
		return day, err
	})
}

// Reporters is as Reports says.
func (d *database) Reporters(ctx context.Context, q Question) ([]ReporterInfo, error) {
	c, err := d.asked(ctx, q)
	if err != nil || c == nil {
		return nil, err
	}
	c.add("kind = ?", Aggregate)
	if q.Reporter != "" {
		c.ofReporter(q.Reporter)
	}
	return collect(ctx, d, `SELECT texts.text, n, messages, begins, ends, last FROM (SELECT reporter, count(*) AS n, sum(messages) AS messages,
		min(begins) AS begins, max(ends) AS ends, max(at) AS last FROM reports`+c.where()+` GROUP BY reporter) AS counted
		JOIN texts ON texts.id = reporter ORDER BY texts.text`, c.args, func(rows *sql.Rows) (r ReporterInfo, err error) {
		var begin, end, last int64
		err = rows.Scan(&r.Reporter, &r.Reports, &r.Messages, &begin, &end, &last)
		r.Begin, r.End, r.Last = moment(begin), moment(end), moment(last)
		return r, err
	})
}

// Policies is as Reports says.
func (d *database) Policies(ctx context.Context, q Question) ([]PolicySeen, error) {
	c, err := d.asked(ctx, q)
	if err != nil || c == nil {
		return nil, err
	}
	c.add("kind = ?", Aggregate)
	c.add("policy > ?", 0)
	if q.Reporter != "" {
		c.ofReporter(q.Reporter)
	}
	return collect(ctx, d, `SELECT domains.name, texts.text, n, reporters, begins, ends FROM (SELECT domain, policy, count(*) AS n,
		count(DISTINCT reporter) AS reporters, min(begins) AS begins, max(ends) AS ends FROM reports`+c.where()+` GROUP BY domain, policy) AS seen
		JOIN texts ON texts.id = policy JOIN domains ON domains.id = domain ORDER BY ends DESC, domains.name, texts.text`, c.args,
		func(rows *sql.Rows) (p PolicySeen, err error) {
			var policy string
			var begin, end int64
			err = rows.Scan(&p.Domain, &policy, &p.Reports, &p.Reporters, &begin, &end)
			p.Policy, p.First, p.Last = []byte(policy), moment(begin), moment(end)
			return p, err
		})
}
