package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// The tables of each engine, one step a file, each with its way back.
//
//go:embed migrations
var migrations embed.FS

// A migrator knows the steps of an engine.
type migrator struct {
	*goose.Provider
	names map[int64]string // by version
}

// migratorOf is that of an engine. Each way of a step is run as it stands, as one text of many statements: to have goose take it apart
// costs tens of megabytes for each file.
func migratorOf(engine goose.Dialect, folder string, db *sql.DB) (*migrator, error) {
	files, err := fs.Glob(migrations, "migrations/"+folder+"/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	names := map[int64]string{}
	for _, file := range files {
		version, err := goose.NumericComponent(file)
		if err != nil {
			return nil, err
		}
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		up, down, ok := strings.Cut(string(text), "-- +goose Down")
		if !ok {
			return nil, fmt.Errorf("%s: there is no way back", file)
		}
		steps = append(steps, goose.NewGoMigration(version, &goose.GoFunc{RunTx: runs(up)}, &goose.GoFunc{RunTx: runs(down)}))
		names[version] = strings.TrimSuffix(path.Base(file), ".sql")
	}
	p, err := goose.NewProvider(engine, db, nil, goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...))
	if err != nil {
		return nil, err
	}
	return &migrator{p, names}, nil
}

func runs(statements string) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statements)
		return err
	}
}

// migrate brings the tables up to date, or without create tells why they are not.
func migrate(ctx context.Context, p *migrator, create bool) error {
	for attempt := 0; ; attempt++ {
		present, wanted, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return err
		case present > wanted:
			return fmt.Errorf("%w: its tables have version %d, this one knows %d; install the newer one again, with which \"gatepost store migrate --down-to %d\" leads back",
				ErrNewer, present, wanted, wanted)
		case present == wanted:
			return nil
		case !create:
			return fmt.Errorf("%w: its tables have version %d, this one needs %d; \"gatepost serve\" or \"gatepost store migrate\" brings them up to date",
				ErrOlder, present, wanted)
		}
		if _, err = p.Up(ctx); err != nil && attempt == 10 {
			return fmt.Errorf("to bring its tables up to date: %w", err)
		}
		if err != nil { // another process may be at it: look again
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

// A Step is one migration of a store's tables.
type Step struct {
	Version int64     `json:"version"`
	Name    string    `json:"name"`
	At      time.Time `json:"at,omitzero"` // when it was done; zero if it was not
}

// Steps are the migrations that this program knows, in their order.
func Steps(ctx context.Context, address string) ([]Step, error) {
	d, err := unmigrated(ctx, address)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	p, err := d.steps(d.write)
	if err != nil {
		return nil, err
	}
	all, err := p.Status(ctx)
	if err != nil {
		return nil, d.explain(err)
	}
	var steps []Step
	for _, s := range all {
		steps = append(steps, Step{s.Source.Version, p.names[s.Source.Version], s.AppliedAt.UTC()})
	}
	return steps, nil
}

// Migrate makes the tables of a store those of a version, up or down; what an older version has no place for is deleted. A version below
// zero is that of this program, for which the store is made if it is not there.
func Migrate(ctx context.Context, address string, version int64) error {
	if version < 0 {
		s, err := Open(ctx, address, Options{Create: true})
		if err != nil {
			return err
		}
		return s.Close()
	}
	d, err := unmigrated(ctx, address)
	if err != nil {
		return err
	}
	defer d.Close()
	p, err := d.steps(d.write)
	if err != nil {
		return err
	}
	present, wanted, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return d.explain(err)
	case version > wanted:
		return d.explain(fmt.Errorf("there is no version %d; the newest that this gatepost knows is %d", version, wanted))
	case present > wanted:
		return d.explain(fmt.Errorf("%w: its tables have version %d, this one knows %d, and not the way down", ErrNewer, present, wanted))
	case version == present:
	case version < present:
		_, err = p.DownTo(ctx, version)
	default:
		_, err = p.UpTo(ctx, version)
	}
	return d.explain(err)
}

// unmigrated opens a store that is there, whatever its version.
func unmigrated(ctx context.Context, address string) (*database, error) {
	if isPostgres(address) {
		d, err := connectPostgres(ctx, address)
		if err != nil {
			return nil, err
		}
		if there, err := isThere(ctx, d.write); err != nil || !there {
			d.Close()
			return nil, d.explain(cmp.Or(err, errNotInDatabase))
		}
		return d, nil
	}
	file, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	d, err := poolsSQLite(file, false, waiting)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", file, err)
	}
	return d, nil
}
