package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	if f.Before > 0 {
		c.add("id < ?", f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	order := " ORDER BY id DESC"
	if f.Oldest {
		order = " ORDER BY id"
	}
	rest := c.where() + order + fmt.Sprintf(" LIMIT %d", f.Limit)
	if f.Domain == "" && f.Verdict == "" && f.Rule == "" {
		return "SELECT document FROM decisions" + rest, c.args
	}
	return "SELECT document FROM decisions WHERE id IN (SELECT id FROM decisions" + rest + ")" + order, c.args // by the index of all this
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
