package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

const (
	eventAge   = 400 * 24 * time.Hour // how long the audit log goes back
	mostEvents = 1_000_000            // and with how many lines, whoever fills it
	tokenAge   = 30 * 24 * time.Hour  // how long a token is listed after its end
)

func scanEvent(rows *sql.Rows) (e people.Event, err error) {
	var at int64
	err = rows.Scan(&e.ID, &at, &e.Who, &e.Address, &e.What, &e.About, &e.Detail)
	e.At = moment(at)
	return e, err
}

// AddEvent is as people.Store says.
func (d *database) AddEvent(ctx context.Context, e people.Event) error {
	return d.change(ctx, func(tx *transaction) error {
		id, err := take(ctx, tx, "event", 1)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO events (id, at, who, address, what, about, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, micros(e.At),
			clean(e.Who, maxText), clean(e.Address, maxWord), clean(e.What, maxWord), clean(e.About, maxText), clean(e.Detail, maxText))
		return err
	})
}

// Events is as people.Store says.
func (d *database) Events(ctx context.Context, before int64, limit int) ([]people.Event, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	var c conditions
	if before != 0 {
		c.add("id < ?", before)
	}
	return collect(ctx, d, `SELECT id, at, who, address, what, about, detail FROM events`+c.where()+fmt.Sprintf(" ORDER BY id DESC LIMIT %d", limit), c.args, scanEvent)
}

// prunePeople deletes sessions, links and tokens that have ended, and lines of the audit log that are too old; and tells whether that was all.
func prunePeople(ctx context.Context, tx *transaction, now time.Time) (all bool, err error) {
	for _, s := range []struct {
		statement string
		before    time.Time
	}{
		{`DELETE FROM sessions WHERE expires <= $1`, now},
		{`DELETE FROM links WHERE expires <= $1`, now},
		{`DELETE FROM tokens WHERE expires > 0 AND expires <= $1`, now.Add(-tokenAge)},
	} {
		if _, err := tx.ExecContext(ctx, s.statement, micros(s.before)); err != nil {
			return false, err
		}
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'event'`).Scan(&last); err != nil {
		return false, err
	}
	ids, err := gather(ctx, tx, `SELECT id FROM events WHERE at < $1 OR id <= $2 ORDER BY id LIMIT $3`,
		[]any{micros(now.Add(-eventAge)), last - mostEvents, prunedAtOnce}, scanID)
	if err != nil || len(ids) == 0 {
		return true, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM events WHERE id IN (`+integers(ids)+`)`)
	return len(ids) < prunedAtOnce, err
}
