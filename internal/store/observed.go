package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"
)

// What an observation is read as: its words, of which there are few different ones, and its names.
var (
	observedWords = []string{"spf", "spf_helo", "arc", "dmarc", "policy", "disposition", "verdict", "rule", "mode", "done", "aligned_spf", "aligned_dkim",
		"folded"}
	observedNames = []string{"author_domain", "envelope_domain", "helo_domain", "source_ip", "policy_domain", "record", "dkim"}
)

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
	order := " ORDER BY day, author_domain, hash"
	if f.AnyOrder {
		order = " ORDER BY day, hash"
	}
	query := `SELECT day, count, ` + d.joined(observedWords...) + `, ` + d.joined(observedNames...) + ` FROM observations` + c.where() + order
	return func(yield func(Count, error) bool) {
		if err := d.ready(); err != nil {
			yield(Count{}, err)
			return
		}
		rows, err := d.read.QueryContext(ctx, query, c.args...)
		if err != nil {
			yield(Count{}, d.explain(err))
			return
		}
		defer rows.Close()
		r := observedReader{words: map[string]*Observation{}}
		for rows.Next() {
			n, err := r.read(rows)
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

// maxRemembered is how many different words an observedReader has in memory.
const maxRemembered = 10_000

// An observedReader reads observations. What many of them have in common it reads once.
type observedReader struct {
	words map[string]*Observation
	raw   sql.RawBytes
}

func (r *observedReader) read(rows *sql.Rows) (n Count, err error) {
	var day int64
	var names string
	if err := rows.Scan(&day, &n.Count, &r.raw, &names); err != nil {
		return n, err
	}
	known := r.words[string(r.raw)]
	if known == nil {
		if known, err = readWords(string(r.raw)); err != nil {
			return n, err
		}
		if len(r.words) >= maxRemembered {
			clear(r.words)
		}
		r.words[string(r.raw)] = known
	}
	n.Observation = *known
	n.Day = time.Unix(day*daySeconds, 0).UTC()
	return n, readNames(&n.Observation, names)
}

var errObserved = errors.New("an observation: the row cannot be read")

func readWords(text string) (*Observation, error) {
	all := strings.Split(text, "\xff")
	if len(all) != len(observedWords) {
		return nil, errObserved
	}
	o := &Observation{}
	for i, to := range []*string{&o.SPF, &o.SPFHelo, &o.ARC, &o.DMARC, &o.Policy, &o.Disposition, &o.Verdict, &o.Rule, &o.Mode, &o.Done} {
		*to = all[i]
	}
	o.AlignedSPF, o.AlignedDKIM = all[10] != "0", all[11] != "0"
	if _, err := fmt.Sscan(all[12], &o.Folded); err != nil {
		return nil, fmt.Errorf("an observation: %w", err)
	}
	return o, nil
}

func readNames(o *Observation, text string) (err error) {
	var all [7]string
	for i := range all {
		rest := ""
		all[i], rest, _ = strings.Cut(text, "\xff")
		text = rest
	}
	o.AuthorDomain, o.EnvelopeDomain, o.HeloDomain, o.PolicyDomain, o.Record = all[0], all[1], all[2], all[4], all[5]
	if all[3] != "" {
		if o.SourceIP, err = netip.ParseAddr(all[3]); err != nil {
			return fmt.Errorf("an observation: %w", err)
		}
	}
	switch all[6] { // of most there are none
	case "null":
		return nil
	case "[]":
		o.DKIM = []Signature{}
		return nil
	}
	if err := json.Unmarshal([]byte(all[6]), &o.DKIM); err != nil {
		return fmt.Errorf("an observation: %w", err)
	}
	return nil
}
