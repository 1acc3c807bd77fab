package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// underWay are the states of letters that count as sent: of one that is being sent nobody knows yet, and of one that bounced somebody did.
var underWay = []string{LetterSending, LetterSent, LetterBounced}

// ClaimNotice is as Notices says.
func (d *database) ClaimNotice(ctx context.Context, l NoticeLetter, limits NoticeLimits) (NoticeLetter, error) {
	n, err := d.Notice(ctx, l.Notice)
	if err != nil {
		return l, err
	}
	// What passed once stays so: there is no need to be alone while that is looked for.
	how, err := d.Legitimate(ctx, n.Domain)
	if err != nil {
		return l, err
	}
	if how == "" {
		return l, held("nothing of %s ever passed here, so that it may be used by nobody but who abuses it", n.Domain)
	}
	l.Recipient = clean(strings.ToLower(l.Recipient), maxAddress)
	err = d.change(ctx, func(tx *transaction) error {
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		if err := mayWrite(ctx, tx, n, l, limits); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO notice_letters (notice, recipient, organization, state, at, message_id, attempts, detail)
			VALUES ($1, $2, $3, $4, $5, $6, 1, '') ON CONFLICT (notice, recipient) DO UPDATE SET state = excluded.state, at = excluded.at,
			message_id = excluded.message_id, attempts = notice_letters.attempts + 1, detail = '' RETURNING attempts`,
			l.Notice, l.Recipient, n.Organization, LetterSending, micros(l.At), clean(l.MessageID, maxText)).Scan(&l.Attempts)
		l.State, l.Detail = LetterSending, ""
		return err
	})
	return l, err
}

func held(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrNoticeHeld}, args...)...)
}

// mayWrite looks at all that could speak against a letter. Nobody else changes any of it meanwhile.
func mayWrite(ctx context.Context, tx *transaction, n Notice, l NoticeLetter, limits NoticeLimits) error {
	var state string
	if err := tx.QueryRowContext(ctx, `SELECT state FROM notices WHERE id = $1`, n.ID).Scan(&state); err != nil {
		return err
	}
	if state != NoticeApproved {
		return held("the case is %s, and only what was approved is sent", state)
	}
	for _, subject := range append(parents(n.Domain), append([]string{l.Recipient}, parents(domainOf(l.Recipient))...)...) {
		var reason string
		err := tx.QueryRowContext(ctx, `SELECT reason FROM notice_suppressions WHERE subject = $1`, subject).Scan(&reason)
		if err == nil {
			return held("%s is not to be written to: %s", subject, reason)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	last := func(condition string, since time.Duration, args ...any) (at int64, err error) {
		args = append([]any{micros(l.At.Add(-since))}, args...)
		err = tx.QueryRowContext(ctx, `SELECT coalesce(max(at), 0) FROM notice_letters WHERE at > $1 AND `+states("state", underWay)+` AND `+condition, args...).Scan(&at)
		return at, err
	}
	at, err := last("organization = $2", limits.Quiet, n.Organization)
	if err != nil || at > 0 {
		return errors.Join(err, only(at > 0, held("a letter went to %s on %s", n.Organization, moment(at).Format(time.DateOnly))))
	}
	at, err = last("recipient = $2", limits.Recipient, l.Recipient)
	if err != nil || at > 0 {
		return errors.Join(err, only(at > 0, held("a letter went to %s on %s", l.Recipient, moment(at).Format(time.DateOnly))))
	}
	for _, limit := range []struct {
		most  int
		since time.Duration
		what  string
	}{{limits.PerHour, time.Hour, "hour"}, {limits.PerDay, 24 * time.Hour, "day"}} {
		var sent int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notice_letters WHERE at > $1 AND state <> '`+LetterWaiting+`'`, micros(l.At.Add(-limit.since))).Scan(&sent); err != nil {
			return err
		}
		if sent >= limit.most {
			return held("%d letters went out within the %s, and no more may", sent, limit.what)
		}
	}
	return nil
}

// parents are a domain and those above it, but for the last label.
func parents(domain string) []string {
	var all []string
	for strings.Contains(domain, ".") {
		all = append(all, domain)
		_, domain, _ = strings.Cut(domain, ".")
	}
	return all
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// SettleNotice is as Notices says. A letter that was sent makes its case one that was.
func (d *database) SettleNotice(ctx context.Context, l NoticeLetter) error {
	return d.change(ctx, func(tx *transaction) error {
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE notice_letters SET state = $1, at = $2, detail = $3 WHERE notice = $4 AND recipient = $5 AND attempts = $6
			AND state = '`+LetterSending+`'`, clean(l.State, maxWord), micros(l.At), clean(l.Detail, maxText), l.Notice,
			clean(strings.ToLower(l.Recipient), maxAddress), l.Attempts)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, only(n == 0, fmt.Errorf("the letter of the case %d: %w", l.Notice, ErrNotClaimed)))
		}
		if l.State != LetterSent {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE notices SET state = '`+NoticeSent+`', changed = $1 WHERE id = $2 AND state = '`+NoticeApproved+`'`, micros(l.At), l.Notice)
		return err
	})
}

// Legitimate is as Notices says: something authenticated and was let in, somebody made an exception that was used, or reports have it.
func (d *database) Legitimate(ctx context.Context, domain string) (string, error) {
	domain = lower(domain)
	if domain == "" {
		return "", nil
	}
	below := "%." + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(domain)
	of := func(column string) string { return `(` + column + ` = $1 OR ` + column + ` LIKE $2 ESCAPE '\')` }
	for _, q := range []struct{ how, query string }{
		{"somebody lets it in, and mail came by that", `SELECT 1 FROM exceptions WHERE uses > 0 AND (` + of("domain") + ` OR domain = '*.' || $1) LIMIT 1`},
		{"mail of it authenticated and was let in", `SELECT 1 FROM observations WHERE done IN ('accept', 'mark') AND ((` + of("author_domain") +
			` AND (dmarc = 'pass' OR aligned_spf <> 0 OR aligned_dkim <> 0)) OR (` + of("envelope_domain") + ` AND spf = 'pass')) LIMIT 1`},
		{"reports tell of mail of it that passed", `SELECT 1 FROM report_days JOIN domains ON domains.id = report_days.domain WHERE report_days.passed > 0 AND ` +
			of("domains.name") + ` LIMIT 1`},
	} {
		found, err := collect(ctx, d, q.query, []any{domain, below}, func(rows *sql.Rows) (one int, err error) { return one, rows.Scan(&one) })
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return q.how, nil
		}
	}
	return "", nil
}

// Suppress is as Notices says.
func (d *database) Suppress(ctx context.Context, s Suppression) error {
	return d.change(ctx, func(tx *transaction) error {
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		return suppress(ctx, tx, s)
	})
}

// suppress keeps the first reason that was given.
func suppress(ctx context.Context, tx *transaction, s Suppression) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notice_suppressions`).Scan(&n); err != nil {
		return err
	}
	if n >= mostSuppressions {
		return fmt.Errorf("there are %d who are not written to, and no more are kept; it is time to write to nobody", n)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO notice_suppressions (subject, reason, author, at) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) DO NOTHING`,
		subject(s.Subject), clean(s.Reason, maxText), clean(s.Author, maxDomain), micros(s.At))
	return err
}

func subject(s string) string { return strings.ToLower(clean(s, maxAddress)) }

// Unsuppress is as Notices says.
func (d *database) Unsuppress(ctx context.Context, s string) (was bool, err error) {
	err = d.change(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM notice_suppressions WHERE subject = $1`, subject(s))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		was = n > 0
		return err
	})
	return was, err
}

// Suppressions is as Notices says.
func (d *database) Suppressions(ctx context.Context) ([]Suppression, error) {
	return collect(ctx, d, `SELECT subject, reason, author, at FROM notice_suppressions ORDER BY subject`, nil, func(rows *sql.Rows) (s Suppression, err error) {
		var at int64
		err = rows.Scan(&s.Subject, &s.Reason, &s.Author, &at)
		s.At = moment(at)
		return s, err
	})
}
