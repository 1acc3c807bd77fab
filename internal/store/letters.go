package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Letters is the part of a [Store] that remembers what was sent, so that nothing is sent twice: not by two nodes, and not after a crash.
//
// A letter is claimed before it is handed over, and settled after that. The claim is committed by then, and only one of those who ask at
// the same time gets it. A process that dies in between leaves a letter as it was claimed: whether it was sent nobody knows.
type Letters interface {
	// ClaimLetter notes that a letter is about to be sent, and by a number under which attempt. It is refused, with what is there, if the
	// letter was claimed before and is not waiting; unless it is to be sent again.
	ClaimLetter(ctx context.Context, l Letter, again bool) (Letter, bool, error)

	// SettleLetter notes what became of a letter that was claimed. It wraps [ErrNotClaimed] if it is not that attempt's any more.
	SettleLetter(ctx context.Context, l Letter) error

	// Letters gives those of a name, or all, the latest first.
	Letters(ctx context.Context, name string, limit int) ([]Letter, error)

	// ClaimAlerts gives those of the alerts that are to be told now: what was not told since the time quiet, and is not being told by
	// another who began after the time since. What was told before the time forget is forgotten.
	ClaimAlerts(ctx context.Context, all []Alert, now, quiet, since, forget time.Time) ([]Alert, error)

	// SettleAlerts notes that alerts were told, or that they wait to be tried again. Those that another claimed meanwhile stay as they are.
	SettleAlerts(ctx context.Context, all []Alert, told bool, now time.Time) error
}

// ErrNotClaimed is that of settling what was not claimed.
var ErrNotClaimed = errors.New("it is not claimed")

// The states of a letter.
const (
	LetterSending = "sending" // claimed; after a crash nobody knows whether it was sent
	LetterSent    = "sent"
	LetterWaiting = "waiting" // it was put off, and is tried again
	LetterFailed  = "failed"  // it was refused for good
	LetterNothing = "nothing" // there was nothing to tell, and so nothing was sent
)

// A Letter is one that was sent, or is to be.
type Letter struct {
	Name      string    `json:"name"`   // of its digest
	Period    string    `json:"period"` // 2026-W47
	State     string    `json:"state"`
	At        time.Time `json:"at"` // since when
	MessageID string    `json:"message_id"`
	Attempts  int64     `json:"attempts"`
	Detail    string    `json:"detail"` // why it waits or failed
}

// An Alert is one thing to tell on one channel.
type Alert struct {
	Channel, Kind, Domain, Subject string
	attempts                       int64 // of the claim
}

// ClaimLetter is as Letters says.
func (d *database) ClaimLetter(ctx context.Context, l Letter, again bool) (Letter, bool, error) {
	var claimed bool
	l.Name, l.Period = clean(l.Name, maxDomain), clean(l.Period, maxWord)
	err := d.change(ctx, func(tx *transaction) error {
		claimed = false
		only := ` WHERE letters.state = '` + LetterWaiting + `'`
		if again {
			only = ""
		}
		err := tx.QueryRowContext(ctx, `INSERT INTO letters (name, period, state, at, message_id, attempts, detail) VALUES ($1, $2, $3, $4, $5, 1, '')
			ON CONFLICT (name, period) DO UPDATE SET state = excluded.state, at = excluded.at, message_id = excluded.message_id,
			attempts = letters.attempts + 1, detail = ''`+only+` RETURNING attempts`,
			l.Name, l.Period, LetterSending, micros(l.At), clean(l.MessageID, maxText)).Scan(&l.Attempts)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		claimed = err == nil
		return err
	})
	if err != nil {
		return l, false, err
	}
	if claimed {
		l.State, l.Detail = LetterSending, ""
		return l, true, nil
	}
	found, err := collect(ctx, d, selectLetters+` WHERE name = $1 AND period = $2`, []any{l.Name, l.Period}, scanLetter)
	if err != nil || len(found) == 0 {
		return l, false, err
	}
	return found[0], false, nil
}

// SettleLetter is as Letters says.
func (d *database) SettleLetter(ctx context.Context, l Letter) error {
	return d.change(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, `UPDATE letters SET state = $1, at = $2, detail = $3 WHERE name = $4 AND period = $5 AND attempts = $6
			AND state = '`+LetterSending+`'`, clean(l.State, maxWord), micros(l.At), clean(l.Detail, maxText), clean(l.Name, maxDomain),
			clean(l.Period, maxWord), l.Attempts)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("the letter %s of %s: %w", l.Name, l.Period, ErrNotClaimed)
		}
		return nil
	})
}

const selectLetters = `SELECT name, period, state, at, message_id, attempts, detail FROM letters`

func scanLetter(rows *sql.Rows) (l Letter, err error) {
	var at int64
	err = rows.Scan(&l.Name, &l.Period, &l.State, &at, &l.MessageID, &l.Attempts, &l.Detail)
	l.At = moment(at)
	return l, err
}

// Letters is as Letters says.
func (d *database) Letters(ctx context.Context, name string, limit int) ([]Letter, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	var c conditions
	if name != "" {
		c.add("name = ?", clean(name, maxDomain))
	}
	where := c.where()
	c.args = append(c.args, limit)
	return collect(ctx, d, selectLetters+where+` ORDER BY at DESC, name, period DESC LIMIT `+c.last(), c.args, scanLetter)
}

// ClaimAlerts is as Letters says.
func (d *database) ClaimAlerts(ctx context.Context, all []Alert, now, quiet, since, forget time.Time) ([]Alert, error) {
	var claimed []Alert
	err := d.change(ctx, func(tx *transaction) error {
		claimed = nil
		if _, err := tx.ExecContext(ctx, `DELETE FROM alerts WHERE at < $1`, micros(forget)); err != nil {
			return err
		}
		for _, a := range all {
			err := tx.QueryRowContext(ctx, `INSERT INTO alerts (channel, kind, domain, subject, state, at, told, attempts)
				VALUES ($1, $2, $3, $4, '`+LetterSending+`', $5, 0, 1) ON CONFLICT (channel, kind, domain, subject) DO UPDATE
				SET state = excluded.state, at = excluded.at, attempts = alerts.attempts + 1
				WHERE alerts.told < $6 AND (alerts.state <> '`+LetterSending+`' OR alerts.at < $7) RETURNING attempts`,
				clean(a.Channel, maxText), clean(a.Kind, maxWord), lower(a.Domain), clean(a.Subject, maxText), micros(now), micros(quiet),
				micros(since)).Scan(&a.attempts)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			claimed = append(claimed, a)
		}
		return nil
	})
	return claimed, err
}

// SettleAlerts is as Letters says.
func (d *database) SettleAlerts(ctx context.Context, all []Alert, told bool, now time.Time) error {
	set := `state = '` + LetterWaiting + `', at = $1`
	if told {
		set = `state = '` + LetterSent + `', at = $1, told = $1`
	}
	return d.change(ctx, func(tx *transaction) error {
		for _, a := range all {
			if _, err := tx.ExecContext(ctx, `UPDATE alerts SET `+set+` WHERE channel = $2 AND kind = $3 AND domain = $4 AND subject = $5
				AND attempts = $6`, micros(now), clean(a.Channel, maxText), clean(a.Kind, maxWord), lower(a.Domain), clean(a.Subject, maxText),
				a.attempts); err != nil {
				return err
			}
		}
		return nil
	})
}
