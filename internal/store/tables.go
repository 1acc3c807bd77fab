package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// A table is one of the store's, as the database itself describes it.
type table struct {
	name    string
	columns []string
	byMonth bool // it is partitioned by its column day
}

// foreign tables are those of libraries, which make them anew: what goose notes of migrations, and the jobs of river.
func foreign(name string) bool {
	for _, prefix := range []string{"goose_", "river_", "sqlite_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// A querier is a database or a transaction in it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// tables reads what a query gives: table and column, in the order of both, and whether the table is partitioned.
func tables(ctx context.Context, q querier, query string) ([]table, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []table
	for rows.Next() {
		var name, column string
		var byMonth bool
		if err := rows.Scan(&name, &column, &byMonth); err != nil {
			return nil, err
		}
		if foreign(name) {
			continue
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{name: name, byMonth: byMonth})
		}
		last := &all[len(all)-1]
		last.columns = append(last.columns, column)
	}
	return all, rows.Err()
}

// sameTables tells in what two stores differ, whose tables should be the same.
func sameTables(from, to []table) error {
	columns := func(all []table) map[string]bool {
		set := map[string]bool{}
		for _, t := range all {
			for _, c := range t.columns {
				set[t.name+"."+c] = true
			}
		}
		return set
	}
	a, b := columns(from), columns(to)
	for c := range a {
		if !b[c] {
			return fmt.Errorf("only one of the two stores has %s", c)
		}
	}
	for c := range b {
		if !a[c] {
			return fmt.Errorf("only one of the two stores has %s", c)
		}
	}
	return nil
}

const tablesSQLite = `SELECT t.name, c.name, false FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name, c.cid`

func (s *sqliteEngine) tables(ctx context.Context, q querier) ([]table, error) {
	return tables(ctx, q, tablesSQLite)
}

func (s *sqliteEngine) snapshot(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	return db.BeginTx(ctx, nil)
}

// hold has nothing to do: only one transaction writes.
func (s *sqliteEngine) hold(context.Context, *transaction, []table) error { return nil }

func (s *sqliteEngine) empty(ctx context.Context, tx *transaction, all []table) error {
	for _, t := range all {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+t.name); err != nil {
			return err
		}
	}
	return nil
}

// filled has nothing to do: SQLite numbers on from the last row by itself.
func (s *sqliteEngine) filled(context.Context, *transaction, []table) error { return nil }

const tablesPostgres = `SELECT c.relname, a.attname, c.relkind = 'p' FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = ` + ourSchema + ` AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
	ORDER BY c.relname COLLATE "C", a.attnum`

func (p *postgresEngine) tables(ctx context.Context, q querier) ([]table, error) {
	return tables(ctx, q, tablesPostgres)
}

func (p *postgresEngine) snapshot(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	return db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

func (p *postgresEngine) hold(ctx context.Context, tx *transaction, all []table) error {
	_, err := tx.ExecContext(ctx, "LOCK TABLE "+names(all)+" IN EXCLUSIVE MODE")
	return err
}

func (p *postgresEngine) empty(ctx context.Context, tx *transaction, all []table) error {
	_, err := tx.ExecContext(ctx, "TRUNCATE "+names(all))
	return err
}

func names(all []table) string {
	var names []string
	for _, t := range all {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}

const identities = `SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = ` + ourSchema + ` AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attidentity <> ''`

// filled has rows that are numbered by the server numbered on from the last.
func (p *postgresEngine) filled(ctx context.Context, tx *transaction, _ []table) error {
	rows, err := tx.QueryContext(ctx, identities)
	if err != nil {
		return err
	}
	defer rows.Close()
	var statements []string
	for rows.Next() {
		var name, column string
		if err := rows.Scan(&name, &column); err != nil {
			return err
		}
		if !foreign(name) {
			statements = append(statements, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%s', '%s'), greatest(max(%s), 1), max(%s) IS NOT NULL) FROM %s`,
				name, column, column, column, name))
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
