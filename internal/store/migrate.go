package store

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// The tables of each engine, one step a file, each with its way back.
//
//go:embed migrations
var migrations embed.FS

func provider(engine goose.Dialect, folder string, db *sql.DB) (*goose.Provider, error) {
	steps, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(engine, db, steps, goose.WithDisableGlobalRegistry(true))
}

// migrate brings the tables up to date, or without create tells why they are not.
func migrate(ctx context.Context, p *goose.Provider, create bool) error {
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
		name := strings.TrimSuffix(filepath.Base(s.Source.Path), ".sql")
		steps = append(steps, Step{s.Source.Version, name, s.AppliedAt.UTC()})
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
	path, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	d, err := poolsSQLite(path, false)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return d, nil
}
