package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
)

const (
	beginDay = `INSERT INTO observation_days (day, observations) VALUES ($1, 0)
		ON CONFLICT (day) DO UPDATE SET observations = observation_days.observations RETURNING observations`

	endDay = `UPDATE observation_days SET observations = $2 WHERE day = $1`
)

var observationColumns = []string{
	"day", "hash", "count", "author_domain", "envelope_domain", "helo_domain", "source_ip", "spf", "spf_helo", "dkim", "arc", "dmarc",
	"policy_domain", "policy", "disposition", "record", "aligned_spf", "aligned_dkim", "verdict", "rule", "mode", "done", "folded",
}

// A hash stands for all that makes an observation.
type hash [16]byte

func hashOf(encoded []byte) hash {
	sum := sha256.Sum256(encoded)
	return hash(sum[:16])
}

// A counting is how an engine counts in the rows of observations, within a transaction that has hold of their days.
type counting interface {
	// more counts so many messages in the row of a day with this hash, and tells whether there is one.
	more(ctx context.Context, day int64, h hash, n int64) (bool, error)

	// first adds a row, as observationColumns says. It keeps the slice.
	first(ctx context.Context, day int64, h hash, row []any) error

	// end writes what was not written yet.
	end(ctx context.Context) error
}

// A counter adds counts to the rows of their days, within a transaction.
type counter struct {
	counting
	most  int64           // rows of a day
	rows  map[int64]int64 // how many each day has
	bytes []byte
}

func (d *database) addCounts(ctx, run context.Context, tx *transaction, counts []Count) error {
	if len(counts) == 0 {
		return nil
	}
	c := counter{most: d.observations, rows: map[int64]int64{}}
	before, err := c.begin(run, tx, counts)
	if err != nil {
		return err
	}
	c.counting, err = d.counting(run, tx, counts, func(day int64) int { return level(c.rows[day]+int64(len(counts)), c.most) })
	if err != nil {
		return err
	}
	for i := range counts {
		if i%patience == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := c.add(run, &counts[i]); err != nil {
			return err
		}
	}
	if err := c.end(run); err != nil {
		return err
	}
	for day, rows := range c.rows {
		if rows == before[day] {
			continue
		}
		if _, err := tx.ExecContext(run, endDay, day, rows); err != nil {
			return err
		}
	}
	return nil
}

// begin looks how many rows the days have. From then on no other transaction changes that: writing a day's number takes hold of
// it, in the order of days so that two do not wait for each other.
func (c *counter) begin(ctx context.Context, tx *transaction, counts []Count) (before map[int64]int64, err error) {
	for _, day := range daysIn(counts) {
		var rows int64
		if err := tx.QueryRowContext(ctx, beginDay, day).Scan(&rows); err != nil {
			return nil, err
		}
		c.rows[day] = rows
	}
	return maps.Clone(c.rows), nil
}

// daysIn gives each day once, in their order.
func daysIn(counts []Count) []int64 {
	all := map[int64]bool{}
	for i := range counts {
		all[days(counts[i].Day)] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// add counts messages in the row that tells most about them, of those that there are. A new row tells as much as there is room for.
func (c *counter) add(ctx context.Context, n *Count) error {
	day := days(n.Day)
	most := level(c.rows[day], c.most)
	var h hash
	for l := 0; l <= most; l++ {
		folded := n.Fold(l)
		c.bytes, _ = folded.AppendBinary(c.bytes[:0])
		h = hashOf(c.bytes)
		if known, err := c.more(ctx, day, h, n.Count); err != nil || known {
			return err
		}
	}
	var o Observation
	if err := o.UnmarshalBinary(c.bytes); err != nil { // within bounds, and clean
		return err
	}
	dkim, err := json.Marshal(o.DKIM)
	if err != nil {
		return err
	}
	ip := ""
	if o.SourceIP.IsValid() {
		ip = o.SourceIP.String()
	}
	c.rows[day]++
	return c.first(ctx, day, h, []any{day, h[:], n.Count, o.AuthorDomain, o.EnvelopeDomain, o.HeloDomain, ip,
		o.SPF, o.SPFHelo, string(dkim), o.ARC, o.DMARC, o.PolicyDomain, o.Policy, o.Disposition, o.Record,
		number(o.AlignedSPF), number(o.AlignedDKIM), o.Verdict, o.Rule, o.Mode, o.Done, o.Folded})
}
