// Package browser opens the dashboard on a made-up company's mail, and Chromium on the dashboard.
//
//	site, err := browser.Open(ctx, dir, browser.Owner)
//	defer site.Close()
//	chromium, err := browser.Start(ctx)
//	defer chromium.Close()
//	tab, done := chromium.Tab()
//	defer done()
//	png, err := browser.Picture(tab, site.URL, browser.Page{Path: "/domains"}, browser.Screen{Width: 1440, Dark: true})
package browser

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/demo/demotest"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web"
	"github.com/gatepost-mail/gatepost/internal/web/page"
	"github.com/gatepost-mail/gatepost/internal/web/signin"
)

// Owner may do everything, and has just signed in.
func Owner() *people.Access {
	who := people.NewAccess("ada", []people.Grant{{Over: people.Everything, Role: people.Owner}}, nil)
	who.Fresh = true
	return who
}

// A Site is a dashboard that listens.
type Site struct {
	URL    string
	Demo   *demo.Demo
	Desk   *dashboard.Desk
	Office *people.Office // of who signs in

	server *http.Server
	store  store.Store
	later  atomic.Int64
}

// Now is the time at the door.
func (s *Site) Now() time.Time { return s.Demo.Now.Add(time.Duration(s.later.Load())) }

// Advance lets time pass at the door.
func (s *Site) Advance(d time.Duration) { s.later.Add(int64(d)) }

// Open makes the mail in a directory that is there, and opens the dashboard on it: for somebody who need not sign in, or where that is nil,
// for who signs in.
func Open(ctx context.Context, dir string, who func() *people.Access) (*Site, error) {
	d, err := demotest.Make(ctx, dir)
	if err != nil {
		return nil, err
	}
	return Serve(ctx, d, who)
}

// Serve opens the dashboard on what lies in the files that a demo names.
func Serve(ctx context.Context, d *demo.Demo, who func() *people.Access) (*Site, error) {
	o, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	c, s := o.Config, o.Store
	if who != nil {
		if err := staff(ctx, s, c, d.Now); err != nil && !errors.Is(err, people.ErrTaken) {
			s.Close()
			return nil, err
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := func() time.Time { return d.Now }
	desk := &dashboard.Desk{
		Store: s, Config: func() *config.Config { return c }, DNS: o.Zone, Answers: keep.New(keep.Options{Log: log}), Now: now, Log: log,
	}
	pages := page.New()
	pages.Now = now
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Close()
		return nil, err
	}
	site := &Site{URL: "http://" + ln.Addr().String(), Demo: d, Desk: desk, store: s}
	site.Office = &people.Office{Store: s, Groups: c.Web.PeopleGroups, Now: site.Now, Log: log}
	var door web.Door = signin.New(signin.Options{
		Office: site.Office, Store: s, Pages: pages, Config: desk.Config, Now: site.Now, Log: log,
		Address: func(r *http.Request) netip.Addr {
			from, _ := netip.ParseAddrPort(r.RemoteAddr)
			return from.Addr()
		},
		Secure: func(*http.Request) bool { return false },
	})
	if who != nil {
		door = everybody{door, s, who}
	}
	h := web.Handler(web.Options{Dashboard: desk, Door: door, Pages: pages, Log: log})
	if who != nil {
		if h, err = seated(ctx, h, site.Office, s); err != nil {
			s.Close()
			return nil, err
		}
	}
	site.server = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go site.server.Serve(ln)
	return site, nil
}

// Around puts something around all that answers. It is called before anybody asks.
func (s *Site) Around(wrap func(http.Handler) http.Handler) {
	s.server.Handler = wrap(s.server.Handler)
}

// Close ends it.
func (s *Site) Close() {
	s.server.Close()
	s.store.Close()
}

// everybody is a door that is open. Its own pages are there, for who signs in all the same.
type everybody struct {
	web.Door
	store store.Store
	who   func() *people.Access
}

func (e everybody) Who(r *http.Request) (*people.Access, error) {
	return known(r.Context(), e.store, e.who()), nil
}
