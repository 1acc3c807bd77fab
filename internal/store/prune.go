package store

import (
	"context"
	"database/sql"
	"time"
)

const (
	// prunedAtOnce bounds how long a transaction that deletes keeps others from writing.
	prunedAtOnce = 2000

	// sourceAge is how long a source is remembered after its last batch. A journal that waited longer would be counted again.
	sourceAge = 400 * 24 * time.Hour
)

// Prune is as Store says.
func (d *database) Prune(ctx context.Context, r Retention, now time.Time) (done bool, err error) {
	if r.Observations > 0 {
		if err := d.dropMonths(ctx, "observations", days(now.Add(-r.Observations))); err != nil {
			return false, d.explain(err)
		}
	}
	err = d.change(ctx, func(tx *transaction) error {
		done = true
		end, err := d.lastToPrune(ctx, tx, r, now)
		if err != nil {
			return err
		}
		var first sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT min(id) FROM decisions`).Scan(&first); err != nil {
			return err
		}
		if first.Valid && first.Int64 <= end {
			if last := first.Int64 + prunedAtOnce - 1; last < end {
				end, done = last, false
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM decisions WHERE id <= $1`, end); err != nil {
				return err
			}
		}
		if r.Observations > 0 {
			all, err := d.deleteObservations(ctx, tx, days(now.Add(-r.Observations)))
			if err != nil {
				return err
			}
			done = done && all
		}
		if err := d.alone(ctx, tx); err != nil {
			return err
		}
		all, err := pruneReports(ctx, tx, r, now)
		if err != nil {
			return err
		}
		done = done && all
		if r.Notices > 0 {
			if all, err = pruneNotices(ctx, tx, now.Add(-r.Notices)); err != nil {
				return err
			}
			done = done && all
		}
		if all, err = prunePeople(ctx, tx, now); err != nil {
			return err
		}
		done = done && all
		_, err = tx.ExecContext(ctx, `DELETE FROM sources WHERE at < $1`, micros(now.Add(-sourceAge)))
		return err
	})
	return done && err == nil, err
}

// deleteObservations deletes those of days before one, and tells whether that was all.
func (d *database) deleteObservations(ctx context.Context, tx *transaction, before int64) (all bool, err error) {
	res, err := tx.ExecContext(ctx, d.pruneObservations(), before, prunedAtOnce)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == prunedAtOnce {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM observation_days WHERE day < $1`, before)
	return true, err
}

// The + has the rows read in the order of their IDs: the first is soon found, while those that the index on time gives are many.
const firstYoung = `SELECT id FROM decisions WHERE +time >= $1 ORDER BY id LIMIT 1`

// lastToPrune is the ID of the last decision that is to go. They came in about the order of their times, so that the first young
// one ends what is old.
func (d *database) lastToPrune(ctx context.Context, tx *transaction, r Retention, now time.Time) (int64, error) {
	var last int64 // of all that there ever were
	if err := tx.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'decision'`).Scan(&last); err != nil {
		return 0, err
	}
	end := int64(0)
	if r.Decisions > 0 {
		end = last - int64(r.Decisions)
	}
	if r.DecisionAge > 0 {
		young := last + 1
		err := tx.QueryRowContext(ctx, firstYoung, micros(now.Add(-r.DecisionAge))).Scan(&young)
		if err != nil && err != sql.ErrNoRows {
			return 0, err
		}
		end = max(end, young-1)
	}
	return end, nil
}
