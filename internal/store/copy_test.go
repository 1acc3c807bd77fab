package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

func openSQLiteIn(t *testing.T, dir string) (*database, string) {
	t.Helper()
	path := filepath.Join(dir, "gatepost.db")
	d, err := connectSQLite(t.Context(), path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

// kinds are the tables and columns of a store with their kind of value.
func kinds(t *testing.T, d *database, query string) []string {
	t.Helper()
	rows, err := d.read.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			t.Fatal(err)
		}
		if !foreign(table) {
			all = append(all, table+"."+column+" "+kind)
		}
	}
	slices.Sort(all)
	return all
}

// Whoever adds a table to one engine adds it to the other, and what is copied is of the same kind there.
func TestBothEnginesHaveTheSameTables(t *testing.T) {
	lite, _ := openSQLiteIn(t, t.TempDir())
	pg := postgres(t, pgtest.Database(t))
	a := kinds(t, lite, `SELECT t.name, c.name, CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'TEXT' THEN 'text' WHEN 'BLOB' THEN 'bytea' ELSE c.type END
		FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`)
	b := kinds(t, pg, `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped`)
	for _, c := range a {
		if !slices.Contains(b, c) {
			t.Errorf("PostgreSQL has no %s", c)
		}
	}
	for _, c := range b {
		if !slices.Contains(a, c) {
			t.Errorf("SQLite has no %s", c)
		}
	}
	p, err := pg.steps(pg.write)
	if err != nil {
		t.Fatal(err)
	}
	q, err := lite.steps(lite.write)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range p.ListSources() {
		if other := q.ListSources()[i]; filepath.Base(other.Path) != filepath.Base(s.Path) {
			t.Errorf("version %d is %s and %s", s.Version, s.Path, other.Path)
		}
	}
}

// fill puts something into every table, whatever it is for.
func fill(t *testing.T, d *database, rows int) []table {
	t.Helper()
	all, err := d.tables(t.Context(), d.read)
	if err != nil {
		t.Fatal(err)
	}
	err = d.change(t.Context(), func(tx *transaction) error {
		for _, table := range all {
			kinds := map[string]string{}
			found, err := tx.QueryContext(t.Context(), `SELECT name, type FROM pragma_table_info($1)`, table.name)
			if err != nil {
				return err
			}
			for found.Next() {
				var name, kind string
				if err := found.Scan(&name, &kind); err != nil {
					return err
				}
				kinds[name] = kind
			}
			found.Close()
			err = d.insert(t.Context(), tx, table.name, table.columns, func(yield func([]any, error) bool) {
				for n := range rows {
					var row []any
					for i, column := range table.columns {
						switch {
						case kinds[column] == "INTEGER" && column == "day":
							row = append(row, int64(20000+n))
						case kinds[column] == "INTEGER":
							row = append(row, int64(1000+n*7+i))
						case kinds[column] == "BLOB":
							row = append(row, []byte{0, 255, byte(n), byte(n >> 8), byte(i)})
						default:
							row = append(row, fmt.Sprintf("%s 'é' \\N\t%d\n", column, n))
						}
					}
					if !yield(row, nil) {
						return
					}
				}
			})
			if err != nil {
				return fmt.Errorf("%s: %w", table.name, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// everything is each row of each table, as text.
func everything(t *testing.T, d *database) string {
	t.Helper()
	all, err := d.tables(t.Context(), d.read)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, table := range all {
		if passing(table) {
			continue
		}
		tx, err := d.snapshot(t.Context(), d.read)
		if err != nil {
			t.Fatal(err)
		}
		c := copier{from: d, snapshot: tx}
		var lines []string
		for row, err := range c.rows(t.Context(), table, 0) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s %q\n", table.name, row))
		}
		tx.Rollback()
		slices.Sort(lines)
		text.WriteString(strings.Join(lines, ""))
	}
	return text.String()
}

func TestEveryRowOfEveryTableIsCopied(t *testing.T) {
	lite, path := openSQLiteIn(t, t.TempDir())
	all := fill(t, lite, 100)
	want := everything(t, lite)
	address := pgtest.Database(t)
	copied, err := Copy(t.Context(), path, address, CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(copied) != len(all)-2 { // without the two that pass
		t.Errorf("%d tables of %d were copied", len(copied), len(all))
	}
	for _, c := range copied {
		if c.Rows < 100 {
			t.Errorf("%s has %d rows", c.Table, c.Rows)
		}
	}
	if got := everything(t, postgres(t, address)); got != want {
		t.Errorf("PostgreSQL has other rows")
	}
	back := filepath.Join(t.TempDir(), "back.db")
	if err := Backup(t.Context(), address, back, nil); err != nil {
		t.Fatal(err)
	}
	d, err := connectSQLite(t.Context(), back, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := everything(t, d); got != want {
		t.Errorf("the backup has other rows")
	}
}

func TestACopyThatFailsLeavesNothing(t *testing.T) {
	lite, path := openSQLiteIn(t, t.TempDir())
	fill(t, lite, 15)
	for _, to := range []string{pgtest.Database(t), filepath.Join(t.TempDir(), "to.db")} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Copy(ctx, path, to, CopyOptions{every: 10, Progress: func(_ string, rows, _ int64) {
			if rows > 0 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", display(to), err)
		}
		if _, err := Copy(t.Context(), path, to, CopyOptions{}); err != nil { // it is empty
			t.Errorf("%s: %v", display(to), err)
		}
	}
}

func TestABackupIsOfOneMomentWhileOthersWrite(t *testing.T) {
	lite, path := openSQLiteIn(t, t.TempDir())
	address := pgtest.Database(t)
	for name, d := range map[string]*database{path: lite, address: postgres(t, address)} {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n := int64(1); ; n++ {
				b := one("a", n, date("2026-11-25"))
				b.Decisions = []Decision{{Time: date("2026-11-25")}}
				if err := d.AddBatch(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		time.Sleep(50 * time.Millisecond)
		file := filepath.Join(t.TempDir(), "backup.db")
		if err := Backup(t.Context(), name, file, nil); err != nil {
			t.Fatal(err)
		}
		close(stop)
		<-stopped
		b, err := connectSQLite(t.Context(), file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := b.Decisions(t.Context(), DecisionFilter{Limit: 1_000_000})
		var number int64
		err = errors.Join(err, b.read.QueryRow(`SELECT number FROM sources`).Scan(&number))
		if n := messages(t, b); err != nil || n == 0 || n != int64(len(found)) || n != number {
			t.Errorf("%s: %d messages, %d decisions, the batch %d, %v", display(name), n, len(found), number, err)
		}
		b.Close()
	}
}
