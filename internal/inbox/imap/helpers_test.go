package imap

import (
	"context"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/test/dovecot"
)

// once runs an input until it is through, with no patience for one that hangs.
func once(t *testing.T, o Options, im *inboxtest.Importer) error {
	t.Helper()
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return in.Once(ctx, im)
}

// run runs an input in the background until the test ends.
func run(t *testing.T, o Options, im *inboxtest.Importer) *Input {
	t.Helper()
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx, im) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not end with its context")
		}
	})
	return in
}

// until waits for something that must come to pass.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 2000 {
		if f() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

const secret = dovecot.Password
