package store_test

import (
	"path/filepath"
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

func TestSQLiteKeepsThePromises(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o store.Options) storetest.Place {
		path := filepath.Join(t.TempDir(), "odd name%20?#&.db")
		return func(t *testing.T) store.Store { return opened(t, path, o) }
	})
}

func TestAKeptSQLiteKeepsThePromises(t *testing.T) {
	storetest.RunPassedOn(t, func(t *testing.T, o store.Options) storetest.Place {
		path := filepath.Join(t.TempDir(), "gatepost.db")
		return func(t *testing.T) store.Store {
			s := store.Keep("sqlite:"+path, o)
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}
