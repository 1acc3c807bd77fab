package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
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

// queueConnections are what jobs need: those that run, and the library's own work beside them.
const queueConnections = 4

// OpenQueue connects to the database of the store that an address names, which is there.
func OpenQueue(_ context.Context, address string) (*Queue, error) {
	if isPostgres(address) {
		c, err := postgresConfig(address)
		if err != nil {
			return nil, err
		}
		return &Queue{DB: postgresPool(c, queueConnections), Engine: PostgreSQL}, nil
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
	db, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &Queue{DB: db, Engine: SQLite}, nil
}

// Close ends the connection.
func (q *Queue) Close() error { return q.DB.Close() }
