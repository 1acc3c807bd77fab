package store

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// schema is what SQLite says of its tables.
func schema(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query(`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func TestEveryMigrationHasItsWayBack(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "gatepost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := migratorOf(goose.DialectSQLite3, "sqlite", db)
	if err != nil {
		t.Fatal(err)
	}
	upAndDown(t, p, func() []string { return schema(t, db) })
}

func TestEveryMigrationOfPostgreSQLHasItsWayBack(t *testing.T) {
	d, err := connectPostgres(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	p, err := migratorOf(goose.DialectPostgres, "postgres", d.write)
	if err != nil {
		t.Fatal(err)
	}
	upAndDown(t, p, func() []string { return schemaPostgres(t, d.write) })
}

// schemaPostgres is what PostgreSQL says of its columns, indexes and constraints.
func schemaPostgres(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query(`SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || ' ' ||
			coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'goose%'
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'
		UNION ALL SELECT relname || ' ' || relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// upAndDown goes each step up, all of them down, and up at once.
func upAndDown(t *testing.T, p *migrator, schema func() []string) {
	t.Helper()
	before := [][]string{schema()}
	for range p.ListSources() {
		if _, err := p.UpByOne(t.Context()); err != nil {
			t.Fatal(err)
		}
		before = append(before, schema())
	}
	if len(before[len(before)-1]) < 5 {
		t.Fatalf("the tables are %v", before[len(before)-1])
	}
	for i := len(before) - 2; i >= 0; i-- {
		if _, err := p.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := schema(); !slices.Equal(got, before[i]) {
			t.Errorf("version %d: got %v, want %v", i, got, before[i])
		}
	}
	if err := migrate(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	if got := schema(); !slices.Equal(got, before[len(before)-1]) {
		t.Errorf("up again: got %v", got)
	}
}
