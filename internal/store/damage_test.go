package store_test

import (
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// statement runs SQL in a store's file, as somebody with the sqlite3 program would.
func statement(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

func TestErrorsAreOneLineThatNamesTheStoreAndHowToMendIt(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"newer.db", "older.db", "damaged.db"} {
		opened(t, at(name), store.Options{Create: true}).Close()
	}
	statement(t, at("newer.db"), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	statement(t, at("older.db"), `DELETE FROM goose_db_version WHERE version_id > 0`)
	if err := os.WriteFile(at("prose.db"), []byte(strings.Repeat("No database. ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(at("damaged.db"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(bytes); i++ {
		bytes[i] = 0xa5
	}
	if err := os.WriteFile(at("damaged.db"), bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address string
		create  bool
		is      error
		says    string
	}{
		{at("none.db"), false, store.ErrNotThere, "gatepost serve"},
		{at("no/such/none.db"), false, store.ErrNotThere, "gatepost serve"},
		{at("no/such/none.db"), true, nil, "no directory " + at("no/such")},
		{dir, true, nil, "a directory"},
		{at("prose.db"), true, nil, "no SQLite database"},
		{at("damaged.db"), true, nil, "damaged"},
		{at("newer.db"), true, store.ErrNewer, "version 99"},
		{at("newer.db"), false, store.ErrNewer, "version 99"},
		{at("older.db"), false, store.ErrOlder, "gatepost serve"},
		{"mysql://db/gatepost", true, store.ErrURL, "sqlite:/var/lib"},
		{"", true, store.ErrURL, "sqlite:/var/lib"},
		{"sqlite:", true, store.ErrURL, "sqlite:/var/lib"},
	} {
		s, err := store.Open(t.Context(), c.address, store.Options{Create: c.create})
		if err == nil {
			s.Close()
			t.Errorf("%s was opened", c.address)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.says) || strings.Contains(text, "\n") || !strings.Contains(text, c.address) {
			t.Errorf("%s: got %q, want one line with %q", c.address, text, c.says)
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is no %v", c.address, err, c.is)
		}
	}
}

func TestAnAddressThatIsNoneIsShownWithoutItsPassword(t *testing.T) {
	for address, want := range map[string]string{
		"Postgres://u:hunter2@db/gatepost": `"Postgres:…@db/gatepost"`, "postgres:u:hunter2@db": `"postgres:…@db"`,
		"mysql://u:hunter2:@a@db/x?password=hunter2": `"mysql:…@db/x?…"`,
	} {
		_, err := store.Open(t.Context(), address, store.Options{})
		for _, err := range []error{err, store.Check(address)} {
			if !errors.Is(err, store.ErrURL) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v", address, err)
			}
		}
	}
}

func TestToGoWhereOneIsChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	opened(t, path, store.Options{Create: true}).Close()
	for range 2 {
		if err := store.Migrate(t.Context(), path, 0); err != nil {
			t.Error(err)
		}
	}
}

func TestAnAddressIsAPathOrAURL(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for i, address := range []string{"gatepost.db", "./gatepost.db", "sqlite:gatepost.db", "sqlite:" + dir + "/gatepost.db", "sqlite://" + dir + "/gatepost.db"} {
		if runtime.GOOS == "windows" && i > 2 {
			continue
		}
		opened(t, address, store.Options{Create: true}).Close()
	}
	if files, _ := filepath.Glob("*"); len(files) != 1 {
		t.Errorf("got the files %v", files)
	}
}

func TestNotEverybodyMayReadAStore(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "gatepost.db")
	opened(t, path, store.Options{Create: true})
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("got the files %v, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s has the mode %v, %v", file, info.Mode(), err)
		}
	}
}

func TestAStoreInADirectoryThatMayNotBeWrittenSaysSo(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs Linux and root, to mount a file system that is read-only")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "gatepost.db")
	opened(t, path, store.Options{Create: true}).Close()
	mount(t, "--bind", dir, dir)
	mount(t, "-o", "remount,ro,bind", dir)
	s, err := store.Open(t.Context(), path, store.Options{})
	if err == nil {
		_, err = s.Prune(t.Context(), store.Retention{}, message(0).Time)
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "right to write") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestAStoreOnAFullDiskSaysSoAndGoesOnWhenThereIsRoom(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs Linux and root, to mount a small file system")
	}
	dir := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir)
	s := opened(t, filepath.Join(dir, "gatepost.db"), store.Options{Create: true})
	var err error
	number := int64(1)
	for ; number < 10_000 && err == nil; number++ {
		b := store.Batch{Source: "a", Number: number}
		for n := range 100 {
			b.Decisions = append(b.Decisions, message(n))
		}
		err = s.AddBatch(t.Context(), b)
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v", err)
	}
	mount(t, "-o", "remount,size=8m", dir)
	if err := s.AddBatch(t.Context(), store.Batch{Source: "a", Number: number - 1, Decisions: []store.Decision{message(1)}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// mount mounts, and undoes it when the test ends. Where that is not allowed, as in a container, the test is skipped.
func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mount %v: %s", args, out)
		}
		t.Skipf("mount %v: %s", args, out)
	}
	if dir := args[len(args)-1]; !strings.Contains(strings.Join(args, " "), "remount") {
		t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	}
}

func TestManyMayMakeAStoreAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := store.Open(t.Context(), path, store.Options{Create: true})
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

func TestWhatIsWrittenIntoAStoreThatWasMovedAwayIsAnError(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not let an open file be moved")
	}
	dir := t.TempDir()
	home, away := filepath.Join(dir, "home"), filepath.Join(dir, "away")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "gatepost.db")
	s := opened(t, path, store.Options{Create: true})
	k := store.Keep(path, store.Options{Create: true})
	defer k.Close()
	add := func(s store.Store, number int64) error {
		return s.AddBatch(t.Context(), store.Batch{Source: "a", Number: number, Decisions: []store.Decision{message(int(number))}})
	}
	if err := add(k, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(home, away); err != nil {
		t.Fatal(err)
	}
	for _, s := range []store.Store{s, k} {
		if err := add(s, 2); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("written where nobody looks: %v", err)
		}
	}
	if err := os.Rename(away, home); err != nil {
		t.Fatal(err)
	}
	if err := add(k, 2); err != nil {
		t.Errorf("when it was back: %v", err)
	}
	if found, err := k.Decisions(t.Context(), store.DecisionFilter{}); err != nil || len(found) != 2 {
		t.Errorf("got %d decisions, %v", len(found), err)
	}

	// A store that was deleted is made anew.
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	_ = add(k, 3)
	if err := add(k, 3); err != nil {
		t.Errorf("after it was deleted: %v", err)
	}
	if found, err := k.Decisions(t.Context(), store.DecisionFilter{}); err != nil || len(found) != 1 {
		t.Errorf("got %d decisions, %v", len(found), err)
	}
}
