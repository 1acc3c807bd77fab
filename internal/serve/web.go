package serve

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/web"
	"github.com/gatepost-mail/gatepost/internal/web/page"
	"github.com/gatepost-mail/gatepost/internal/web/signin"
)

// answersKept is how many answers of the dashboard are kept: several of each of a thousand domains.
const answersKept = 4000

// startWeb begins to show what there is. The mail depends on none of it.
func (s *Server) startWeb(ctx context.Context) {
	c := &s.state().config.Web
	if len(c.Listen)+len(c.TLS.Redirect) == 0 {
		return
	}
	if open := c.Open(); open != "" {
		s.log().Warn("passwords and sessions of the dashboard can be read on their way here: set web.tls, or name the proxy that speaks HTTPS in web.trusted_proxies",
			"web.listen", open)
	}
	s.back.tasks.Go(func() {
		secure, ok := s.openHTTPS(ctx, c)
		if !ok {
			return
		}
		handler := s.webHandler(ctx)
		for _, a := range c.Listen {
			s.back.tasks.Go(func() { s.serveWeb(ctx, a, handler, secure) })
		}
		for _, a := range c.TLS.Redirect {
			s.back.tasks.Go(func() { s.serveWeb(ctx, a, s.redirect(secure), nil) })
		}
		if secure != nil && wait(ctx, listenTime) {
			secure.Run(ctx)
		}
	})
}

// webHandler answers as the configuration in force says.
func (s *Server) webHandler(ctx context.Context) http.Handler {
	b := s.back
	o := web.Options{
		Metrics: b.metrics.Handler(), Reports: &b.hatch, Checks: s.checks(), Settings: s.webSettings, Count: b.metrics.Web, Log: s.log(),
	}
	if b.memory != nil {
		log := s.log()
		kept := b.memory.store.kept
		o.Dashboard = &dashboard.Desk{
			Store: kept, Config: s.config, DNS: current{s}, Answers: keep.New(keep.Options{Log: log, Room: answersKept}), Status: s.Status, Log: log,
		}
		office := &people.Office{Store: kept, Groups: func() []people.Group { return s.webSettings().PeopleGroups() }, Log: log}
		o.Pages = page.New()
		o.Door = signin.New(signin.Options{
			Office: office, Store: kept, Pages: o.Pages, Config: s.config, Address: s.clientAddress, Secure: s.clientSecure, Log: log,
		})
		b.tasks.Go(func() { s.welcome(ctx, office) })
		b.tasks.Go(func() { warm(ctx, o.Dashboard) })
	}
	return web.Handler(o)
}

func (s *Server) config() *config.Config { return s.state().config }

func (s *Server) webSettings() *config.Web { return &s.state().config.Web }

func (s *Server) clientAddress(r *http.Request) netip.Addr {
	return client.Proxies(s.webSettings().TrustedProxies).Address(r)
}

func (s *Server) clientSecure(r *http.Request) bool {
	return client.Proxies(s.webSettings().TrustedProxies).Secure(r)
}

// current is who answers DNS by the configuration in force.
type current struct{ *Server }

// Lookup implements [dns.Resolver].
func (c current) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	return c.state().dns.Lookup(ctx, name, t)
}

// welcome tells how the first user comes in, where nobody can yet. The link is a secret, as the log is: who reads it runs this host.
func (s *Server) welcome(ctx context.Context, office *people.Office) {
	for {
		token, err := office.FirstLink(ctx)
		switch {
		case err == nil && token == "":
			return
		case err == nil:
			s.log().Warn("the dashboard has no user yet: open this link within 72 hours, and choose a name and a password",
				"link", s.webSettings().Address()+people.WelcomePath+token)
			return
		}
		if !wait(ctx, webPause) { // the store is away
			return
		}
	}
}

// Answers are worked out before anybody asks for them: soon after the start, and each hour anew, since another day has other answers.
const (
	warmAfter = 15 * time.Second
	warmEvery = time.Hour
	warmTime  = 10 * time.Minute // a store of thousands of domains is not worked out to the end
)

// warm works out what is to be said of our domains, one after the other.
func warm(ctx context.Context, d *dashboard.Desk) {
	everything := people.NewAccess("gatepost", []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil)
	for pause := warmAfter; wait(ctx, pause); pause = warmEvery {
		limited, cancel := context.WithTimeout(keep.Patient(ctx), warmTime)
		d.Domains(limited, everything, &dashboard.DomainsIn{}) // an error is one that whoever asks will see
		cancel()
	}
}

// wait tells whether ctx is not done after a time.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
