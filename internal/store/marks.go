package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"
)

const (
	maxMarks      = 10_000 // of all domains
	maxAskedAtOne = 500    // of addresses in a statement
)

// SetMark is as Reports says.
func (d *database) SetMark(ctx context.Context, m SourceMark) error {
	if m.Source == "" || m.Class == "" {
		return fmt.Errorf("store: a mark needs a source and a class: %q, %q", m.Source, m.Class)
	}
	return d.change(ctx, func(tx *transaction) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM source_marks`).Scan(&n); err != nil {
			return err
		}
		if n >= maxMarks {
			return fmt.Errorf("there are %d marks, and no more are kept; remove those that are needed no longer", n)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO source_marks (domain, source, class, reason, author, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (domain, source) DO UPDATE SET class = excluded.class, reason = excluded.reason, author = excluded.author, at = excluded.at`,
			lower(m.Domain), clean(m.Source, maxDomain), clean(m.Class, maxWord), clean(m.Reason, maxText), clean(m.Author, maxDomain), micros(m.At))
		return err
	})
}

// RemoveMark is as Reports says.
func (d *database) RemoveMark(ctx context.Context, domain, source string) error {
	return d.change(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM source_marks WHERE domain = $1 AND source = $2`, lower(domain), clean(source, maxDomain))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("%s: %w", source, ErrNoMark)
		}
		return nil
	})
}

// Marks is as Reports says.
func (d *database) Marks(ctx context.Context, domain string) ([]SourceMark, error) {
	var c conditions
	if domain != "" {
		c.add("domain = ?", lower(domain))
	}
	return collect(ctx, d, `SELECT domain, source, class, reason, author, at FROM source_marks`+c.where()+` ORDER BY domain, source`, c.args,
		func(rows *sql.Rows) (m SourceMark, err error) {
			var at int64
			err = rows.Scan(&m.Domain, &m.Source, &m.Class, &m.Reason, &m.Author, &at)
			m.At = moment(at)
			return m, err
		})
}

// Addresses is as Reports says.
func (d *database) Addresses(ctx context.Context, ips []netip.Addr) ([]Address, error) {
	var all []Address
	for len(ips) > 0 {
		var c conditions
		n := min(len(ips), maxAskedAtOne)
		var in inList
		for _, ip := range ips[:n] {
			in.add(&c, addressBytes(bare(ip)))
		}
		ips = ips[n:]
		found, err := collect(ctx, d, `SELECT ip, ptr, confirmed, asn, as_name, country, service, looked_at FROM addresses WHERE ip IN (`+in.text+
			`) AND looked_at > 0 ORDER BY ip`, c.args, func(rows *sql.Rows) (a Address, err error) {
			var ip []byte
			var at int64
			err = rows.Scan(&ip, &a.PTR, &a.Confirmed, &a.ASN, &a.ASName, &a.Country, &a.Service, &at)
			a.IP, a.LookedAt = address(ip), moment(at)
			return a, err
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// A inList is what stands in an IN.
type inList struct{ text string }

func (l *inList) add(c *conditions, v any) {
	if l.text != "" {
		l.text += ", "
	}
	c.args = append(c.args, v)
	l.text += c.last()
}

// PutAddresses is as Reports says.
func (d *database) PutAddresses(ctx context.Context, all []Address) error {
	return d.change(ctx, func(tx *transaction) error {
		run := d.run(ctx)
		put, err := tx.PrepareContext(run, `INSERT INTO addresses (ip, ptr, confirmed, asn, as_name, country, service, looked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (ip) DO UPDATE SET ptr = excluded.ptr, confirmed = excluded.confirmed,
			asn = excluded.asn, as_name = excluded.as_name, country = excluded.country, service = excluded.service, looked_at = excluded.looked_at`)
		if err != nil {
			return err
		}
		defer put.Close()
		for i := range all {
			if i%patience == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			a := &all[i]
			if !a.IP.IsValid() || a.LookedAt.IsZero() {
				return fmt.Errorf("store: an address needs an IP and when it was looked at")
			}
			if _, err := put.ExecContext(run, addressBytes(bare(a.IP)), clean(a.PTR, maxDomain), number(a.Confirmed), int64(a.ASN),
				clean(a.ASName, maxText), clean(a.Country, maxWord), clean(a.Service, maxWord), micros(a.LookedAt)); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// AddressesBefore is as Reports says.
func (d *database) AddressesBefore(ctx context.Context, before time.Time, limit int) ([]netip.Addr, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	return collect(ctx, d, `SELECT ip FROM addresses WHERE looked_at < $1 ORDER BY looked_at LIMIT $2`, []any{max(micros(before), 1), limit},
		func(rows *sql.Rows) (netip.Addr, error) {
			var ip []byte
			err := rows.Scan(&ip)
			return address(ip), err
		})
}
