package store_test

import (
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

func TestPostgreSQLKeepsThePromises(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o store.Options) storetest.Place {
		address := pgtest.Database(t)
		return func(t *testing.T) store.Store { return opened(t, address, o) }
	})
}

func TestAKeptPostgreSQLKeepsThePromises(t *testing.T) {
	storetest.Run(t, func(t *testing.T, o store.Options) storetest.Place {
		address := pgtest.Database(t)
		return func(t *testing.T) store.Store {
			s := store.Keep(address, o)
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}
