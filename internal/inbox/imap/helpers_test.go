package imap

import (
	"os"
	"path/filepath"
	"testing"
)

// writeOwned writes a file of the account's.
func writeOwned(t *testing.T, a *account, name, text string) {
	t.Helper()
	path := filepath.Join(a.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, a.d.uid, a.d.gid); err != nil {
		t.Fatal(err)
	}
}
