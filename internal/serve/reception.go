package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/inbox/receiver"
	"github.com/gatepost-mail/gatepost/internal/inbox/upload"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/listen"
	"github.com/gatepost-mail/gatepost/internal/option"
)

// A reception takes in reports, by the ways that one configuration names, and does the jobs that they bring.
type reception struct {
	inputs   []inbox.Input
	names    []string           // of the inputs, each another
	receiver *receiver.Receiver // nil if none is wanted
	upload   *upload.Handler    // nil if none is wanted
	doors    []door
	log      *slog.Logger

	mu      sync.Mutex
	closed  map[door]error // why
	stopped chan struct{}  // closed when all has ended; nil while it runs
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
}

// A door is where our own receiver listens.
type door struct {
	address  config.Address
	protocol receiver.Protocol
}

// openInputs looks whether the inputs can be what the configuration says.
func (s *state) openInputs() (key string, err error) {
	if s.inputs, key, err = inputs(&s.config.Reports, s.log); err != nil {
		return key, err
	}
	if _, err := address.New(s.config.ReportAddresses(s.config.Reports.Domains, []address.Secret{{}})); err != nil {
		var option *option.Error
		if errors.As(err, &option) && option.Field == "domains" {
			return "reports.domains", fmt.Errorf("reports.%w", err)
		}
		return "reports.address", fmt.Errorf("reports.address.%w", err)
	}
	if (s.config.Reports.SMTP.CertFile == "") != (s.config.Reports.SMTP.KeyFile == "") {
		return "reports.smtp", errors.New("reports.smtp: cert_file and key_file go together")
	}
	if tokens := s.config.Reports.HTTP.Tokens; tokens != "" {
		if _, err := upload.ReadTokens(tokens); err != nil {
			return "reports.http.tokens", fmt.Errorf("reports.http.tokens: %w", err)
		}
	}
	return "", nil
}

// newReception prepares what takes reports in. Nothing runs yet.
func newReception(s *state, importer *intake.Importer, l *leases, a *answers) (_ *reception, err error) {
	r := &reception{names: inputNames(s.inputs), log: s.log, closed: map[door]error{}, cancel: func() {}}
	r.inputs = l.wrap(s.inputs, r.names)
	defer func() {
		if err != nil {
			r.stop(context.Background())
		}
	}()
	c := &s.config.Reports
	for _, a := range c.SMTP.Listen {
		r.doors = append(r.doors, door{a, receiver.SMTP})
	}
	for _, a := range c.SMTP.LMTP {
		r.doors = append(r.doors, door{a, receiver.LMTP})
	}
	if len(r.doors) > 0 {
		if r.receiver, err = s.receiver(importer, a); err != nil {
			return nil, fmt.Errorf("reports.smtp: %w", err)
		}
	}
	if c.HTTP.Tokens != "" {
		r.upload, err = upload.New(upload.Options{
			TokenFile: c.HTTP.Tokens, Importer: importer, MaxBytes: int64(c.HTTP.MaxBytes), TrustedProxies: c.HTTP.TrustedProxies, Log: s.log,
		})
		if err != nil {
			return nil, fmt.Errorf("reports.http: %w", err)
		}
	}
	return r, nil
}

// perAddress is the part of all connections that one client may have.
const perAddress = 10

func (s *state) receiver(importer *intake.Importer, a *answers) (*receiver.Receiver, error) {
	secrets, err := address.OpenSecrets(s.config.ReportSecret())
	if err != nil {
		return nil, err
	}
	book, err := address.New(s.config.ReportAddresses(s.config.Reports.Domains, secrets))
	if err != nil {
		return nil, err
	}
	c := s.config.Reports.SMTP
	return receiver.New(receiver.Options{
		Hostname: s.config.ReportHost(), Recipients: recipients{book, a}, Importer: importer, Verifier: s.settings.Verifier, CertFile: c.CertFile,
		KeyFile: c.KeyFile, TrustedRelays: c.TrustedRelays, AuthservID: c.RelayID, MaxBytes: int64(c.MaxBytes), MaxConnections: c.Connections,
		MaxPerIP: max(1, c.Connections/perAddress), Log: s.log,
	})
}

// start begins to take reports in, and does beside it what is to be done while it does. After stop, it does nothing.
func (r *reception) start(ctx context.Context, importer *intake.Importer, beside ...func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped != nil {
		return
	}
	ctx, r.cancel = context.WithCancel(ctx)
	if len(r.inputs) > 0 {
		r.tasks.Go(func() { inbox.Supervise(ctx, importer, r.log, r.inputs...) })
	}
	for _, d := range r.doors {
		r.tasks.Go(func() { r.open(ctx, d) })
	}
	for _, f := range beside {
		r.tasks.Go(func() { f(ctx) })
	}
}

// open lets mail servers in by a door. Where it is taken, it waits until it is free: nothing else depends on it.
func (r *reception) open(ctx context.Context, d door) {
	for told := false; ; {
		ln, err := listen.On(d.address.Network, d.address.Address, fs.FileMode(0o660))
		if err == nil {
			r.shut(d, nil)
			r.log.Info("listening", "reports", string(d.protocol), "address", ln.Addr().String())
			stop := context.AfterFunc(ctx, func() { ln.Close() })
			err = r.receiver.Serve(ln, d.protocol)
			stop()
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errClosedDoor
		}
		r.shut(d, err)
		if !told {
			r.log.Error("reports are not taken here yet", "reports", string(d.protocol), "error", err.Error())
			told = true
		}
		select {
		case <-time.After(webPause):
		case <-ctx.Done():
			return
		}
	}
}

// stop ends it, and waits for what is under way until ctx ends. It may be called again.
func (r *reception) stop(ctx context.Context) {
	if r == nil {
		return
	}
	r.mu.Lock()
	before := r.stopped
	if before == nil {
		r.stopped = make(chan struct{})
		defer close(r.stopped)
	}
	cancel := r.cancel
	r.mu.Unlock()
	if before != nil {
		select {
		case <-before:
		case <-ctx.Done():
		}
		return
	}
	cancel()
	if r.receiver != nil {
		r.receiver.Shutdown(ctx)
	}
	if r.upload != nil {
		r.upload.Close()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.tasks.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		r.log.Warn("what takes in reports did not end; the store, or where they come from, does not answer")
	}
}

// A hatch is the upload that is in force.
type hatch struct {
	handler atomic.Pointer[upload.Handler]
}

// ServeHTTP implements [http.Handler].
func (h *hatch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handler := h.handler.Load()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler.ServeHTTP(w, r)
}
