package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestANameIsMentionedOnlyAsAWhole(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"mail.example", true},
		{"include:mail.example leads nowhere", true},
		{"It leads to mail.example.", true},
		{"It leads to mail.example. Mend it.", true},
		{"mail.example.net", false},
		{"a.mail.example", false},
		{"hotmail.example, and mail.example", true},
		{"", false},
	} {
		if got := mentions(c.text, "mail.example"); got != c.want {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
}

func TestALongAuditSaysHowFarItIs(t *testing.T) {
	var b bytes.Buffer
	now := time.Date(2026, 12, 1, 12, 0, 5, 0, time.UTC)
	p := &checksProgress{line: &progress{w: &b, start: now.Add(-5 * time.Second), now: func() time.Time { return now }}, all: 12, stop: make(chan struct{})}
	p.done()
	if b.Len() > 0 {
		t.Errorf("a line is taken away that was not there: %q", b.String())
	}
	p.say()
	p.done()
	p.end()
	p.end()
	p.say()
	if want := "\r\x1b[K1 of 12 domains checked, 5 s\r\x1b[K\r\x1b[K"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestAReportIsThereWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.txt")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		end  func(*whole) error
		want string
	}{
		{func(r *whole) error { r.discard(); return nil }, "before"},
		{func(r *whole) error { return r.keep(0o644) }, "half"},
	} {
		r, err := openOutput(nil, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.w.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		if err := c.end(r); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != c.want {
			t.Errorf("the file has %q, %v, want %q", text, err, c.want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
