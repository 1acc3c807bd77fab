package serve

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/gate"
	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/resolver"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// A state is a configuration, and what was made of it.
type state struct {
	config   *config.Config
	settings gate.Settings
	dns      dns.Resolver
	views    signing.Views // of DNS, for keys
	signing  *signing.Settings
	sdids    []string // that are signed for
	updates  signing.Publisher
	inputs   []inbox.Input // that reports come by
	senders  *senders.Table
	enricher *senders.Enricher
	log      *slog.Logger
}

// load reads the configuration and makes of it what the gate works with. What it asks DNS is counted in m, which may be nil.
func load(o Options, m *metrics.Metrics) (*state, error) {
	c := config.Default()
	if o.Path != "" {
		var err error
		if c, err = config.Load(o.Path); err != nil {
			return nil, err
		}
	}
	if o.Override != nil {
		o.Override(c)
	}
	s := &state{config: c, log: logger(o.Log, c.Log)}
	if err := s.openDNS(m); err != nil {
		return nil, err
	}
	if err := s.openSigning(); err != nil {
		return nil, o.at("signing", err)
	}
	if key, err := s.openInputs(); err != nil {
		return nil, o.at(key, err)
	}
	if key, err := s.openSenders(); err != nil {
		return nil, o.at(key, err)
	}
	var err error
	if s.settings, err = s.gateSettings(); err != nil {
		return nil, err
	}
	return s, nil
}

// openSigning reads what signing needs but for the keys themselves, which nobody else may work on.
func (s *state) openSigning() error {
	var err error
	if s.signing, _, err = s.config.Signing.Settings(); err != nil {
		return err
	}
	s.sdids = s.signing.SDIDs()
	if s.updates, err = signing.NewUpdates(s.config.Signing.NSUpdate); err != nil {
		return fmt.Errorf("signing.nsupdate: %w", err)
	}
	info, err := os.Stat(s.config.KeyDir())
	if err == nil && !info.IsDir() {
		return fmt.Errorf("signing.keys: %s: not a folder; name one, or leave the key out", s.config.KeyDir())
	}
	return nil
}

// at puts the place of a key in the configuration before an error.
func (o Options) at(key string, err error) error {
	if o.Path == "" {
		return err
	}
	return config.At(o.Path, key, err)
}

// openDNS prepares the look-ups for mail, and those for keys, which no cache answers.
func (s *state) openDNS(m *metrics.Metrics) error {
	c := s.config.Resolver
	r, err := resolver.New(resolver.Options{Servers: c.Servers, Zone: c.Zone, Cached: m.DNSCache})
	if err != nil {
		return err
	}
	s.dns = m.Resolver(r)
	if c.Zone != "" {
		s.views = signing.Views{Resolvers: []signing.View{{Name: c.Zone, Resolver: r}}}
	} else {
		s.views = signing.NewViews(c.Servers, s.config.Signing.CheckAuthoritative)
	}
	return nil
}

func (s *state) gateSettings() (gate.Settings, error) {
	c := s.config
	rules, err := policy.Named(c.Policy)
	if err != nil {
		return gate.Settings{}, err
	}
	routes, err := s.routes(rules)
	if err != nil {
		return gate.Settings{}, err
	}
	sealing, err := s.sealing()
	if err != nil {
		return gate.Settings{}, err
	}
	limits := message.Limits{HeaderBytes: int(c.Limits.HeaderBytes), Fields: c.Limits.Fields}
	return gate.Settings{
		Verifier: verify.New(verify.Options{
			Resolver: s.dns, AuthservID: c.AuthservID, Timeout: time.Duration(c.Limits.Time), MaxQueries: c.Limits.Queries,
			MaxBytes: int64(c.Limits.Bytes), Limits: limits, MaxSignatures: c.Limits.Signatures, Method: c.DMARC.Method,
			Sealers: c.ARC.TrustedSealers,
		}),
		Policy: rules, Monitor: c.Mode == config.Monitor, Routes: routes, AuthservID: c.AuthservID, HelpURL: c.HelpURL,
		OwnNetworks: c.OwnNetworks, TrustAuthenticated: c.TrustAuthenticated, ReceivedSPF: c.ReceivedSPF, Sealing: sealing,
		Unsigned: policy.Action(c.Signing.Unsigned), Limits: limits, MaxMessages: c.Limits.Messages, Log: s.log,
	}, nil
}

// routes are what recipient domains want done otherwise.
func (s *state) routes(rules *policy.Policy) ([]gate.Route, error) {
	var routes []gate.Route
	loaded := map[string]*policy.Policy{s.config.Policy: rules} // each once, so that equal ones are known as such
	for _, r := range s.config.Recipients {
		route := gate.Route{Domains: r.Domains, Policy: rules, Monitor: s.config.Mode == config.Monitor}
		if own, known := loaded[r.Policy]; known {
			route.Policy = own
		} else if r.Policy != "" {
			own, err := policy.Named(r.Policy)
			if err != nil {
				return nil, err
			}
			loaded[r.Policy], route.Policy = own, own
		}
		if r.Mode != "" {
			route.Monitor = r.Mode == config.Monitor
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func (s *state) sealing() (*gate.Sealing, error) {
	a := s.config.ARC
	if a.SealDomain == "" {
		return nil, nil
	}
	key, err := dkim.ReadKey(a.SealKey)
	if err != nil {
		return nil, fmt.Errorf("arc.seal_key: %w", err)
	}
	check := dkim.Signer{Domain: a.SealDomain, Selector: a.SealSelector, Key: key}
	if err := check.Check(); err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}
	sealer := arc.Sealer{Domain: a.SealDomain, Selector: a.SealSelector, Key: key, AuthservID: s.config.AuthservID}
	return &gate.Sealing{Sealer: sealer, Recipients: a.SealRecipients}, nil
}

func logger(w io.Writer, l config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == config.JSON {
		o.ReplaceAttr = seconds
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// seconds writes durations as numbers, with which programs can reckon.
func seconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}
