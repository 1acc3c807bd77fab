package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
)

const (
	countAgain = `UPDATE observations SET count = count + $3 WHERE day = $1 AND hash = $2`

	pruneObservationsSQLite = `DELETE FROM observations WHERE (day, hash) IN (SELECT day, hash FROM observations WHERE day < $1 LIMIT $2)`
)

// insertInto is the statement that adds a row.
func insertInto(table string, columns []string) string {
	places := make([]string, len(columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(places, ", "))
}

func (s *sqliteEngine) begin(ctx context.Context) (*transaction, error) {
	tx, err := unlocked(ctx, s.path, func() (*sql.Tx, error) { return s.write.BeginTx(ctx, nil) })
	if err != nil {
		return nil, err
	}
	return &transaction{Tx: tx}, nil
}

// again is never so: who begins a transaction waits until nobody else is in one.
func (s *sqliteEngine) again(error) bool { return false }

// run ends with nothing: to watch a context costs a goroutine a statement, and each statement is short.
func (s *sqliteEngine) run(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }

func (s *sqliteEngine) insert(ctx context.Context, tx *transaction, table string, columns []string, rows iter.Seq2[[]any, error]) error {
	statement, err := tx.PrepareContext(ctx, insertInto(table, columns))
	if err != nil {
		return err
	}
	defer statement.Close()
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := statement.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteEngine) numbers(context.Context, *transaction, string, int) ([]int64, error) {
	return nil, nil
}

// A sqliteCounting writes each row as it comes.
type sqliteCounting struct{ again, insert *sql.Stmt }

func (s *sqliteEngine) counting(ctx context.Context, tx *transaction, _ []Count, _ func(int64) int) (counting, error) {
	again, err := tx.PrepareContext(ctx, countAgain)
	if err != nil {
		return nil, err
	}
	insert, err := tx.PrepareContext(ctx, insertInto("observations", observationColumns))
	if err != nil {
		return nil, errors.Join(err, again.Close())
	}
	return &sqliteCounting{again, insert}, nil
}

func (c *sqliteCounting) more(ctx context.Context, day int64, h hash, n int64) (bool, error) {
	res, err := c.again.ExecContext(ctx, day, h[:], n)
	if err != nil {
		return false, err
	}
	known, err := res.RowsAffected()
	return known > 0, err
}

func (c *sqliteCounting) first(ctx context.Context, _ int64, _ hash, row []any) error {
	_, err := c.insert.ExecContext(ctx, row...)
	return err
}

func (c *sqliteCounting) end(context.Context) error {
	return errors.Join(c.again.Close(), c.insert.Close())
}

// alone has nothing to do: only one transaction writes.
func (s *sqliteEngine) alone(context.Context, *transaction) error { return nil }

// epoch is another whenever somebody else wrote anything: to ask more closely would take longer than to learn again what is there.
func (s *sqliteEngine) epoch(ctx context.Context, tx *transaction) (epoch string, err error) {
	err = tx.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&epoch)
	return epoch, err
}

func (s *sqliteEngine) months(context.Context, []need) error { return nil }

// period names each day, since the key of sources goes on behind the day.
func (s *sqliteEngine) period(days []int64) string { return `day IN (` + integers(days) + `)` }

func (s *sqliteEngine) joined(columns ...string) string {
	return "format('" + strings.Repeat("%s\xff", len(columns)-1) + "%s', " + strings.Join(columns, ", ") + ")"
}

func (s *sqliteEngine) dropMonths(context.Context, string, int64) error { return nil }

func (s *sqliteEngine) pruneObservations() string { return pruneObservationsSQLite }
