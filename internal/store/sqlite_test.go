package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

func opened(t testing.TB, address string, o store.Options) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// made are the bytes of a store with nothing in it. To make its tables takes longer than most promises.
var made = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "gatepost-store-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "made.db")
	s, err := store.Open(context.Background(), path, store.Options{Create: true})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// lay puts such a store into a file.
func lay(t *testing.T, path string) {
	t.Helper()
	bytes, err := made()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteKeepsThePromises(t *testing.T) {
	storetest.RunSQLite(t, func(t *testing.T, o store.Options) storetest.Place {
		path := filepath.Join(t.TempDir(), "odd name%20?#&.db")
		lay(t, path)
		return func(t *testing.T) store.Store { return opened(t, path, o) }
	})
}

func TestAKeptSQLiteKeepsThePromises(t *testing.T) {
	storetest.RunPassedOn(t, func(t *testing.T, o store.Options) storetest.Place {
		path := filepath.Join(t.TempDir(), "gatepost.db")
		lay(t, path)
		return func(t *testing.T) store.Store {
			s := store.Keep("sqlite:"+path, o)
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}
