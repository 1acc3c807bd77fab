package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
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
			return fmt.Errorf("%w: its tables have version %d, this one knows %d; install the newer one again, or move the store away",
				ErrNewer, present, wanted)
		case present == wanted:
			return nil
		case !create:
			return fmt.Errorf("%w: its tables have version %d, this one needs %d; \"gatepost serve\" brings them up to date",
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
