package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"time"
)

// The engines.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgresql"
)

// A Queue is a connection to the database of a store, for jobs: their tables are those of the library that runs them.
type Queue struct {
	DB     *sql.DB
	Engine string
}

// postgresQueue is how many connections the jobs of a node have at most.
const postgresQueue = 4

// OpenQueue connects to the database of the store that an address names, which is there.
func OpenQueue(ctx context.Context, address string) (*Queue, error) {
	if isPostgres(address) {
		return openPostgresQueue(ctx, address)
	}
	path, err := sqlitePath(address)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := fileSQLite(path, false); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", dsn(path, "immediate", waiting))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &Queue{DB: db, Engine: SQLite}, nil
}

func openPostgresQueue(ctx context.Context, address string) (*Queue, error) {
	c, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	q := &Queue{DB: postgresPool(c, postgresQueue), Engine: PostgreSQL}
	there, err := isThere(ctx, q.DB)
	if err == nil && !there {
		err = errNotInDatabase
	}
	if err != nil {
		q.Close()
		return nil, (&postgresEngine{name: postgresName(address)}).explain(err)
	}
	return q, nil
}

// What a clock that was ahead left behind would keep every node from its work until that time comes. Jobs are put in again by who leads.
var unjam = map[string][]string{
	SQLite: {
		`DELETE FROM river_leader WHERE julianday(expires_at) > julianday('now') + $1 / 86400.0`,
		`DELETE FROM river_job WHERE finalized_at IS NULL AND max(julianday(scheduled_at), coalesce(julianday(attempted_at), 0)) > julianday('now') + $1 / 86400.0`,
	},
	PostgreSQL: {
		`DELETE FROM river_leader WHERE expires_at > now() + $1 * interval '1 second'`,
		`DELETE FROM river_job WHERE finalized_at IS NULL AND greatest(scheduled_at, attempted_at) > now() + $1 * interval '1 second'`,
	},
}

// Unjam deletes what the library that runs jobs noted of times that are further ahead than any that it notes.
func (q *Queue) Unjam(ctx context.Context, ahead time.Duration) error {
	for _, statement := range unjam[q.Engine] {
		if _, err := q.DB.ExecContext(ctx, statement, int64(ahead/time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the connection.
func (q *Queue) Close() error { return q.DB.Close() }
