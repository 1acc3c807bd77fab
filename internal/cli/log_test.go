package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// remember STORE FILE: the decisions in FILE, JSON one a line, are put into the store as the gate would.
func remember(ts *testscript.TestScript, neg bool, args []string) {
	s, err := store.Open(context.Background(), ts.MkAbs(args[0]), store.Options{Create: true})
	ts.Check(err)
	defer s.Close()
	b := store.Batch{Source: args[1], Number: 1}
	for lines := json.NewDecoder(strings.NewReader(ts.ReadFile(args[1]))); ; {
		var d store.Decision
		err := lines.Decode(&d)
		if err == io.EOF {
			break
		}
		ts.Check(err)
		b.Decisions = append(b.Decisions, d)
		b.Counts = append(b.Counts, store.Count{Observation: store.Observe(&d), Count: 1})
		if d.Exception != 0 {
			b.Uses = append(b.Uses, store.Use{Exception: d.Exception, Count: 1, Last: d.Time})
		}
	}
	ts.Check(s.AddBatch(context.Background(), b))
}

// written gives a store that one of a gate would be, and a way to add a message.
func written(t *testing.T) (path string, add func(reference, rule string)) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "gatepost.db")
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	number := int64(0)
	return path, func(reference, rule string) {
		t.Helper()
		number++
		d := store.Decision{Time: time.Unix(1795521600+number, 0), Reference: reference, Verdict: "reject", Rule: rule}
		if err := s.AddBatch(t.Context(), store.Batch{Source: "a", Number: number, Decisions: []store.Decision{d}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFollowPrintsWhatComesOnceAndNothingElse(t *testing.T) {
	path, add := written(t)
	for _, before := range []string{"", "old"} {
		if before != "" {
			add("old1", "a")
			add("other", "b")
			add("old2", "a")
		}
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		done := make(chan Status)
		go func() {
			status := Run(ctx, []string{"log", "--store", path, "--follow", "--json", "--rule", "a", "-n", "1"}, Streams{Out: w, Err: os.Stderr})
			w.Close()
			done <- status
		}()
		lines := bufio.NewScanner(r)
		next := func(want string) {
			t.Helper()
			if !lines.Scan() || !strings.Contains(lines.Text(), `"reference":"`+want+`"`) {
				t.Fatalf("got %q, want the message %q", lines.Text(), want)
			}
		}
		if before != "" {
			next("old2")
		}
		for _, reference := range []string{"new1", "new2", "new3"} {
			add("other", "b")
			add(reference, "a")
			next(reference)
		}
		cancel()
		if lines.Scan() {
			t.Errorf("got %q too", lines.Text())
		}
		if status := <-done; status != StatusFine {
			t.Errorf("exit status %d", status)
		}
		add("between", "a")
		add("between", "a")
	}
}

func TestJSONOfADecisionHasNoNull(t *testing.T) {
	path, add := written(t)
	add("", "")
	out, errs, status := run(t, "", "log", "--store", path, "--json")
	if status != StatusFine || errs != "" {
		t.Fatal(errs)
	}
	got := shape(t, out)
	for member, kind := range got {
		if kind == "<nil>" {
			t.Errorf("%s is null", member)
		}
	}
	for _, member := range []string{".id", ".time", ".reference", ".queue_id", ".message_id", ".helo", ".mail_from", ".envelope_domain",
		".rcpt_to", ".author_domain", ".spf", ".dkim", ".arc", ".dmarc", ".policy", ".disposition", ".verdict", ".rule", ".mode", ".done", ".reason"} {
		if got[member] == "" {
			t.Errorf("%s is missing", member)
		}
	}
}
