package serve

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/folder"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A counted is an input that tells how many run.
type counted struct {
	inbox.Input
	running *atomic.Int64
	runs    atomic.Int64
}

func (c *counted) Name() string { return "counted" }

func (c *counted) State() inbox.State { return inbox.State{LastError: "so it goes"} }

func (c *counted) Run(ctx context.Context, _ inbox.Importer) error {
	c.runs.Add(1)
	c.running.Add(1)
	defer c.running.Add(-1)
	<-ctx.Done()
	return nil
}

// A lender is a store that can be away.
type lender struct {
	store.Store
	away atomic.Bool
}

var errAway = errors.New("away")

func (l *lender) Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	if l.away.Load() {
		return false, errAway
	}
	return l.Store.Lease(ctx, name, holder, ttl)
}

func (l *lender) Release(ctx context.Context, name, holder string) error {
	if l.away.Load() {
		return errAway
	}
	return l.Store.Release(ctx, name, holder)
}

// A tenant is a node with one input.
type tenant struct {
	input *counted
	lease inbox.Input
	store *lender
	stop  func()
}

const testTTL = 2 * time.Second

// tenants are nodes whose leases are in one store.
func tenants(t *testing.T, running *atomic.Int64, names ...string) []*tenant {
	t.Helper()
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	var all []*tenant
	for _, name := range names {
		n := &tenant{input: &counted{running: running}, store: &lender{Store: kept}}
		l := &leases{store: n.store, holder: name, ttl: testTTL, log: slog.New(slog.DiscardHandler)}
		n.lease = l.wrap([]inbox.Input{n.input}, []string{"counted"})[0]
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if err := n.lease.Run(ctx, nil); err != nil {
				t.Error(err)
			}
		}()
		n.stop = sync.OnceFunc(func() {
			cancel()
			<-ended
		})
		t.Cleanup(n.stop)
		all = append(all, n)
	}
	return all
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func TestOneNodeAtATimeRunsAnInputAndAnotherFollowsIt(t *testing.T) {
	t.Parallel()
	var running atomic.Int64
	nodes := tenants(t, &running, "a", "b", "c")
	for len(nodes) > 0 {
		soon(t, "one runs", func() bool { return running.Load() == 1 })
		for end := time.Now().Add(testTTL); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if n := running.Load(); n != 1 {
				t.Fatalf("%d nodes run the input, want 1", n)
			}
		}
		var rest []*tenant
		for _, n := range nodes {
			if n.input.runs.Load() > 0 {
				if elsewhere(n.lease) {
					t.Error("the node that runs it believes that another does")
				}
				n.stop() // gives the lease up, so that the next need not wait for its end
			} else {
				rest = append(rest, n)
				if !elsewhere(n.lease) {
					t.Error("a node that waits believes that it runs the input")
				}
			}
		}
		if len(rest) != len(nodes)-1 {
			t.Fatalf("%d of %d ran, want 1", len(nodes)-len(rest), len(nodes))
		}
		nodes = rest
	}
}

func TestANodeThatCannotRenewItsLeaseLeavesTheInputToAnother(t *testing.T) {
	t.Parallel()
	var running atomic.Int64
	nodes := tenants(t, &running, "a", "b")
	soon(t, "one runs", func() bool { return running.Load() == 1 })
	first, second := nodes[0], nodes[1]
	if first.input.runs.Load() == 0 {
		first, second = second, first
	}
	first.store.away.Store(true) // the network between it and the store
	soon(t, "the other runs, alone", func() bool { return second.input.runs.Load() > 0 && running.Load() == 1 })
	first.store.away.Store(false)
	time.Sleep(testTTL)
	if n := first.input.runs.Load(); n != 1 {
		t.Errorf("the first ran %d times, want once", n)
	}
}

func TestANodeKeepsItsNameAndFoldersHaveNoLease(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "node")
	first, err := nodeName(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := nodeName(path)
	if err != nil || first != second || len(first) < 20 {
		t.Errorf("named %q and then %q: %v", first, second, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil { // the disk was full
		t.Fatal(err)
	}
	if name, err := nodeName(path); err != nil || name == "" {
		t.Errorf("named %q: %v", name, err)
	}
	in, err := folder.New(folder.Options{Paths: []string{t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	if got := (&leases{}).wrap([]inbox.Input{in}, []string{"x"})[0]; got != inbox.Input(in) {
		t.Errorf("a folder was given a lease: %T", got)
	}
	if got := (*leases)(nil).wrap([]inbox.Input{&counted{}}, []string{"x"})[0]; elsewhere(got) {
		t.Error("with SQLite there are leases")
	}
}
