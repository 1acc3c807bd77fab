package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"iter"
)

// Reread is as Reports says.
func (d *database) Reread(ctx context.Context, a Arrival) (added Added, err error) {
	needs, err := d.rereadNeeds(ctx, &a)
	if err != nil {
		return Added{}, err
	}
	err = d.arrivals(ctx, func(w *arriving, run context.Context) (err error) {
		raw, found, err := w.findRaw(run, a.Raw.Hash)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%w: %x", ErrNoRaw, a.Raw.Hash)
		}
		added, err = w.reread(run, raw, &a)
		return err
	}, needs...)
	if err != nil {
		return Added{}, err
	}
	return added, nil
}

const heldBy = `WHERE id IN (SELECT report FROM report_raws WHERE raw = $1) ORDER BY id`

// rereadNeeds are the days that figures are of: those of what is read now, and of what was read before.
func (d *database) rereadNeeds(ctx context.Context, a *Arrival) ([]need, error) {
	known, err := collect(ctx, d, `SELECT at, reports.day FROM raws LEFT JOIN report_raws ON report_raws.raw = raws.id
		LEFT JOIN (SELECT id, day FROM reports) AS reports ON reports.id = report_raws.report WHERE hash = $1`, []any{a.Raw.Hash[:]},
		func(rows *sql.Rows) (day sql.NullInt64, err error) {
			var at int64
			err = rows.Scan(&at, &day)
			a.Raw.At = moment(at)
			return day, err
		})
	if err != nil {
		return nil, err
	}
	needs := reportNeeds([]Arrival{*a})
	for i := range needs {
		for _, day := range known {
			if day.Valid {
				needs[i].days = append(needs[i].days, day.Int64)
			}
		}
	}
	return needs, nil
}

// reread sets what a raw holds against what was read from it before. A report goes when no raw holds it any more.
func (w *arriving) reread(ctx context.Context, raw storedRaw, a *Arrival) (added Added, err error) {
	added.Known = true
	if _, err := w.tx.ExecContext(ctx, `UPDATE raws SET refusals = $2 WHERE id = $1`, raw.id, a.refusals()); err != nil {
		return added, err
	}
	before, err := w.stored(ctx, heldBy, raw.id)
	if err != nil {
		return added, err
	}
	kept := map[int64]bool{}
	for i := range a.Reports {
		r, err := bounded(&a.Reports[i])
		if err != nil {
			return added, err
		}
		same, state := identity(&r), ReportKnown
		old, is := readBefore(before, kept, &r, same)
		switch {
		case old == nil:
			state, err = w.report(ctx, raw, &r)
		case kept[old.id]: // twice in one raw
		case is:
			kept[old.id] = true
			state, err = w.replace(ctx, old, &r)
		default:
			kept[old.id] = true
			state, err = w.rename(ctx, raw, old, &r, same)
		}
		if err != nil {
			return added, err
		}
		added.Reports = append(added.Reports, state)
	}
	for i := range before {
		if kept[before[i].id] {
			continue
		}
		if err := w.unlink(ctx, &before[i], raw.id); err != nil {
			return added, err
		}
		added.Removed++
	}
	return added, w.settle(ctx, raw, true)
}

// readBefore finds the report among those of a raw that is the same, or has the same content at least: that was read under another
// name then.
func readBefore(before []storedReport, kept map[int64]bool, r *Report, same []byte) (old *storedReport, is bool) {
	for i := range before {
		b := &before[i]
		switch {
		case b.content != r.Content || b.kind != r.Kind:
		case bytes.Equal(b.same, same):
			return b, true
		case !kept[b.id]:
			old = b
		}
	}
	return old, false
}

// replace brings a report that the store has to what was read now. Where its rows are gone, its figures stay as they are.
func (w *arriving) replace(ctx context.Context, old *storedReport, r *Report) (state string, err error) {
	state = ReportKnown
	warnings := texts(r.Warnings)
	redacted := false
	if old.kind == Failure {
		if redacted, err = w.redacted(ctx, old.id); err != nil || redacted {
			return state, err
		}
	}
	if string(r.Document) != old.document || warnings != old.warnings {
		state = ReportChanged
		policy := int64(0)
		if text := policyOf(r.Document); text != "" && r.Kind == Aggregate {
			if policy, err = w.name(ctx, "texts", "text", text); err != nil {
				return state, err
			}
		}
		if _, err := w.tx.ExecContext(ctx, `UPDATE reports SET document = $2, warnings = $3, policy = $4, email = $5, part = $6 WHERE id = $1`, old.id,
			string(r.Document), warnings, policy, r.Email, r.Part); err != nil {
			return state, err
		}
	}
	switch old.kind {
	case Failure:
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM failures WHERE report = $1`, old.id); err != nil {
			return state, err
		}
		return state, w.addFailure(ctx, old, r)
	case TLS:
		if err := w.countTLS(ctx, old, -1); err != nil {
			return state, err
		}
		if _, err := w.tx.ExecContext(ctx, `DELETE FROM tls_results WHERE report = $1`, old.id); err != nil {
			return state, err
		}
		return state, w.addTLS(ctx, old, r)
	}
	if !old.whole() {
		return state, nil
	}
	equal, err := w.equalRows(ctx, old, r)
	if err != nil || equal {
		return state, err
	}
	return ReportChanged, w.replaceRows(ctx, old, r)
}

// noRows stands for a report without any.
func noRows(func(Row, error) bool) {}

func rowsOf(r *Report) iter.Seq2[Row, error] {
	if r.Rows == nil {
		return noRows
	}
	return r.Rows
}

// equalRows tells whether the rows are those that are kept.
func (w *arriving) equalRows(ctx context.Context, old *storedReport, r *Report) (bool, error) {
	next, stop := iter.Pull2(w.d.storedRows(ctx, w.tx, old.id))
	defer stop()
	var encoded []byte
	for row, err := range rowsOf(r) {
		if err != nil {
			return false, err
		}
		kept, err, more := next()
		if err != nil || !more {
			return false, err
		}
		encoded = appendRow(encoded[:0], &row)
		if !bytes.Equal(encoded, kept.encoded) {
			return false, w.ctx.Err()
		}
	}
	_, err, more := next()
	return !more, err
}

// replaceRows takes an old row away for each that it adds, so that what is equal in both cancels out before it is written.
func (w *arriving) replaceRows(ctx context.Context, old *storedReport, r *Report) error {
	next, stop := iter.Pull2(w.d.storedRows(ctx, w.tx, old.id))
	defer stop()
	var kept keptRow
	more := true
	take := func() (err error) {
		if !more {
			return nil
		}
		if kept, err, more = next(); err != nil || !more {
			return err
		}
		w.tally.row(old.place, &kept.Row, -1, w.knowsFacet)
		return w.breathe(ctx)
	}
	out := rowChunks{w: w, report: -old.id} // a number of nobody's, until the old chunks are gone
	for row, err := range rowsOf(r) {
		if err != nil {
			return err
		}
		if err := take(); err != nil {
			return err
		}
		if err := w.addRow(ctx, &out, old.place, &row); err != nil {
			return err
		}
	}
	for more {
		if err := take(); err != nil {
			return err
		}
	}
	if err := out.flush(ctx); err != nil {
		return err
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE FROM report_rows WHERE report = $1`, old.id); err != nil {
		return err
	}
	if _, err := w.tx.ExecContext(ctx, `UPDATE report_rows SET report = $2 WHERE report = $1`, -old.id, old.id); err != nil {
		return err
	}
	out.report = old.id
	return out.finish(ctx)
}

// count adds all that a report brought into the figures, or takes it away.
func (w *arriving) count(ctx context.Context, r *storedReport, sign int64) error {
	if r.kind == TLS {
		return w.countTLS(ctx, r, sign)
	}
	for row, err := range w.d.storedRows(ctx, w.tx, r.id) {
		if err != nil {
			return err
		}
		w.tally.row(r.place, &row.Row, sign, w.knowsFacet)
		if err := w.breathe(ctx); err != nil {
			return err
		}
	}
	return nil
}

// verify moves a report between the figures of those that are verified and of those that are not. It stays where it is when its rows are
// gone.
func (w *arriving) verify(ctx context.Context, r *storedReport, verified bool) error {
	if !r.whole() || r.verified == verified {
		return nil
	}
	if err := w.count(ctx, r, -1); err != nil {
		return err
	}
	r.verified = verified
	if err := w.count(ctx, r, 1); err != nil {
		return err
	}
	_, err := w.tx.ExecContext(ctx, `UPDATE reports SET verified = $2 WHERE id = $1`, r.id, number(verified))
	return err
}

// unlink parts a report from a raw that holds it no longer, and removes it if that was the last. Where its rows are gone it stays:
// its figures could not be taken back.
func (w *arriving) unlink(ctx context.Context, r *storedReport, raw int64) error {
	if !r.whole() {
		return nil
	}
	if _, err := w.tx.ExecContext(ctx, `DELETE FROM report_raws WHERE report = $1 AND raw = $2`, r.id, raw); err != nil {
		return err
	}
	var left int
	if err := w.tx.QueryRowContext(ctx, `SELECT count(*) FROM report_raws WHERE report = $1`, r.id).Scan(&left); err != nil {
		return err
	}
	if left > 0 {
		verified, err := w.verifiedBy(ctx, r)
		if err != nil {
			return err
		}
		return w.verify(ctx, r, verified)
	}
	if err := w.count(ctx, r, -1); err != nil {
		return err
	}
	return removeReport(ctx, w.tx, r.id, r.same)
}

// verifiedBy tells whether one of the raws that hold a report makes it a verified one.
func (w *arriving) verifiedBy(ctx context.Context, r *storedReport) (bool, error) {
	domains, err := w.countedIn(ctx, r)
	if err != nil {
		return false, err
	}
	rows, err := w.tx.QueryContext(ctx, `SELECT raws.dmarc, raws.token_domain FROM report_raws JOIN raws ON raws.id = report_raws.raw
		WHERE report_raws.report = $1`, r.id)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	verified := false
	for rows.Next() {
		var raw storedRaw
		if err := rows.Scan(&raw.dmarc, &raw.token); err != nil {
			return false, err
		}
		verified = verified || raw.verified(domains...)
	}
	return verified, rows.Err()
}

// countedIn are the domains in whose figures a report counts, as reportDomains has them.
func (w *arriving) countedIn(ctx context.Context, r *storedReport) ([]string, error) {
	rows, err := w.tx.QueryContext(ctx, `SELECT name FROM domains WHERE id = $2 OR id IN (SELECT domain FROM tls_results WHERE report = $1)`,
		r.id, r.domain)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var domains []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		domains = append(domains, name)
	}
	return domains, rows.Err()
}

// removeReport deletes a report whose figures are taken back.
func removeReport(ctx context.Context, tx *transaction, id int64, same []byte) error {
	for _, s := range []string{
		`DELETE FROM report_rows WHERE report = $1`, `DELETE FROM tls_results WHERE report = $1`, `DELETE FROM failures WHERE report = $1`,
		`DELETE FROM report_raws WHERE report = $1`, `DELETE FROM reports WHERE id = $1`,
	} {
		if _, err := tx.ExecContext(ctx, s, id); err != nil {
			return err
		}
	}
	return markConflicts(ctx, tx, same)
}

// markConflicts marks those that differ only in their content, or takes the mark from the one that is left.
func markConflicts(ctx context.Context, tx *transaction, same []byte) error {
	_, err := tx.ExecContext(ctx, `UPDATE reports SET conflicting = CASE WHEN (SELECT count(*) FROM reports WHERE same = $1) > 1 THEN 1 ELSE 0 END
		WHERE same = $1`, same)
	return err
}
