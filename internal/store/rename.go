package store

import "context"

// rename gives a report that the store has the names and the period that are read now, and all that comes of them. Whatever it came in,
// it is the same report: its content is.
func (w *arriving) rename(ctx context.Context, raw storedRaw, old *storedReport, r *Report, same []byte) (string, error) {
	others, err := w.stored(ctx, `WHERE same = $1`, same)
	if err != nil {
		return "", err
	}
	for i := range others {
		if others[i].content == r.Content { // it came under this name too, by another raw
			if old, err = w.merge(ctx, old, &others[i]); err != nil || old.id == others[i].id {
				return ReportKnown, err
			}
		}
	}
	redacted := false
	if old.kind == Failure {
		if redacted, err = w.redacted(ctx, old.id); err != nil {
			return "", err
		}
	}
	before := old.same
	old.same = same
	switch {
	case redacted, !old.whole(): // figures stay where they are; that the report is known is all
		_, err = w.tx.ExecContext(ctx, `UPDATE reports SET same = $2 WHERE id = $1`, old.id, same)
	default:
		err = w.move(ctx, raw, old, r)
	}
	if err != nil {
		return "", err
	}
	if !redacted {
		if _, err := w.tx.ExecContext(ctx, `UPDATE reports SET report_id = $2, begins = $3, ends = $4 WHERE id = $1`, old.id, r.ReportID,
			micros(r.Begin), micros(r.End)); err != nil {
			return "", err
		}
	}
	for _, key := range [][]byte{before, same} {
		if err := markConflicts(ctx, w.tx, key); err != nil {
			return "", err
		}
	}
	if _, err := w.replace(ctx, old, r); err != nil {
		return "", err
	}
	return ReportChanged, nil
}

// move takes the figures of a report from one place to another.
func (w *arriving) move(ctx context.Context, raw storedRaw, old *storedReport, r *Report) (err error) {
	if err := w.count(ctx, old, -1); err != nil {
		return err
	}
	if old.domain, err = w.name(ctx, "domains", "name", r.Domain); err != nil {
		return err
	}
	if old.reporter, err = w.name(ctx, "texts", "text", r.Reporter); err != nil {
		return err
	}
	old.day = reportDay(r.Begin, r.End, moment(raw.at))
	if _, err := w.tx.ExecContext(ctx, `UPDATE reports SET same = $2, domain = $3, reporter = $4, day = $5 WHERE id = $1`, old.id, old.same,
		old.domain, old.reporter, old.day); err != nil {
		return err
	}
	if old.verified, err = w.verifiedBy(ctx, old); err != nil {
		return err
	}
	if _, err := w.tx.ExecContext(ctx, `UPDATE reports SET verified = $2 WHERE id = $1`, old.id, number(old.verified)); err != nil {
		return err
	}
	return w.count(ctx, old, 1)
}

// merge makes one report of two that are the same, and gives the one that is left: the one whose figures cannot be taken back, if there
// is one.
func (w *arriving) merge(ctx context.Context, a, b *storedReport) (*storedReport, error) {
	stays, goes := b, a
	if !goes.whole() {
		stays, goes = a, b
	}
	if !goes.whole() { // neither can go
		return b, nil
	}
	if _, err := w.tx.ExecContext(ctx, `INSERT INTO report_raws (report, raw) SELECT $1, raw FROM report_raws WHERE report = $2
		ON CONFLICT (report, raw) DO NOTHING`, stays.id, goes.id); err != nil {
		return nil, err
	}
	if err := w.count(ctx, goes, -1); err != nil {
		return nil, err
	}
	if err := removeReport(ctx, w.tx, goes.id, goes.same); err != nil {
		return nil, err
	}
	verified, err := w.verifiedBy(ctx, stays)
	if err != nil {
		return nil, err
	}
	return stays, w.verify(ctx, stays, verified)
}
