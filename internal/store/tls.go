package store

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"
)

// The bounds of what is kept of a TLS report.
const (
	maxTLSPolicies = 1000
	maxTLSResults  = 10_000
)

const tlsSuccess = "success" // no result type of RFC 8460 4.3 is called so

// addTLS writes the policies of a TLS report, and counts their sessions. Failed sessions that no detail tells of have an empty result;
// where the details tell of more than the total, each counts as it says.
func (w *arriving) addTLS(ctx context.Context, p *storedReport, r *Report) error {
	var values []any
	n := 0
	for i := range r.TLS[:min(len(r.TLS), maxTLSPolicies)] {
		policy := &r.TLS[i]
		domain, err := w.name(ctx, "domains", "name", cmp.Or(lower(policy.Domain), lower(r.Domain)))
		if err != nil {
			return err
		}
		at := place{domain: domain, reporter: p.reporter, day: p.day, verified: p.verified}
		kind := clean(policy.Type, maxWord)
		add := func(f TLSFailure) {
			sessions := min(max(f.Sessions, 0), maxMessages)
			mx, result := lower(f.ReceivingMX), clean(f.Result, maxWord)
			values = append(values, p.id, n, domain, kind, mx, result, sessions, clean(f.SendingIP, maxWord), clean(f.ReceivingIP, maxWord),
				clean(f.Helo, maxDomain), clean(f.Reason, maxText), clean(f.Information, maxText))
			n++
			w.tally.tls[tlsKey{at, kind, mx, result}] += sessions
		}
		if policy.Successful > 0 {
			add(TLSFailure{Result: tlsSuccess, Sessions: policy.Successful})
		}
		left := min(policy.Failed, maxMessages)
		for j := range policy.Failures {
			if n >= maxTLSResults {
				break
			}
			left -= min(max(policy.Failures[j].Sessions, 0), maxMessages)
			add(policy.Failures[j])
		}
		if left > 0 {
			add(TLSFailure{Sessions: left})
		}
	}
	return w.bulk.write(ctx, w.tx, bulkTLS, values)
}

// countTLS adds what is kept of a TLS report to the figures, or takes it away.
func (w *arriving) countTLS(ctx context.Context, p *storedReport, sign int64) error {
	w.tally.less = w.tally.less || sign < 0
	rows, err := w.tx.QueryContext(ctx, `SELECT domain, policy_type, mx, result, sum(sessions) FROM tls_results WHERE report = $1
		GROUP BY domain, policy_type, mx, result`, p.id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		k := tlsKey{place: place{reporter: p.reporter, day: p.day, verified: p.verified}}
		var sessions int64
		if err := rows.Scan(&k.domain, &k.policy, &k.mx, &k.result, &sessions); err != nil {
			return err
		}
		w.tally.tls[k] += sessions * sign
	}
	return rows.Err()
}

func (w *arriving) writeTLS(ctx context.Context) error {
	keys := changed(w.tally.tls, func(n int64) bool { return n != 0 })
	slices.SortFunc(keys, func(a, b tlsKey) int {
		return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.day, b.day), cmp.Compare(a.reporter, b.reporter),
			cmp.Compare(number(a.verified), number(b.verified)), strings.Compare(a.policy, b.policy), strings.Compare(a.mx, b.mx),
			strings.Compare(a.result, b.result))
	})
	var values []any
	for _, k := range keys {
		values = append(values, k.domain, k.day, k.reporter, number(k.verified), k.policy, k.mx, k.result, w.tally.tls[k])
	}
	if err := w.bulk.write(ctx, w.tx, bulkTLSDays, values); err != nil || !w.tally.less {
		return err
	}
	for _, k := range keys {
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM tls_days WHERE domain = $1 AND day = $2 AND sessions = 0`, k.domain, k.day); err != nil {
			return err
		}
	}
	return nil
}

// TLSDays is as Reports says.
func (d *database) TLSDays(ctx context.Context, q Question) ([]TLSDay, error) {
	c, err := d.asked(ctx, q)
	if err != nil || c == nil {
		return nil, err
	}
	if q.Reporter != "" {
		c.add("reporter = (SELECT id FROM texts WHERE text = ?)", q.Reporter)
	}
	return collect(ctx, d, `SELECT day, policy_type, mx, result, sum(sessions) FROM tls_days`+c.where()+
		` GROUP BY day, policy_type, mx, result ORDER BY day, policy_type, mx, result`, c.args, func(rows *sql.Rows) (t TLSDay, err error) {
		var day int64
		err = rows.Scan(&day, &t.PolicyType, &t.MX, &t.Result, &t.Sessions)
		t.Day = dayTime(day)
		return t, err
	})
}

// TLSFailures is as Reports says.
func (d *database) TLSFailures(ctx context.Context, q Question, limit int) ([]TLSFailure, error) {
	c, err := d.asked(ctx, q)
	if err != nil || c == nil {
		return nil, err
	}
	for i := range c.terms { // those of the report, but for the domain
		c.terms[i] = strings.Replace(strings.Replace(c.terms[i], "day ", "reports.day ", 1), "domain ", "tls_results.domain ", 1)
	}
	if q.Reporter != "" {
		c.add("reporter = (SELECT id FROM texts WHERE text = ?)", q.Reporter)
	}
	c.add("result <> ?", tlsSuccess)
	if limit <= 0 {
		limit = defaultLimit
	}
	c.args = append(c.args, limit)
	return collect(ctx, d, `SELECT result, sending_ip, receiving_ip, mx, helo, reason, information, sum(sessions) AS failed FROM tls_results
		JOIN reports ON reports.id = tls_results.report`+c.where()+` GROUP BY result, sending_ip, receiving_ip, mx, helo, reason, information
		ORDER BY failed DESC, result, sending_ip, receiving_ip, mx, helo, reason, information LIMIT `+c.last(), c.args,
		func(rows *sql.Rows) (f TLSFailure, err error) {
			err = rows.Scan(&f.Result, &f.SendingIP, &f.ReceivingIP, &f.ReceivingMX, &f.Helo, &f.Reason, &f.Information, &f.Sessions)
			return f, err
		})
}
