package signing

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNoKeyIsWrittenWhereALinkLeads(t *testing.T) {
	folder := t.TempDir()
	victim := filepath.Join(folder, "victim")
	if err := os.Symlink(victim, filepath.Join(folder, ".s1.pem.new")); err != nil {
		t.Fatal(err)
	}
	d := &Directory{path: folder, hook: func(string) {}}
	if err := d.write(folder, "s1.pem", []byte("key")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("the key is where the link led")
	}
}
