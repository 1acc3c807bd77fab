package refresh

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFileIsReadAgainWhenItChangesAndAGoodOneIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	bad := errors.New("bad")
	reads := 0
	f := New(func() (string, error) {
		reads++
		text, err := os.ReadFile(path)
		if string(text) == "bad" {
			err = bad
		}
		return string(text), err
	}, path)
	if _, err := f.Get(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	at := time.Unix(1_700_000_000, 0)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Minute)
		os.Chtimes(path, at, at)
		f.looked = time.Time{} // as after a second
	}
	get := func(want string, wantErr error) {
		t.Helper()
		if got, err := f.Get(); got != want || !errors.Is(err, wantErr) {
			t.Errorf("got %q, %v, want %q, %v", got, err, want, wantErr)
		}
	}
	write("one")
	get("one", nil)
	get("one", nil)
	write("two")
	get("two", nil)
	write("bad")
	get("two", bad)
	f.looked = time.Time{}
	get("two", nil)
	write("three")
	get("three", nil)
	if reads != 5 {
		t.Errorf("read %d times, want 5", reads)
	}
}
