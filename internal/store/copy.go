package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
)

// ErrNotEmpty is that of a store which something is to be copied into, and which has something.
var ErrNotEmpty = errors.New("the store is not empty")

// CopyOptions say how to copy.
type CopyOptions struct {
	Replace  bool                                     // delete what is in the store that is copied to
	Progress func(table string, rows int64, of int64) // called now and then; may be nil

	every int64 // rows between two calls of Progress; progressEvery
}

// A Copied table and its rows.
type Copied struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Copy copies all tables of a store to another, of whatever engine, as they are at one moment. The other is made if it is not there. It
// is all or nothing: what is copied can be seen when it is there whole.
//
// Tables and columns are what the databases say that there are, so that none can be forgotten. Jobs stay where they are, and so does who
// is signed in: what is copied may be of an older moment, after which somebody was kept out.
func Copy(ctx context.Context, from, to string, o CopyOptions) ([]Copied, error) {
	if same(from, to) {
		return nil, fmt.Errorf("store %s: it cannot be copied to itself", display(from))
	}
	source, err := Open(ctx, from, Options{})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	return copyInto(ctx, source.(*database), to, o)
}

// same tells whether two addresses are the same store, as well as they show it.
func same(a, b string) bool {
	if a == b || isPostgres(a) || isPostgres(b) {
		return a == b
	}
	p, err1 := sqlitePath(a)
	q, err2 := sqlitePath(b)
	if err1 != nil || err2 != nil {
		return false
	}
	x, err1 := os.Stat(p)
	y, err2 := os.Stat(q)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// sameDatabase tells whether two stores are one of PostgreSQL's, which has many addresses: to read from it would wait for ever for what
// empties it.
func sameDatabase(ctx context.Context, a, b *database) (bool, error) {
	var places [2]string
	for i, d := range []*database{a, b} {
		if _, is := d.engine.(*postgresEngine); !is {
			return false, nil
		}
		err := d.read.QueryRowContext(ctx, `SELECT extract(epoch FROM pg_postmaster_start_time())::text || ' ' || 'domains'::regclass::oid`).
			Scan(&places[i])
		if err != nil {
			return false, d.explain(err)
		}
	}
	return places[0] == places[1], nil
}

// display is an address as it may be shown.
func display(address string) string {
	if isPostgres(address) {
		return postgresName(address)
	}
	return strings.TrimPrefix(address, "sqlite:")
}

func copyInto(ctx context.Context, from *database, address string, o CopyOptions) ([]Copied, error) {
	target, err := Open(ctx, address, Options{Create: true})
	if err != nil {
		return nil, err
	}
	defer target.Close()
	to := target.(*database)
	if is, err := sameDatabase(ctx, from, to); err != nil {
		return nil, err
	} else if is {
		return nil, fmt.Errorf("store %s: it cannot be copied to itself", display(address))
	}
	c := copier{from: from, to: to, o: o}
	if c.snapshot, err = from.snapshot(ctx, from.read); err != nil {
		return nil, from.explain(err)
	}
	defer c.snapshot.Rollback()
	if c.all, err = from.tables(ctx, c.snapshot); err != nil {
		return nil, from.explain(err)
	}
	needs, err := c.needs(ctx)
	if err != nil {
		return nil, from.explain(err)
	}
	var copied []Copied
	err = to.change(ctx, func(tx *transaction) (err error) {
		copied, err = c.copy(ctx, tx)
		return err
	}, needs...)
	return copied, err
}

// A copier copies from a moment of one store to another, in a transaction of that.
type copier struct {
	from, to *database
	snapshot *sql.Tx
	all      []table
	o        CopyOptions
}

// needs are the days that rows have of tables that are partitioned where they are copied to.
func (c *copier) needs(ctx context.Context) ([]need, error) {
	theirs, err := c.to.tables(ctx, c.to.read)
	if err != nil {
		return nil, err
	}
	if err := sameTables(c.all, theirs); err != nil {
		return nil, err
	}
	var needs []need
	for _, t := range theirs {
		if !t.byMonth {
			continue
		}
		n := need{table: t.name}
		rows, err := c.snapshot.QueryContext(ctx, "SELECT DISTINCT day FROM "+t.name)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var day int64
			if err := rows.Scan(&day); err != nil {
				return nil, err
			}
			n.days = append(n.days, day)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
		needs = append(needs, n)
	}
	return needs, nil
}

const exceptionsVersion = `SELECT value FROM counters WHERE name = 'exceptions_version'`

func (c *copier) copy(ctx context.Context, tx *transaction) ([]Copied, error) {
	if err := c.to.alone(ctx, tx); err != nil { // what others know of it is of no use to them from here on
		return nil, err
	}
	if err := c.to.hold(ctx, tx, c.all); err != nil {
		return nil, err
	}
	if !c.o.Replace {
		if err := isEmpty(ctx, tx, c.all); err != nil {
			return nil, err
		}
	}
	var version int64
	if err := tx.QueryRowContext(ctx, exceptionsVersion).Scan(&version); err != nil {
		return nil, err
	}
	if err := c.to.empty(ctx, tx, c.all); err != nil {
		return nil, err
	}
	var copied []Copied
	for _, t := range c.all {
		if passing(t) {
			continue
		}
		rows, err := c.table(ctx, tx, t)
		if err != nil {
			return nil, fmt.Errorf("the table %s: %w", t.name, err)
		}
		copied = append(copied, Copied{t.name, rows})
	}
	if version > 0 { // a gate that knows what was there before is to see that it changed
		_, err := tx.ExecContext(ctx, `UPDATE counters SET value = value + $1 WHERE name = 'exceptions_version'`, version+1)
		if err != nil {
			return nil, err
		}
	}
	return copied, c.to.filled(ctx, tx, c.all)
}

// passing tells tables that are worth something in one place and at one time only: sessions, and links that are good once.
func passing(t table) bool { return t.name == "sessions" || t.name == "links" }

// isEmpty tells whether a store has nothing but what its migrations put there.
func isEmpty(ctx context.Context, q querier, all []table) error {
	for _, t := range all {
		question := "SELECT count(*) FROM (SELECT 1 FROM " + t.name + " LIMIT 1) t"
		if t.name == "counters" {
			question = "SELECT count(*) FROM counters WHERE value > 0"
		}
		var n int64
		if err := q.QueryRowContext(ctx, question).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: there is something in its table %s; name another, or replace what is there with --replace", ErrNotEmpty, t.name)
		}
	}
	return nil
}

// progressEvery is how many rows are copied between two calls of Progress, if nothing else is said.
const progressEvery = 1000

// table copies one table, and counts afterwards.
func (c *copier) table(ctx context.Context, tx *transaction, t table) (int64, error) {
	var want, got int64
	count := "SELECT count(*) FROM " + t.name
	if err := c.snapshot.QueryRowContext(ctx, count).Scan(&want); err != nil {
		return 0, err
	}
	if err := c.to.insert(c.to.run(ctx), tx, t.name, t.columns, c.rows(ctx, t, want)); err != nil {
		return 0, err
	}
	if err := tx.QueryRowContext(ctx, count).Scan(&got); err != nil {
		return 0, err
	}
	if got != want {
		return 0, fmt.Errorf("%d rows of %d arrived", got, want)
	}
	return got, nil
}

func (c *copier) rows(ctx context.Context, t table, of int64) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		rows, err := c.snapshot.QueryContext(ctx, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name)
		if err != nil {
			yield(nil, err)
			return
		}
		defer rows.Close()
		values, places := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range values {
			places[i] = &values[i]
		}
		n := int64(0)
		for ; rows.Next(); n++ {
			if err := rows.Scan(places...); err != nil {
				yield(nil, err)
				return
			}
			if n%cmp.Or(c.o.every, progressEvery) == 0 && c.o.Progress != nil {
				c.o.Progress(t.name, n, of)
			}
			if !yield(values, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}
