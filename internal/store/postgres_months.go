package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// A month is a partition of a table.
type month struct {
	table string
	first int64 // day
}

func monthOf(table string, day int64) month {
	t := time.Unix(day*daySeconds, 0).UTC()
	return month{table, days(time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC))}
}

func (m month) next() month {
	return month{m.table, days(time.Unix(m.first*daySeconds, 0).UTC().AddDate(0, 1, 0))}
}

// partition is the name of its table.
func (m month) partition() string {
	return m.table + time.Unix(m.first*daySeconds, 0).UTC().Format("_2006_01")
}

// months makes the partitions that are missing. Each is committed by itself, before a transaction needs it: who adds one holds a lock
// that others who do so wait for, and would hold it as long as the transaction.
func (p *postgresEngine) months(ctx context.Context, needs []need) error {
	for _, n := range needs {
		for _, day := range n.days {
			m := monthOf(n.table, day)
			p.mu.Lock()
			known := p.known[m]
			p.mu.Unlock()
			if known {
				continue
			}
			if err := p.add(ctx, m); err != nil {
				return err
			}
			p.mu.Lock()
			p.known[m] = true
			p.mu.Unlock()
		}
	}
	return nil
}

// add makes a partition if there is none. It is filled in beside the table and then attached, which unlike CREATE TABLE … PARTITION OF
// keeps nobody from reading or writing.
func (p *postgresEngine) add(ctx context.Context, m month) error {
	tx, err := p.write.BeginTx(ctx, asCommitted)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockMonths)); err != nil {
		return err
	}
	var there bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND relnamespace = `+ourSchema+`)`, m.partition()).Scan(&there); err != nil || there {
		return err
	}
	for _, statement := range []string{
		fmt.Sprintf(`CREATE TABLE %s (LIKE %s INCLUDING ALL)`, m.partition(), m.table),
		fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, m.table, m.partition(), m.first, m.next().first),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// period is all between the first day and the last. Of a list, each would be looked for in each partition.
func (p *postgresEngine) period(days []int64) string {
	return fmt.Sprintf(`day >= %d AND day <= %d`, slices.Min(days), slices.Max(days))
}

func (p *postgresEngine) joined(columns ...string) string {
	var all []string
	for _, c := range columns {
		all = append(all, "convert_to("+c+"::text, 'UTF8')")
	}
	return strings.Join(all, " || decode('ff', 'hex') || ")
}

// partitions are those that a table has, the oldest first.
func partitions(ctx context.Context, db *sql.DB, table string) ([]month, error) {
	rows, err := db.QueryContext(ctx, `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = to_regclass($1) ORDER BY c.relname`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []month
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		if t, err := time.Parse(table+"_2006_01", name); err == nil { // another's are left alone
			all = append(all, month{table, days(t)})
		}
	}
	return all, rows.Err()
}

// dropFor is how long it is waited for those who read a table: as long as that, whoever comes after them waits too.
const dropFor = "2s"

// dropMonths drops partitions that are all of days before one. One that others are at is left; its rows are deleted like any, and
// it is dropped another time.
func (p *postgresEngine) dropMonths(ctx context.Context, table string, before int64) error {
	all, err := partitions(ctx, p.write, table)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.next().first > before {
			break
		}
		err := p.drop(ctx, m)
		var said *pgconn.PgError
		if errors.As(err, &said) && (said.Code == "55P03" || said.Code == "40P01") {
			return nil
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		delete(p.known, m)
		p.mu.Unlock()
	}
	return nil
}

func (p *postgresEngine) drop(ctx context.Context, m month) error {
	tx, err := p.write.BeginTx(ctx, asCommitted)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, statement := range []string{
		`SET LOCAL lock_timeout = '` + dropFor + `'`,
		// Who writes takes hold of the day first, and of the rows then.
		fmt.Sprintf(`DELETE FROM observation_days WHERE day >= %d AND day < %d`, m.first, m.next().first),
		`DROP TABLE IF EXISTS ` + m.partition(),
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}
