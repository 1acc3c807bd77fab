package store_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// An administrator runs "gatepost allow add" as root while the gate, another user, does not run: the files that come into being then
// must not lock the gate out.
func TestWhatRootMakesBesideAStoreBelongsToItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "gatepost.db")
	opened(t, path, store.Options{Create: true}).Close()
	const gate = 12345
	if err := os.Chown(path, gate, gate); err != nil {
		t.Fatal(err)
	}
	s := opened(t, path, store.Options{})
	if err := s.AddBatch(t.Context(), store.Batch{Source: "a", Number: 1}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 3 {
		t.Fatalf("got the files %v, %v", files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != gate {
			t.Errorf("%s belongs to %d, want %d", file, owner, gate)
		}
	}
}

// And who imports reports as root may be the first to make the store.
func TestAStoreThatRootMakesBelongsToTheOwnerOfItsDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	const gate = 12345
	if err := os.Chown(dir, gate, gate); err != nil {
		t.Fatal(err)
	}
	opened(t, filepath.Join(dir, "gatepost.db"), store.Options{Create: true}).Close()
	info, err := os.Stat(filepath.Join(dir, "gatepost.db"))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != gate {
		t.Errorf("it belongs to %d, want %d", owner, gate)
	}
}
