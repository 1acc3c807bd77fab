package store

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"
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
	p, err := provider(goose.DialectSQLite3, "sqlite", db)
	if err != nil {
		t.Fatal(err)
	}
	before := [][]string{schema(t, db)}
	for range p.ListSources() {
		if _, err := p.UpByOne(t.Context()); err != nil {
			t.Fatal(err)
		}
		before = append(before, schema(t, db))
	}
	if len(before[len(before)-1]) < 5 {
		t.Fatalf("the tables are %v", before[len(before)-1])
	}
	for i := len(before) - 2; i >= 0; i-- {
		if _, err := p.Down(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := schema(t, db); !slices.Equal(got, before[i]) {
			t.Errorf("version %d: got %v, want %v", i, got, before[i])
		}
	}
	if err := migrate(t.Context(), p, true); err != nil {
		t.Fatal(err)
	}
	if got := schema(t, db); !slices.Equal(got, before[len(before)-1]) {
		t.Errorf("up again: got %v", got)
	}
}
