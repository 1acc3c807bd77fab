package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/netip"
	"time"
)

const insertFailure = `INSERT INTO failures (report, at, arrived, domain, source, author_domain, auth_failure, alignment, delivery_result, redacted)
	SELECT $1, at, $2, domain, $3, $4, $5, $6, $7, 0 FROM reports WHERE id = $1`

// addFailure notes what a failure report is searched by. Everything else is in its document.
func (w *arriving) addFailure(ctx context.Context, p *storedReport, r *Report) error {
	f := r.Failure
	if f == nil {
		f = &FailedMessage{}
	}
	_, err := w.tx.ExecContext(ctx, insertFailure, p.id, micros(clampTime(f.Arrived)), addressBytes(bare(f.SourceIP)), lower(f.AuthorDomain),
		clean(f.AuthFailure, maxWord), clean(f.Alignment, maxText), clean(f.DeliveryResult, maxWord))
	return err
}

// bare gives an address without what only its reporter's machine understands.
func bare(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

func (w *arriving) redacted(ctx context.Context, report int64) (is bool, err error) {
	err = w.tx.QueryRowContext(ctx, `SELECT redacted FROM failures WHERE report = $1`, report).Scan(&is)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return is, err
}

// Failures is as Reports says.
func (d *database) Failures(ctx context.Context, f FailureFilter) ([]FailureInfo, error) {
	var c conditions
	if f.Domain != "" {
		c.add("failures.domain = (SELECT id FROM domains WHERE name = ?)", lower(f.Domain))
	}
	if !f.From.IsZero() {
		c.add("failures.at >= ?", micros(day(f.From)))
	}
	if !f.To.IsZero() {
		c.add("failures.at < ?", micros(day(f.To).AddDate(0, 0, 1)))
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	c.args = append(c.args, f.Limit)
	query := `SELECT failures.report, failures.at, arrived, domains.name, source, author_domain, auth_failure, alignment, delivery_result, redacted,
		reports.document FROM failures JOIN reports ON reports.id = failures.report JOIN domains ON domains.id = failures.domain` + c.where() +
		` ORDER BY failures.at DESC, failures.report DESC LIMIT ` + c.last()
	return collect(ctx, d, query, c.args, func(rows *sql.Rows) (i FailureInfo, err error) {
		var at, arrived int64
		var source []byte
		var document string
		err = rows.Scan(&i.Report, &at, &arrived, &i.ReportedDomain, &source, &i.AuthorDomain, &i.AuthFailure, &i.Alignment, &i.DeliveryResult,
			&i.Redacted, &document)
		i.At, i.Arrived, i.SourceIP, i.Document = moment(at), moment(arrived), address(source), json.RawMessage(document)
		return i, err
	})
}

// impersonal are the members of a failure report that a redacted one keeps.
var impersonal = []string{"kind", "reporter", "version", "feedback_type", "incidents", "arrival_date", "source_ip", "author_domain", "reported_domain",
	"auth_failure", "identity_alignment", "delivery_result"}

func redact(document string) string {
	var all map[string]json.RawMessage
	left := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(document), &all) == nil {
		for _, name := range impersonal {
			if v, ok := all[name]; ok {
				left[name] = v
			}
		}
	}
	left["redacted"] = json.RawMessage("true")
	b, _ := json.Marshal(left) // members that came out of a document
	return string(b)
}

// atOnceFailures bounds how long others wait while failure reports are redacted or deleted.
const atOnceFailures = 100

// RedactFailures is as Reports says.
func (d *database) RedactFailures(ctx context.Context, domain string, before time.Time) (done bool, err error) {
	err = d.change(ctx, func(tx *transaction) error {
		if err := d.alone(ctx, tx); err != nil {
			return err
		}
		var c conditions
		c.add("redacted = 0")
		if domain != "" {
			c.add("failures.domain = (SELECT id FROM domains WHERE name = ?)", lower(domain))
		}
		if !before.IsZero() {
			c.add("failures.at < ?", micros(before))
		}
		c.args = append(c.args, atOnceFailures)
		found, err := gather(ctx, tx, `SELECT failures.report, document FROM failures JOIN reports ON reports.id = failures.report`+c.where()+
			` ORDER BY failures.at LIMIT `+c.last(), c.args, func(rows *sql.Rows) (f struct {
			report   int64
			document string
		}, err error) {
			err = rows.Scan(&f.report, &f.document)
			return f, err
		})
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := dropRawsOf(ctx, tx, f.report); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE reports SET document = $2, warnings = '', report_id = '', part = '' WHERE id = $1`, f.report,
				redact(f.document)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE failures SET redacted = 1 WHERE report = $1`, f.report); err != nil {
				return err
			}
		}
		done = len(found) < atOnceFailures
		return nil
	})
	return done && err == nil, err
}

// dropRawsOf does that with all that a report came in.
func dropRawsOf(ctx context.Context, tx *transaction, report int64) error {
	raws, err := gather(ctx, tx, `SELECT raw FROM report_raws WHERE report = $1`, []any{report}, scanID)
	if err != nil {
		return err
	}
	for _, id := range raws {
		if err := dropPersonal(ctx, tx, id); err != nil {
			return err
		}
	}
	return nil
}
