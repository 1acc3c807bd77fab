package store_test

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// places are new stores, one of each engine.
func places(t *testing.T) []string {
	return []string{filepath.Join(t.TempDir(), "gatepost.db"), pgtest.Database(t)}
}

func arrived(t *testing.T, s store.Store, domain string, numbers ...int64) {
	t.Helper()
	for _, n := range numbers {
		a := arrival(domain, n)
		a.Reports[0].Domain = domain
		if _, err := s.AddArrivals(t.Context(), []store.Arrival{a}); err != nil {
			t.Fatal(err)
		}
	}
}

// Who has the store open must not take the numbers that it remembers for those of what is there now.
func TestAStoreThatIsRestoredUnderSomebodyCountsUnderTheRightNames(t *testing.T) {
	for _, address := range places(t) {
		s := opened(t, address, store.Options{Create: true})
		arrived(t, s, "b.example", 1)
		arrived(t, s, "a.example", 1)
		path, backup := filepath.Join(t.TempDir(), "other.db"), filepath.Join(t.TempDir(), "backup.db")
		arrived(t, opened(t, path, store.Options{Create: true}), "a.example", 1)
		if err := store.Backup(t.Context(), path, backup, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Restore(t.Context(), backup, address, store.CopyOptions{Replace: true}); err != nil {
			t.Fatal(err)
		}
		arrived(t, s, "b.example", 2)
		got := ""
		all, err := s.Domains(t.Context(), store.Question{})
		for _, d := range all {
			got += fmt.Sprint(d.Domain, " ", d.Messages, ";")
		}
		if want := "a.example 3;b.example 3;"; err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", address, got, err, want)
		}
		if top, err := s.AddressesBefore(t.Context(), message(0).Time, 10); err != nil || len(top) != 2 {
			t.Errorf("%s: the sources %v, %v; want 2", address, top, err)
		}
	}
}

func TestAStoreOfPostgreSQLIsNotCopiedToItselfByAnotherAddress(t *testing.T) {
	address := pgtest.Database(t)
	arrived(t, opened(t, address, store.Options{Create: true}), "a.example", 1)
	other := strings.Replace(address, "postgres://", "postgresql://", 1)
	if _, err := store.Copy(t.Context(), address, other, store.CopyOptions{Replace: true}); err == nil || !strings.Contains(err.Error(), "to itself") {
		t.Errorf("got %v", err)
	}
}

func TestTwoStoresMayBeInSchemasOfOneDatabase(t *testing.T) {
	address := pgtest.Database(t)
	arrived(t, opened(t, address, store.Options{Create: true}), "a.example", 1)
	database := address[strings.LastIndexByte(address, '/')+1:]
	pgtest.Shared(t).Exec(t, database, `DROP SCHEMA IF EXISTS "Other one" CASCADE`, `CREATE SCHEMA "Other one"`)
	address += "?search_path=%22Other%20one%22,public"
	if _, err := store.Open(t.Context(), address, store.Options{}); !errors.Is(err, store.ErrNotThere) {
		t.Errorf("where there is one only behind it in the search path: %v", err)
	}
	s := opened(t, address, store.Options{Create: true})
	arrived(t, s, "b.example", 1)
	if all, err := s.Domains(t.Context(), store.Question{}); err != nil || len(all) != 1 || all[0].Messages != 3 {
		t.Errorf("got %+v, %v", all, err)
	}
	if err := store.Backup(t.Context(), address, filepath.Join(t.TempDir(), "backup.db"), nil); err != nil {
		t.Error(err)
	}
}

// That the connection breaks by which something arrives says nothing of the store's.
func TestWhatCannotBeReadIsNoFaultOfTheStore(t *testing.T) {
	for _, address := range places(t) {
		s := opened(t, address, store.Options{Create: true})
		a, opens := arrival("a.example", 1), 0
		a.Raw.Name = "INBOX, UID 17"
		a.Raw.Open = func() (io.ReadCloser, error) {
			opens++
			return nil, io.ErrUnexpectedEOF
		}
		_, err := s.AddArrivals(t.Context(), []store.Arrival{a})
		var own *store.ArrivalError
		if !errors.As(err, &own) || err.Error() != "INBOX, UID 17: unexpected EOF" || opens != 1 {
			t.Errorf("%s: opened %d times: %v", address, opens, err)
		}
	}
}
