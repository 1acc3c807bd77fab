package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAnswersAreNotWrittenWhereALinkLeads(t *testing.T) {
	folder := t.TempDir()
	victim, path := filepath.Join(folder, "victim"), filepath.Join(folder, "kept", "setup.toml")
	if err := writeKept(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(victim, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := writeKept(path, []byte("second")); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{victim: "untouched", path: "second"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", filepath.Base(file), got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
