package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
)

const (
	beginDay = `INSERT INTO observation_days (day, observations) VALUES ($1, 0)
		ON CONFLICT (day) DO UPDATE SET observations = observation_days.observations RETURNING observations`

	endDay = `UPDATE observation_days SET observations = $2 WHERE day = $1`

	countAgain = `UPDATE observations SET count = count + $3 WHERE day = $1 AND hash = $2`

	insertObservation = `INSERT INTO observations (day, hash, count, author_domain, envelope_domain, helo_domain, source_ip, spf, spf_helo,
			dkim, arc, dmarc, policy_domain, policy, disposition, record, aligned_spf, aligned_dkim, verdict, rule, mode, done, folded)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`
)

// A counter adds counts to the rows of their days, within a transaction.
type counter struct {
	tx            *sql.Tx
	again, insert *sql.Stmt
	most          int64           // rows of a day
	rows          map[int64]int64 // how many each day has
	bytes         []byte
}

func (d *database) addCounts(ctx, run context.Context, tx *sql.Tx, counts []Count) error {
	if len(counts) == 0 {
		return nil
	}
	c := counter{tx: tx, again: tx.StmtContext(run, d.again), insert: tx.StmtContext(run, d.observation), most: d.observations}
	defer c.again.Close()
	defer c.insert.Close()
	before, err := c.begin(run, counts)
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
func (c *counter) begin(ctx context.Context, counts []Count) (before map[int64]int64, err error) {
	c.rows = map[int64]int64{}
	for i := range counts {
		c.rows[days(counts[i].Day)] = 0
	}
	for _, day := range slices.Sorted(maps.Keys(c.rows)) {
		var rows int64
		if err := c.tx.QueryRowContext(ctx, beginDay, day).Scan(&rows); err != nil {
			return nil, err
		}
		c.rows[day] = rows
	}
	return maps.Clone(c.rows), nil
}

// add counts messages in the row that tells most about them, of those that there are. A new row tells as much as there is room for.
func (c *counter) add(ctx context.Context, n *Count) error {
	day := days(n.Day)
	most := level(c.rows[day], c.most)
	var hash [sha256.Size]byte
	for l := 0; l <= most; l++ {
		folded := n.Fold(l)
		c.bytes, _ = folded.AppendBinary(c.bytes[:0])
		hash = sha256.Sum256(c.bytes)
		res, err := c.again.ExecContext(ctx, day, hash[:16], n.Count)
		if err != nil {
			return err
		}
		if known, err := res.RowsAffected(); err != nil || known > 0 {
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
	_, err = c.insert.ExecContext(ctx, day, hash[:16], n.Count, o.AuthorDomain, o.EnvelopeDomain, o.HeloDomain, ip,
		o.SPF, o.SPFHelo, string(dkim), o.ARC, o.DMARC, o.PolicyDomain, o.Policy, o.Disposition, o.Record,
		number(o.AlignedSPF), number(o.AlignedDKIM), o.Verdict, o.Rule, o.Mode, o.Done, o.Folded)
	return err
}
