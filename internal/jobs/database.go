package jobs

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func driver(q *store.Queue) riverdriver.Driver[*sql.Tx] {
	if q.Engine == store.PostgreSQL {
		return riverdatabasesql.New(q.DB)
	}
	return riversqlite.New(q.DB)
}

// migrate brings the library's own tables up to date. Another node may be at it: then it is looked at again.
func migrate(ctx context.Context, q *store.Queue) error {
	m, err := rivermigrate.New(driver(q), nil)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		if _, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil); err == nil || attempt == 10 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
