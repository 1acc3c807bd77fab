package store_test

import (
	"errors"
	"strings"
	"sync"
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
	storetest.RunPassedOn(t, func(t *testing.T, o store.Options) storetest.Place {
		address := pgtest.Database(t)
		return func(t *testing.T) store.Store {
			s := store.Keep(address, o)
			t.Cleanup(func() { s.Close() })
			return s
		}
	})
}

func TestErrorsOfPostgreSQLAreOneLineThatNamesTheStoreAndHowToMendItAndNoPassword(t *testing.T) {
	s := pgtest.Shared(t)
	const password = "hunter2"
	s.Role(t, "secret_gatepost", password)
	s.Exec(t, "postgres", "CREATE ROLE plain LOGIN")
	s.Exec(t, "postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
	filled := func(statements ...string) string {
		address := s.Database(t)
		opened(t, address, store.Options{Create: true}).Close()
		s.Exec(t, address[strings.LastIndexByte(address, '/')+1:], statements...)
		return address
	}
	empty := s.Database(t)
	owned := filled()
	newer := filled(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`)
	older := filled(`DELETE FROM goose_db_version WHERE version_id > 1`)
	as := func(user, address string) string {
		return strings.Replace(address, "postgres@", user+":"+password+"@", 1)
	}
	for _, c := range []struct {
		address string
		create  bool
		is      error
		says    string
	}{
		{empty, false, store.ErrNotThere, "gatepost serve"},
		{newer, true, store.ErrNewer, "version 99"},
		{newer, false, store.ErrNewer, "version 99"},
		{older, false, store.ErrOlder, "gatepost serve"},
		{s.Address("postgres", "latin"), true, nil, "createdb -T template0 -E UTF8"},
		{s.Address("postgres", "none"), true, nil, "createdb --owner"},
		{s.Address("secret_gatepost:wrong"+password, "postgres"), true, nil, "PGPASSWORD"},
		{s.Address("secret_gatepost", "postgres"), true, nil, "PGPASSWORD"},
		{s.Address("nobody", "postgres"), true, nil, "pg_hba.conf"},
		{as("plain", empty), true, nil, "owner of the database"},
		{as("plain", owned), false, nil, "owner of the database"},
		{"postgres://u:" + password + "@127.0.0.1:1/gatepost", true, nil, "127.0.0.1:1: connect: connection refused; see that it runs"},
		{"postgres://u:" + password + "@127.0.0.1:1/gatepost?sslmode=require", true, nil, "see that it runs"},
		{"postgres://u@/gatepost?host=/no/such/directory&password=" + password, true, nil, "see that it runs"},
		{"postgres://u@127.0.0.1:1/gatepost?password=" + password, true, nil, "see that it runs"},
		{"postgres://u:" + password + "@[::1/gatepost", true, store.ErrURL, "postgres://USER@HOST/DATABASE"},
		{"postgres://u:" + password + "%@db/gatepost", true, store.ErrURL, "postgres://USER@HOST/DATABASE"},
		{"postgres://u:" + password + "@db:http/gatepost", true, store.ErrURL, "postgres://USER@HOST/DATABASE"},
		{"postgres://u:" + password + "@db/gatepost?sslmode=sometimes", true, store.ErrURL, "sslmode"},
		{"mysql://u@db/gatepost", true, store.ErrURL, "postgres://USER@HOST/DATABASE"},
	} {
		s, err := store.Open(t.Context(), c.address, store.Options{Create: c.create})
		if err == nil {
			_, err = s.ExceptionsVersion(t.Context())
			s.Close()
		}
		if err == nil {
			t.Errorf("%s was opened", c.address)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, c.says) || strings.Contains(text, "\n") || strings.Contains(text, password) || !strings.Contains(text, "://") {
			t.Errorf("%s: got %q, want one line with %q", c.address, text, c.says)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is no %v", c.address, err, c.is)
		}
		if err := store.Check(c.address); (err != nil) != (c.is == store.ErrURL) || err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%s: checked without looking: %v", c.address, err)
		}
	}
}

func TestThePasswordOfPostgreSQLMayStandInTheEnvironment(t *testing.T) {
	s := pgtest.Shared(t)
	s.Role(t, "secret_owner", "quite secret")
	s.Exec(t, "postgres", "CREATE DATABASE owned OWNER secret_owner")
	t.Setenv("PGPASSWORD", "quite secret")
	opened(t, s.Address("secret_owner", "owned"), store.Options{Create: true})
}

func TestManyMayMakeAStoreInPostgreSQLAtTheSameTime(t *testing.T) {
	address := pgtest.Database(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := store.Open(t.Context(), address, store.Options{Create: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.ExceptionsVersion(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAStoreInPostgreSQLThatWasDroppedIsMadeAnew(t *testing.T) {
	s := pgtest.Shared(t)
	address := s.Database(t)
	k := store.Keep(address, store.Options{Create: true})
	defer k.Close()
	add := func(number int64) error {
		return k.AddBatch(t.Context(), store.Batch{Source: "a", Number: number, Decisions: []store.Decision{message(int(number))}})
	}
	if err := add(1); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, address[strings.LastIndexByte(address, '/')+1:], "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
	_ = add(2)
	if err := add(2); err != nil {
		t.Errorf("after it was dropped: %v", err)
	}
	if found, err := k.Decisions(t.Context(), store.DecisionFilter{}); err != nil || len(found) != 1 {
		t.Errorf("got %d decisions, %v", len(found), err)
	}
}
