package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// A database is what engines share: SQL that all of them know. Placeholders are written $1, times are microseconds since 1970,
// texts are clean.
type database struct {
	engine
	write *sql.DB // transactions in it have the right to write
	read  *sql.DB

	observations int64 // that a day may have

	bulk   bulkWriter
	packer packer
	known  *known
}

// What is known to be in the store saves asking for it. Nothing of it is ever deleted, but that the store may be restored from a backup,
// or moved back to older tables, under whoever uses it: then it is of another epoch, in which the same numbers stand for other names.
type known struct {
	mu    sync.Mutex
	epoch string

	names     *lru.Cache[string, int64] // "texts:" or "domains:", and the name
	facets    *lru.Cache[int64, struct{}]
	addresses *lru.Cache[netip.Addr, struct{}]
}

// remembered is how many facets and addresses are.
const remembered = 1 << 14

func newKnown() *known {
	k := new(known) // the sizes are in order
	k.names, _ = lru.New[string, int64](4096)
	k.facets, _ = lru.New[int64, struct{}](remembered)
	k.addresses, _ = lru.New[netip.Addr, struct{}](remembered)
	return k
}

// during forgets what was known of another epoch.
func (k *known) during(epoch string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != epoch {
		k.epoch = epoch
		k.names.Purge()
		k.facets.Purge()
		k.addresses.Purge()
	}
}

// learn remembers what a transaction found or wrote.
func (k *known) learn(w *arriving) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.epoch != w.epoch {
		return
	}
	for name, id := range w.names {
		k.names.Add(name, id)
	}
	for _, id := range w.facets {
		k.facets.Add(id, struct{}{})
	}
	for _, ip := range w.addresses {
		k.addresses.Add(ip, struct{}{})
	}
}

// An engine is what is one database's own beneath the SQL that all share.
type engine interface {
	// ready is nil if what is written now will be found again.
	ready() error

	// explain says in whose words the engine speaks what went wrong and how to mend it.
	explain(error) error

	// begin starts a transaction that may write.
	begin(ctx context.Context) (*transaction, error)

	// again tells whether a transaction that failed so was only in another's way, and would succeed a second time.
	again(error) bool

	// run is the context that a transaction's statements are given, where its own is asked between the rows.
	run(ctx context.Context) context.Context

	// insert adds new rows to a table, in bulk. What a row is in may be used for the next.
	insert(ctx context.Context, tx *transaction, table string, columns []string, rows iter.Seq2[[]any, error]) error

	// numbers gives numbers for rows that are to be added to a table, where each that is asked for alone is a way to the server; or none.
	numbers(ctx context.Context, tx *transaction, table string, n int) ([]int64, error)

	// counting begins to count in the rows of observations.
	counting(ctx context.Context, tx *transaction, counts []Count, level func(day int64) int) (counting, error)

	// alone keeps every other transaction that changes reports out until this one ends: what it finds stays so.
	alone(ctx context.Context, tx *transaction) error

	// epoch is another after all that was in the store was replaced. It is asked for by who is alone.
	epoch(ctx context.Context, tx *transaction) (string, error)

	// months sees to it that there is where to put rows.
	months(ctx context.Context, needs []need) error

	// period is the condition that a day is one of several, which are all between the first and the last that there are rows of.
	period(days []int64) string

	// joined is an expression that has columns in one, as bytes with 0xff between them, which no text has in it. To read a column of a row
	// takes an engine longer than to find it.
	joined(columns ...string) string

	// dropMonths drops what is all of days before one, where that is quicker than to delete the rows.
	dropMonths(ctx context.Context, table string, before int64) error

	// pruneObservations is the statement that deletes some of those before a day.
	pruneObservations() string

	// clock is what the time is, by the database's clock, in the words of its SQL.
	clock() string

	// kind is what the engine is called, and size the query that tells how many bytes the store takes.
	kind() string
	size() string

	// steps are the migrations of a database.
	steps(*sql.DB) (*migrator, error)

	// tables are those of the store, with their columns.
	tables(ctx context.Context, q querier) ([]table, error)

	// snapshot begins a transaction that reads what was there at one moment.
	snapshot(ctx context.Context, db *sql.DB) (*sql.Tx, error)

	// hold keeps everybody else from writing into tables until the transaction ends.
	hold(ctx context.Context, tx *transaction, all []table) error

	// empty deletes all rows of tables; filled is called when others are in them, numbers and all.
	empty(ctx context.Context, tx *transaction, all []table) error
	filled(ctx context.Context, tx *transaction, all []table) error

	close() error
}

// A need is where rows are to be put: in a table, of days since 1970.
type need struct {
	table string
	days  []int64
}

// A transaction is one that writes.
type transaction struct {
	*sql.Tx
	conn    *sql.Conn // that it runs on, where the engine has more to say to it than database/sql knows
	release func()    // of what else the engine holds for it
	queue   queue     // nil where statements are run as they come
	failed  error     // the first of what was queued that failed
}

// A queue holds statements for which the way to the server is too long to be gone for each.
type queue interface {
	add(statement string, args []any) (full bool)
	run(ctx context.Context) error
}

// later runs a statement whose answer nobody waits for, before whatever is asked next.
func (tx *transaction) later(ctx context.Context, statement string, args ...any) error {
	if tx.queue == nil {
		_, err := tx.Tx.ExecContext(ctx, statement, args...)
		return err
	}
	if tx.queue.add(statement, args) {
		return tx.catchUp(ctx)
	}
	return nil
}

// catchUp runs what was put off.
func (tx *transaction) catchUp(ctx context.Context) error {
	if tx.queue == nil || tx.failed != nil {
		return tx.failed
	}
	tx.failed = tx.queue.run(ctx)
	return tx.failed
}

// ExecContext, and the others, run what was put off before.
func (tx *transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.catchUp(ctx); err != nil {
		return nil, err
	}
	return tx.Tx.ExecContext(ctx, query, args...)
}

func (tx *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.catchUp(ctx); err != nil {
		return nil, err
	}
	return tx.Tx.QueryContext(ctx, query, args...)
}

func (tx *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = tx.catchUp(ctx) // the row has no place for this error, but fails as well
	return tx.Tx.QueryRowContext(ctx, query, args...)
}

// end undoes what was not committed, and gives the connection back.
func (tx *transaction) end() {
	tx.Rollback() // does nothing after Commit
	if tx.conn != nil {
		tx.conn.Close()
		tx.release()
	}
}

// Close ends the use of the store.
func (d *database) Close() error {
	err := d.close()
	if d.read != d.write {
		d.read.Close()
	}
	err = errors.Join(err, d.write.Close())
	d.packer.close()
	return err
}

// answers tells errors that are the store's own answer, and nothing that the engine says.
func answers(err error) bool {
	var own *ArrivalError
	return err == nil || errors.As(err, &own) || errors.Is(err, ErrNoException) || errors.Is(err, ErrNoRaw) || errors.Is(err, ErrNoMark) || errors.Is(err, ErrNotClaimed) ||
		errors.Is(err, ErrNoNotice) || errors.Is(err, ErrNoticeState) || errors.Is(err, ErrNoticeHeld) || answersOfPeople(err)
}

// attempts is how often a transaction is tried that others are in the way of.
const attempts = 5

// change runs one transaction. A step that fails undoes all. Steps may run several times, the last of which counts.
func (d *database) change(ctx context.Context, steps func(*transaction) error, needs ...need) error {
	if err := d.ready(); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := d.attempt(ctx, steps, needs)
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) { // the engine has other words for it
			err = fmt.Errorf("%w: %w", ended, err)
		}
		if ctx.Err() != nil || attempt == attempts || !d.again(err) {
			return d.explain(err)
		}
	}
}

func (d *database) attempt(ctx context.Context, steps func(*transaction) error, needs []need) error {
	if err := d.months(ctx, needs); err != nil {
		return err
	}
	tx, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer tx.end()
	err = steps(tx)
	if late := tx.catchUp(ctx); late != nil { // what came after it says less
		err = late
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}

// A commitError is one after which nobody knows whether the transaction was committed.
type commitError struct{ error }

func (e *commitError) Unwrap() error { return e.error }

// take raises a counter within a transaction and gives its new value.
func take(ctx context.Context, tx *transaction, counter string, n int64) (int64, error) {
	var value int64
	err := tx.QueryRowContext(ctx, `UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value`, n, counter).Scan(&value)
	if err != nil {
		return 0, fmt.Errorf("the counter %s: %w", counter, err)
	}
	return value, nil
}
