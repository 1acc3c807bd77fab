package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

func tasks(n int, done, dropped *[]int) iter.Seq[inbox.Task] {
	return func(yield func(inbox.Task) bool) {
		for i := range n {
			ok := yield(inbox.Task{
				Item: intake.Item{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(fmt.Sprint(i))), nil }},
				Done: func(intake.Outcome) error { *done = append(*done, i); return nil },
				Drop: func() { *dropped = append(*dropped, i) },
			})
			if !ok {
				return
			}
		}
	}
}

func TestEachTaskIsDroppedOnceWhateverBecomesOfIt(t *testing.T) {
	for commits := range 5 {
		var done, dropped []int
		n := 0
		im := &inboxtest.Importer{Batch: 3, Before: func() error {
			if n++; n > commits {
				return errors.New("the store is away")
			}
			return nil
		}}
		err := inbox.Work(t.Context(), im, inbox.NewStatus("test", nil), tasks(10, &done, &dropped))
		if (err == nil) != (commits == 4) {
			t.Errorf("%d commits: error %v", commits, err)
		}
		if want := min(3*commits, 10); len(done) != want || len(dropped) != min(3*commits+3, 10) {
			t.Errorf("%d commits: done %v, dropped %v", commits, done, dropped)
		}
	}
}

func TestAHundredFailuresInARowEndTheWork(t *testing.T) {
	var done, dropped []int
	im := &inboxtest.Importer{Batch: 1, Decide: func(item intake.Item, _ []byte) (intake.Outcome, bool) {
		return intake.Outcome{Failed: errors.New("the disk is full")}, item.Name != "50"
	}}
	err := inbox.Work(t.Context(), im, inbox.NewStatus("test", nil), tasks(1000, &done, &dropped))
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || len(done) != 151 {
		t.Errorf("%d done, error %v", len(done), err)
	}
}

func TestTheLogHasAChangeOfStateOnceAndNotEachAttempt(t *testing.T) {
	var text bytes.Buffer
	s := inbox.NewStatus("imap:a@b", slog.New(slog.NewTextHandler(&text, nil)))
	s.Succeeded()
	for port := range 5 {
		s.Failed(fmt.Errorf("read tcp 127.0.0.1:%d: connection\nreset", port+40000))
	}
	s.Failed(errors.New("the server refused the login"))
	if st := s.State(); st.Connected || st.LastError != "the server refused the login" || st.LastSuccess.IsZero() {
		t.Errorf("the state is %+v", st)
	}
	s.Succeeded()
	s.Succeeded()
	if st := s.State(); !st.Connected || st.LastError != "" {
		t.Errorf("the state is %+v", st)
	}
	if n := strings.Count(text.String(), "\n"); n != 4 {
		t.Errorf("%d lines:\n%s", n, text.String())
	}
}

// A flaky input ends again and again.
type flaky struct {
	*inbox.Status
	mu   sync.Mutex
	runs int
}

func (f *flaky) Name() string                               { return "flaky" }
func (f *flaky) Once(context.Context, inbox.Importer) error { return nil }
func (f *flaky) Run(ctx context.Context, _ inbox.Importer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.runs++; f.runs < 3 {
		return errors.New("broken")
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	return nil
}

func TestTheSupervisorStartsAnewWhatEndsAndEndsWithItsContext(t *testing.T) {
	f := &flaky{Status: inbox.NewStatus("flaky", nil)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		inbox.Supervise(ctx, new(inboxtest.Importer), nil, f)
		close(ended)
	}()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		runs := f.runs
		f.mu.Unlock()
		if runs == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d runs", runs)
		}
	}
	cancel()
	<-ended
}

func TestBackoffGrowsUpToItsBoundAndIsNeverInStep(t *testing.T) {
	b := inbox.Backoff{First: time.Second, Most: time.Minute}
	for i := range 20 {
		want := min(time.Second<<min(i, 10), time.Minute)
		if got := b.Next(); got < want/2 || got > want {
			t.Errorf("attempt %d: %v, not between %v and %v", i, got, want/2, want)
		}
	}
	b.Reset()
	if got := b.Next(); got > time.Second {
		t.Errorf("after a success: %v", got)
	}
}

func TestALineForTheLogIsOneAndShort(t *testing.T) {
	if got := inbox.Line("a\r\nb\x00c\x85d\u2028e\xff"+strings.Repeat("ü", 100), 20); strings.ContainsAny(got, "\r\n\x00\u0085\u2028") || len(got) > 23 {
		t.Errorf("%q", got)
	}
}
