package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"
)

// Exceptions is as Store says.
func (d *database) Exceptions(ctx context.Context) ([]Exception, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	found, err := exceptions(ctx, d.read)
	if err != nil {
		return nil, d.explain(err)
	}
	return found, nil
}

func exceptions(ctx context.Context, db *sql.DB) ([]Exception, error) {
	rows, err := db.QueryContext(ctx, `SELECT id, domain, network, sdid, until, reason, author, created, uses, last_used FROM exceptions ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Exception
	for rows.Next() {
		var e Exception
		var network string
		var until, created, used int64
		if err := rows.Scan(&e.ID, &e.Domain, &network, &e.SDID, &until, &e.Reason, &e.Author, &created, &e.Uses, &used); err != nil {
			return nil, err
		}
		if network != "" {
			if e.Network, err = netip.ParsePrefix(network); err != nil {
				return nil, fmt.Errorf("the exception %d: %w", e.ID, err)
			}
		}
		e.Until, e.Created, e.LastUsed = moment(until), moment(created), moment(used)
		found = append(found, e)
	}
	return found, rows.Err()
}

// ExceptionsVersion is as Store says.
func (d *database) ExceptionsVersion(ctx context.Context) (int64, error) {
	if err := d.ready(); err != nil {
		return 0, err
	}
	var v int64
	if err := d.read.QueryRowContext(ctx, `SELECT value FROM counters WHERE name = 'exceptions_version'`).Scan(&v); err != nil {
		return 0, d.explain(err)
	}
	return v, nil
}

// AddException is as Store says.
func (d *database) AddException(ctx context.Context, e *Exception) error {
	network := ""
	if e.Network.IsValid() {
		network = e.Network.String()
	}
	var id int64
	err := d.changeExceptions(ctx, func(tx *transaction) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM exceptions`).Scan(&n); err != nil {
			return err
		}
		if n >= maxExceptions {
			return fmt.Errorf("there are %d exceptions, and no more are kept; remove those that have ended", n)
		}
		var err error
		if id, err = take(ctx, tx, "exception", 1); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO exceptions (id, domain, network, sdid, until, reason, author, created, uses, last_used)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)`, id, clean(e.Domain, maxDomain), network, clean(e.SDID, maxDomain),
			micros(e.Until), clean(e.Reason, maxText), clean(e.Author, maxDomain), micros(e.Created))
		return err
	})
	if err == nil {
		e.ID = id
	}
	return err
}

// ExtendException is as Store says.
func (d *database) ExtendException(ctx context.Context, id int64, until time.Time) error {
	return d.changeException(ctx, id, `UPDATE exceptions SET until = $2 WHERE id = $1`, micros(until))
}

// RemoveException is as Store says.
func (d *database) RemoveException(ctx context.Context, id int64) error {
	return d.changeException(ctx, id, `DELETE FROM exceptions WHERE id = $1`)
}

func (d *database) changeException(ctx context.Context, id int64, statement string, args ...any) error {
	return d.changeExceptions(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, statement, append([]any{id}, args...)...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("%d: %w", id, ErrNoException)
		}
		return nil
	})
}

// changeExceptions runs a transaction after which the set has another version.
func (d *database) changeExceptions(ctx context.Context, steps func(*transaction) error) error {
	return d.change(ctx, func(tx *transaction) error {
		if err := steps(tx); err != nil {
			return err
		}
		_, err := take(ctx, tx, "exceptions_version", 1)
		return err
	})
}
