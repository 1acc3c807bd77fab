package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// conditions gather the WHERE of a query.
type conditions struct {
	terms []string
	args  []any
}

// add takes a condition, in which each ? is one of its values.
func (c *conditions) add(term string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, a)
		term = strings.Replace(term, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.terms = append(c.terms, term)
}

func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

const defaultLimit = 1000

// Decisions is as Store says.
func (d *database) Decisions(ctx context.Context, f DecisionFilter) ([]Decision, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	query, args := selectDecisions(f)
	found, err := decisions(ctx, d.read, query, args)
	if err != nil {
		return nil, d.explain(err)
	}
	if !f.Oldest {
		slices.Reverse(found)
	}
	return found, nil
}

func selectDecisions(f DecisionFilter) (query string, args []any) {
	var c conditions
	if f.Domain != "" {
		c.add("(author_domain = ? OR envelope_domain = ?)", f.Domain, f.Domain)
	}
	if f.Verdict != "" {
		c.add("verdict = ?", f.Verdict)
	}
	if f.Rule != "" {
		c.add("rule = ?", f.Rule)
	}
	if f.Reference != "" {
		c.add("reference = ? AND reference <> ''", f.Reference) // in the words of its index
	}
	if !f.Since.IsZero() {
		// The index on time tells where to begin. The + keeps it from being used for more: the rows are read in their order, of
		// which the last are most often enough.
		c.add("id >= (SELECT min(+id) FROM decisions WHERE time >= ?) AND +time >= ?", micros(f.Since), micros(f.Since))
	}
	if f.After > 0 {
		c.add("id > ?", f.After)
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	order := " ORDER BY id DESC"
	if f.Oldest {
		order = " ORDER BY id"
	}
	return "SELECT document FROM decisions" + c.where() + order + fmt.Sprintf(" LIMIT %d", f.Limit), c.args
}

func decisions(ctx context.Context, db *sql.DB, query string, args []any) ([]Decision, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Decision
	for rows.Next() {
		var document string
		if err := rows.Scan(&document); err != nil {
			return nil, err
		}
		var d Decision
		if err := json.Unmarshal([]byte(document), &d); err != nil {
			return nil, fmt.Errorf("a decision: %w", err)
		}
		found = append(found, d)
	}
	return found, rows.Err()
}

const selectObservations = `SELECT day, count, author_domain, envelope_domain, helo_domain, source_ip, spf, spf_helo, dkim, arc, dmarc,
	policy_domain, policy, disposition, record, aligned_spf, aligned_dkim, verdict, rule, mode, done, folded FROM observations`

// Observations is as Store says.
func (d *database) Observations(ctx context.Context, f ObservationFilter) iter.Seq2[Count, error] {
	var c conditions
	if !f.From.IsZero() {
		c.add("day >= ?", days(f.From))
	}
	if !f.To.IsZero() {
		c.add("day <= ?", days(f.To))
	}
	if f.AuthorDomain != "" {
		c.add("author_domain = ?", f.AuthorDomain)
	}
	return func(yield func(Count, error) bool) {
		if err := d.ready(); err != nil {
			yield(Count{}, err)
			return
		}
		rows, err := d.read.QueryContext(ctx, selectObservations+c.where()+" ORDER BY day, author_domain, hash", c.args...)
		if err != nil {
			yield(Count{}, d.explain(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			n, err := scanCount(rows)
			if err != nil {
				yield(Count{}, d.explain(err))
				return
			}
			if !yield(n, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Count{}, d.explain(err))
		}
	}
}

func scanCount(rows *sql.Rows) (Count, error) {
	var n Count
	var day, spf, dkim int64
	var ip, signatures string
	err := rows.Scan(&day, &n.Count, &n.AuthorDomain, &n.EnvelopeDomain, &n.HeloDomain, &ip, &n.SPF, &n.SPFHelo, &signatures, &n.ARC,
		&n.DMARC, &n.PolicyDomain, &n.Policy, &n.Disposition, &n.Record, &spf, &dkim, &n.Verdict, &n.Rule, &n.Mode, &n.Done, &n.Folded)
	if err != nil {
		return n, err
	}
	n.Day = time.Unix(day*daySeconds, 0).UTC()
	n.AlignedSPF, n.AlignedDKIM = spf != 0, dkim != 0
	if ip != "" {
		if n.SourceIP, err = netip.ParseAddr(ip); err != nil {
			return n, fmt.Errorf("an observation: %w", err)
		}
	}
	if err := json.Unmarshal([]byte(signatures), &n.DKIM); err != nil {
		return n, fmt.Errorf("an observation: %w", err)
	}
	return n, nil
}
