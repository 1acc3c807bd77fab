package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	// oldestPostgres is the first version that is tested against, as PostgreSQL writes it: 15.0.
	oldestPostgres = 150000

	// connectFor is how long a server is waited for where the address does not say: who asks shall not wait for a host that is gone.
	connectFor = 10 * time.Second

	// Readers have connections of their own, so that a long answer keeps nobody from writing.
	postgresWriters = 4
	postgresReaders = 8

	// The advisory locks that processes take which change tables, add a month to one, and change reports. ("gatepost" is their number.)
	lockTables  = 0x67617465706f7374
	lockMonths  = lockTables + 1
	lockReports = lockTables + 2
)

// isPostgres tells whether an address names a PostgreSQL server.
func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// postgresConfig reads an address, and what stands beside it in the environment and in ~/.pgpass.
func postgresConfig(address string) (*pgx.ConnConfig, error) {
	// An error of pgx's has the address in it as well as it could be told apart from a password; here it has none.
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("%w; write it as %s; in a password, %%40 stands for @ and so on", ErrURL, postgresExample)
	}
	c, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %s; write it as %s", ErrURL, postgresName(address), postgresComplaint(err), postgresExample)
	}
	if !u.Query().Has("connect_timeout") && c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectFor
	}
	c.RuntimeParams["application_name"] = cmp.Or(c.RuntimeParams["application_name"], "gatepost")
	return c, nil
}

const postgresExample = "postgres://USER@HOST/DATABASE"

// postgresName is an address without what is secret in it.
func postgresName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "postgres://..."
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	if u.RawQuery != "" {
		q := u.Query()
		q.Del("password")
		q.Del("sslpassword")
		u.RawQuery = q.Encode()
	}
	return u.String()
}

// A postgresEngine is one database of a PostgreSQL server.
type postgresEngine struct {
	name  string // as it may be shown
	write *sql.DB

	mu    sync.Mutex
	known map[month]bool // partitions that were there
}

func openPostgres(ctx context.Context, address string, o Options) (Store, error) {
	d, err := connectPostgres(ctx, address)
	if err != nil {
		return nil, err
	}
	d.observations = int64(cmp.Or(o.Observations, DefaultObservations))
	if err := d.migratePostgres(ctx, o.Create); err != nil {
		d.Close()
		return nil, d.explain(err)
	}
	return d, nil
}

// connectPostgres connects to a server that can hold a store.
func connectPostgres(ctx context.Context, address string) (*database, error) {
	c, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	e := &postgresEngine{name: postgresName(address), known: map[month]bool{}}
	d := &database{engine: e, write: postgresPool(c, postgresWriters), read: postgresPool(c, postgresReaders), bulk: arrays{}, known: newKnown()}
	e.write = d.write
	if err := suitable(ctx, d.write); err != nil {
		d.Close()
		return nil, d.explain(err)
	}
	return d, nil
}

func postgresPool(c *pgx.ConnConfig, most int) *sql.DB {
	pool := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		// A batch that was taken is on the disk: the journal that it came from is deleted then. A server whose administrator wants less
		// is asked for that, and one that waits for its standbys is left to it.
		_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	}))
	pool.SetMaxOpenConns(most)
	pool.SetMaxIdleConns(2)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return pool
}

// suitable tells whether a store can be in a database.
func suitable(ctx context.Context, db *sql.DB) error {
	var version int
	var written, encoding string
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
		current_setting('server_encoding')`).Scan(&version, &written, &encoding)
	if err != nil {
		return err
	}
	return suits(version, written, encoding)
}

func suits(version int, written, encoding string) error {
	switch {
	case version < oldestPostgres:
		return fmt.Errorf("the server is PostgreSQL %s, and too old; install version %d or later", written, oldestPostgres/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s, which cannot hold every name; make one with \"createdb -T template0 -E UTF8\"", encoding)
	}
	return nil
}

// migratePostgres brings the tables up to date, or without create tells why they are not. Of several processes one does it.
func (d *database) migratePostgres(ctx context.Context, create bool) error {
	tables, err := d.steps(d.write)
	if err != nil {
		return err
	}
	there, err := isThere(ctx, d.write)
	if err != nil {
		return err
	}
	if !there && !create {
		return errNotInDatabase
	}
	if there {
		if err := migrate(ctx, tables, false); !create || !errors.Is(err, ErrOlder) {
			return err
		}
	}
	tx, err := d.write.BeginTx(ctx, asCommitted)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockTables)); err != nil {
		return err
	}
	var may sql.NullBool
	if err := tx.QueryRowContext(ctx, `SELECT has_schema_privilege(current_schema(), 'CREATE')`).Scan(&may); err != nil {
		return err
	}
	if !may.Bool {
		return errors.New(advicePostgres["42501"])
	}
	return migrate(ctx, tables, true)
}

var errNotInDatabase = fmt.Errorf("%w in this database; \"gatepost serve\" makes it, --store names another", ErrNotThere)

// ourSchema is where the tables are. Those of others, perhaps another store's, may stand behind it in the search_path.
const ourSchema = `quote_ident(current_schema())::regnamespace`

// isThere tells whether there are tables. To ask goose would make its own.
func isThere(ctx context.Context, db *sql.DB) (there bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'goose_db_version' AND relnamespace = `+ourSchema+`)`).Scan(&there)
	return there, err
}

func (p *postgresEngine) steps(db *sql.DB) (*migrator, error) {
	return migratorOf(goose.DialectPostgres, "postgres", db)
}

func (p *postgresEngine) ready() error { return nil }

func (p *postgresEngine) close() error { return nil }
