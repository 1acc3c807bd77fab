// Package demotest has the demo for tests.
package demotest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/demo"
)

// End is the last day of the mail, a Sunday.
var End = time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)

// Make makes a demo in a directory that is there and empty, by the program: made within a test that looks for races it takes ten times
// as long.
func Make(ctx context.Context, dir string) (*demo.Demo, error) {
	cmd := exec.CommandContext(ctx, "go", "run", "github.com/gatepost-mail/gatepost/cmd/gatepost", "demo", "--json", "--dir", dir, "--end", End.Format(time.DateOnly))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("gatepost demo: %w", err)
	}
	var made struct {
		Config, Store, Zone string
		Now                 time.Time
		Reports, Messages   int
		Reference           string
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return nil, fmt.Errorf("gatepost demo --json: %w", err)
	}
	return &demo.Demo{
		Config: made.Config, Store: made.Store, Zone: made.Zone, Now: made.Now, Reports: made.Reports, Messages: made.Messages, Reference: made.Reference,
	}, nil
}

// The demo that copies are made of.
var (
	folder string
	master = sync.OnceValues(func() (*demo.Demo, error) {
		var err error
		if folder, err = os.MkdirTemp("", "gatepost-demotest-"); err != nil {
			return nil, err
		}
		return Make(context.Background(), folder)
	})
)

// Copy is a copy of a demo that is made once for all the tests of a package.
func Copy(t testing.TB) *demo.Demo {
	t.Helper()
	made, err := master()
	if err != nil {
		t.Fatal(err)
	}
	d, dir := *made, t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries { // the copy of a secret is one too
		if err := os.Chmod(filepath.Join(dir, e.Name()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []*string{&d.Config, &d.Store, &d.Zone} {
		*path = filepath.Join(dir, filepath.Base(*path))
	}
	return &d
}

// Remove deletes what the copies were made of: for TestMain.
func Remove() {
	if folder != "" {
		os.RemoveAll(folder)
	}
}
