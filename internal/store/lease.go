package store

import (
	"context"
	"fmt"
	"time"
)

// Lease is as Store says. The clock is the database's own: those of the nodes may differ.
func (d *database) Lease(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error) {
	name, holder = clean(name, maxText), clean(holder, maxText)
	statement := fmt.Sprintf(`INSERT INTO leases (name, holder, until) VALUES ($1, $2, %[1]s + $3) ON CONFLICT (name)
		DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE leases.holder = excluded.holder OR leases.until <= %[1]s`, d.clock())
	err = d.change(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, statement, name, holder, ttl.Microseconds())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		held = n > 0
		return err
	})
	return held && err == nil, err
}

// Release is as Store says.
func (d *database) Release(ctx context.Context, name, holder string) error {
	name, holder = clean(name, maxText), clean(holder, maxText)
	return d.change(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM leases WHERE name = $1 AND holder = $2`, name, holder)
		return err
	})
}

func (p *postgresEngine) clock() string {
	return `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`
}

func (s *sqliteEngine) clock() string { return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)` }

func (k *kept) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	return ask(ctx, k, func(s Store) (bool, error) { return s.Lease(ctx, name, holder, ttl) })
}

func (k *kept) Release(ctx context.Context, name, holder string) error {
	return tell(ctx, k, func(s Store) error { return s.Release(ctx, name, holder) })
}
