package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/folder"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// leases let one of several nodes fetch from a mailbox. That both fetched would count nothing twice, but each message would go over the
// network once for each node.
//
// There are none where the store is SQLite, which is one host's. And there are none for folders: the same path on two hosts is seldom the
// same directory, and one that nobody reads would be worse than one that is read twice.
type leases struct {
	store  leaseStore
	holder string // this node, whenever it runs
	ttl    time.Duration
	log    *slog.Logger
}

type leaseStore interface {
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	Release(ctx context.Context, name, holder string) error
}

// leaseTTL is how long after a node died another goes on with what it fetched.
const leaseTTL = 30 * time.Second

// openLeases gives nil where there is no need of any.
func openLeases(c *config.Config, kept leaseStore, log *slog.Logger) (*leases, error) {
	if !store.Shared(c.StoreURL()) {
		return nil, nil
	}
	holder, err := nodeName(filepath.Join(c.StateDir, "node"))
	if err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	return &leases{store: kept, holder: holder, ttl: leaseTTL, log: log}, nil
}

// nodeName is a name that this node keeps: started again after it died, it need not wait for its own lease to end.
func nodeName(path string) (string, error) {
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := rand.Text()
	return name, os.WriteFile(path, []byte(name+"\n"), 0o600)
}

// wrap has inputs run only while this node has their leases. Their names are each other's own.
func (l *leases) wrap(inputs []inbox.Input, names []string) []inbox.Input {
	if l == nil {
		return inputs
	}
	all := make([]inbox.Input, len(inputs))
	for i, in := range inputs {
		if _, local := in.(*folder.Input); local {
			all[i] = in
		} else {
			all[i] = &leasedInput{Input: in, leases: l, name: "input " + names[i]}
		}
	}
	return all
}

// A leasedInput is an input that one node at a time runs.
type leasedInput struct {
	inbox.Input
	*leases
	name string
	held atomic.Bool
}

// elsewhere tells whether another node sees to an input, or this one does not know yet.
func elsewhere(in inbox.Input) bool {
	l, ok := in.(*leasedInput)
	return ok && !l.held.Load()
}

// Run implements [inbox.Input].
func (in *leasedInput) Run(ctx context.Context, im inbox.Importer) error {
	for told := false; ctx.Err() == nil; {
		until, held, err := in.take(ctx)
		if held {
			told = false
			if err := in.hold(ctx, until, im); err != nil {
				return err
			}
			continue
		}
		if err == nil && !told {
			in.log.Info("another node sees to this input", "input", in.Name())
			told = true
		}
		inbox.Sleep(ctx, in.ttl/6+mathrand.N(in.ttl/6))
	}
	return nil
}

// take asks for the lease, and tells until when it is surely ours: the time counts from before it was asked for.
func (in *leasedInput) take(ctx context.Context) (until time.Time, held bool, err error) {
	until = time.Now().Add(in.ttl)
	ctx, cancel := context.WithTimeout(ctx, in.ttl/3)
	defer cancel()
	held, err = in.store.Lease(ctx, in.name, in.holder, in.ttl)
	return until, held, err
}

// hold runs the input until it ends, or the lease is not ours any more.
func (in *leasedInput) hold(ctx context.Context, until time.Time, im inbox.Importer) error {
	in.log.Info("this node sees to this input", "input", in.Name())
	in.held.Store(true)
	defer in.held.Store(false)
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- in.Input.Run(running, im) }()
	renew := time.NewTicker(in.ttl / 3)
	defer renew.Stop()
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	for {
		select {
		case err := <-ended:
			in.giveUp(ctx)
			return err
		case <-renew.C:
			next, held, err := in.take(running)
			switch {
			case held:
				end.Reset(time.Until(next))
			case err == nil:
				end.Reset(0) // another has it: the database had forgotten us
			}
		case <-end.C:
			in.log.Warn("this node leaves this input to others: its lease has ended", "input", in.Name())
			stop()
			<-ended
			return nil
		}
	}
}

// giveUp lets another node take the lease at once.
func (in *leasedInput) giveUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	if err := in.store.Release(ctx, in.name, in.holder); err != nil {
		in.log.Debug("a lease was not given up; it ends by itself", "input", in.Name(), "error", err.Error())
	}
}

const releaseTime = 2 * time.Second
