package store

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// What one transaction deletes at the most. A raw may have as many bytes as a message may; the records of a report are rarely more than
// some kilobytes.
const (
	atOnceRows   = 200
	atOnceRaws   = 200
	atOnceChunks = 64 // of raws, but for the first raw
)

// pruneReports deletes what belongs to reports and is to be kept no longer, and tells whether that was all.
func pruneReports(ctx context.Context, tx *transaction, r Retention, now time.Time) (all bool, err error) {
	all = true
	for _, part := range []struct {
		age time.Duration
		of  func(context.Context, *transaction, time.Time) (bool, error)
	}{{r.ReportRows, pruneRows}, {r.Raws, pruneRaws}, {r.Failures, pruneFailures}} {
		if part.age <= 0 {
			continue
		}
		done, err := part.of(ctx, tx, now.Add(-part.age))
		if err != nil {
			return false, err
		}
		all = all && done
	}
	return all, nil
}

func scanID(rows *sql.Rows) (id int64, err error) {
	err = rows.Scan(&id)
	return id, err
}

func pruneRows(ctx context.Context, tx *transaction, before time.Time) (bool, error) {
	ids, err := gather(ctx, tx, `SELECT id FROM reports WHERE chunks > 0 AND day < $1 ORDER BY day LIMIT $2`, []any{days(before), atOnceRows}, scanID)
	if err != nil || len(ids) == 0 {
		return true, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM report_rows WHERE report IN (`+integers(ids)+`)`); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE reports SET chunks = 0 WHERE id IN (`+integers(ids)+`)`)
	return len(ids) < atOnceRows, err
}

// pruneRaws deletes bytes. The row stays, so that they are known when they come again, but for what held no report.
func pruneRaws(ctx context.Context, tx *transaction, before time.Time) (bool, error) {
	total := int64(0)
	ids, err := gather(ctx, tx, `SELECT id, chunks FROM raws WHERE chunks > 0 AND at < $1 ORDER BY at LIMIT $2`, []any{micros(before), atOnceRaws},
		func(rows *sql.Rows) (id int64, err error) {
			var chunks int64
			err = rows.Scan(&id, &chunks)
			if total > 0 && total+chunks > atOnceChunks {
				id = 0
			}
			total += chunks
			return id, err
		})
	if err != nil || len(ids) == 0 {
		return true, err
	}
	found := len(ids)
	if i := slices.Index(ids, 0); i > 0 { // enough
		ids = ids[:i]
	}
	for _, s := range []string{
		`DELETE FROM raw_chunks WHERE raw IN (`, `DELETE FROM raws WHERE reports = 0 AND id IN (`, `UPDATE raws SET chunks = 0 WHERE id IN (`,
	} {
		if _, err := tx.ExecContext(ctx, s+integers(ids)+`)`); err != nil {
			return false, err
		}
	}
	return found < atOnceRaws && len(ids) == found, nil
}

// pruneFailures deletes failure reports. What they came in goes with them, unless it holds other reports: of that, only the bytes go.
func pruneFailures(ctx context.Context, tx *transaction, before time.Time) (bool, error) {
	ids, err := gather(ctx, tx, `SELECT report FROM failures WHERE at < $1 ORDER BY at LIMIT $2`, []any{micros(before), atOnceFailures}, scanID)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := dropRawsOf(ctx, tx, id); err != nil {
			return false, err
		}
		raws, err := gather(ctx, tx, `SELECT raw FROM report_raws WHERE report = $1`, []any{id}, scanID)
		if err != nil {
			return false, err
		}
		var same []byte
		if err := tx.QueryRowContext(ctx, `SELECT same FROM reports WHERE id = $1`, id).Scan(&same); err != nil {
			return false, err
		}
		if err := removeReport(ctx, tx, id, same); err != nil {
			return false, err
		}
		for _, raw := range raws {
			if _, err := tx.ExecContext(ctx, `UPDATE raws SET reports = (SELECT count(*) FROM report_raws WHERE raw = $1) WHERE id = $1`, raw); err != nil {
				return false, err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM raws WHERE id = $1 AND reports = 0`, raw); err != nil {
				return false, err
			}
		}
	}
	return len(ids) < atOnceFailures, nil
}
