package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"

	lru "github.com/hashicorp/golang-lru/v2"
)

// A database is what engines share: SQL that all of them know. Placeholders are written $1, times are microseconds since 1970,
// texts are clean.
type database struct {
	write   *sql.DB // transactions in it have the only right to write
	read    *sql.DB
	ready   func() error      // nil if what is written now will be found again
	explain func(error) error // says in whose words the engine speaks what went wrong and how to mend it

	observations int64 // that a day may have

	decision, again, observation *sql.Stmt // of write

	bulk   bulkWriter
	packer packer
	known  known
}

// What is known to be in the store saves asking for it. Nothing of it is ever deleted.
type known struct {
	names     *lru.Cache[string, int64] // "texts:" or "domains:", and the name
	facets    *lru.Cache[int64, struct{}]
	addresses *lru.Cache[netip.Addr, struct{}]
}

// remembered is how many facets and addresses are.
const remembered = 1 << 14

func newKnown() known {
	var k known // the sizes are in order
	k.names, _ = lru.New[string, int64](4096)
	k.facets, _ = lru.New[int64, struct{}](remembered)
	k.addresses, _ = lru.New[netip.Addr, struct{}](remembered)
	return k
}

func (d *database) prepare(ctx context.Context) (err error) {
	if d.decision, err = d.write.PrepareContext(ctx, insertDecision); err != nil {
		return err
	}
	if d.again, err = d.write.PrepareContext(ctx, countAgain); err != nil {
		return err
	}
	d.observation, err = d.write.PrepareContext(ctx, insertObservation)
	return err
}

// Close ends the use of the store.
func (d *database) Close() error {
	if d.read != d.write {
		d.read.Close()
	}
	err := d.write.Close()
	d.packer.close()
	return err
}

// change runs one transaction. A step that fails undoes all.
func (d *database) change(ctx context.Context, steps func(*sql.Tx) error) error {
	if err := d.ready(); err != nil {
		return err
	}
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := steps(tx); err != nil {
		return d.explain(err)
	}
	if err := tx.Commit(); err != nil {
		return d.explain(err)
	}
	return nil
}

// take raises a counter within a transaction and gives its new value.
func take(ctx context.Context, tx *sql.Tx, counter string, n int64) (int64, error) {
	var value int64
	err := tx.QueryRowContext(ctx, `UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value`, n, counter).Scan(&value)
	if err != nil {
		return 0, fmt.Errorf("the counter %s: %w", counter, err)
	}
	return value, nil
}
