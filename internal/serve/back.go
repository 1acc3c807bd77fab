package serve

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/web/https"
)

// A back is what runs behind the gate as long as the program does. Where it is kept is fixed at the start.
type back struct {
	metrics *metrics.Metrics
	memory  *memory
	keys    *signing.Directory
	rotor   *signing.Rotor
	socket  net.Listener // of the control socket

	importer *intake.Importer // nil where nothing is kept
	answers  *answers         // to letters of ours, among the reports
	leases   *leases          // nil where no other node is
	store    string           // the address
	hatch    hatch
	https    atomic.Pointer[https.HTTPS] // nil where HTTPS is not spoken, or not yet

	moving    sync.Mutex // from one reception to the next
	mu        sync.Mutex
	reception *reception // nil where nothing is kept

	ctx    context.Context // of what runs
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// openBack takes over the state directory.
func openBack(s *state, m *metrics.Metrics) (*back, error) {
	c := s.config
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	b := &back{metrics: m, cancel: func() {}}
	var err error
	if b.memory, err = openMemory(c, s.log); err != nil {
		return nil, err
	}
	if b.socket, err = control.Listen(filepath.Join(c.StateDir, control.SocketName)); err != nil {
		b.close(context.Background())
		return nil, fmt.Errorf("state_dir: %w", err)
	}
	if err := b.openKeys(s); err != nil {
		b.close(context.Background())
		return nil, err
	}
	if b.memory != nil {
		b.answers = &answers{store: b.memory.store.kept}
		if err := b.answers.follow(s); err != nil {
			b.close(context.Background())
			return nil, err
		}
		b.importer, b.store = &intake.Importer{Store: b.memory.store, Read: b.answers.read}, c.StoreURL()
		b.memory.store.metrics = m
		if b.leases, err = openLeases(c, b.memory.store, s.log); err == nil {
			b.reception, err = newReception(s, b.importer, b.leases, b.answers)
		}
		if err != nil {
			b.close(context.Background())
			return nil, err
		}
	}
	return b, nil
}

// openKeys opens the key directory, though nothing may be signed yet: a reload can change that.
func (b *back) openKeys(s *state) error {
	dir, err := signing.OpenDirectory(s.config.KeyDir())
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	rotor, err := signing.NewRotor(s.rotorOptions(dir))
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	b.keys, b.rotor = dir, rotor
	// Keys that are new here, as after an import, sign only when DNS has shown them. Mail does not wait for that for long.
	ctx, cancel := context.WithTimeout(context.Background(), firstLook)
	defer cancel()
	if _, err := rotor.Tick(ctx, time.Now()); err != nil {
		s.log.Warn("not every key could be looked at", "error", err.Error())
	}
	return nil
}

// firstLook bounds the time that is taken to look at keys before mail is.
const firstLook = 5 * time.Second

func (s *state) rotorOptions(dir *signing.Directory) signing.Options {
	return signing.Options{Directory: dir, Settings: s.signing, Views: s.views, Publisher: s.updates, Log: s.log}
}

// start runs what works beside the mail.
func (b *back) start(ctx context.Context, s *Server) {
	ctx, b.cancel = context.WithCancel(ctx)
	b.ctx = ctx
	b.metrics.Attach(s.sources())
	b.tasks.Go(func() { control.Serve(ctx, b.socket, s) })
	if b.memory != nil {
		retain := s.retain
		b.memory.store.retain.Store(&retain)
		b.tasks.Go(func() { b.memory.allowed.Run(ctx) })
	}
	b.tasks.Go(func() { b.rotor.Run(ctx) })
	if b.reception != nil {
		b.hatch.handler.Store(b.reception.upload)
	}
	b.receive(s)
	s.startWeb(ctx)
}

// receive begins to take reports in as the configuration says.
func (b *back) receive(s *Server) {
	r := b.reports()
	if r == nil {
		return
	}
	if hasJobs(s.state().config) {
		r.start(b.ctx, b.importer, s.runJobs)
	} else {
		r.start(b.ctx, b.importer)
	}
}

// receiveAnew ends the taking in of reports, and begins it by another configuration. Uploads go to the new one at once; those under way
// have an answer from the old one. Nobody waits for a mail server that takes its time for the message that is under way.
func (b *back) receiveAnew(s *Server, next *reception) {
	b.hatch.handler.Store(next.upload)
	b.mu.Lock()
	old := b.reception
	b.reception = next
	b.mu.Unlock()
	b.tasks.Go(func() {
		b.moving.Lock()
		defer b.moving.Unlock()
		end, cancel := context.WithTimeout(b.ctx, drainTimeout)
		defer cancel()
		old.stop(end)
		b.receive(s)
	})
}

// close ends everything, after what was decided is in the store or the context ended.
func (b *back) close(ctx context.Context) error {
	b.cancel()
	b.reports().stop(ctx)
	if b.socket != nil {
		b.socket.Close()
	}
	b.tasks.Wait()
	return b.memory.close(ctx)
}
