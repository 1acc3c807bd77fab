package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web"
	"github.com/gatepost-mail/gatepost/internal/web/page"
	"github.com/gatepost-mail/gatepost/internal/web/signin"
)

// visitor is whom the demo's link lets in: the administrator of the made-up company.
const (
	visitor   = "amara"
	visitTime = 30 * 24 * time.Hour
)

// A shownDemo is the dashboard on a demo.
type shownDemo struct {
	link     string
	listener net.Listener
	handler  http.Handler
	desk     *dashboard.Desk
	store    store.Store
}

// openDemo prepares the dashboard on a demo. Its clock goes on from the demo's moment.
func openDemo(ctx context.Context, d *demo.Demo, address string, stderr io.Writer) (_ *shownDemo, err error) {
	o, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	c, s := o.Config, &shownDemo{store: o.Store}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.listener, err = listenForDemo(address); err != nil {
		return nil, err
	}
	office := &people.Office{Store: s.store, Groups: c.Web.PeopleGroups}
	if s.link, err = letVisitorIn(ctx, office); err != nil {
		return nil, err
	}
	c.Web.Listen = []config.Address{{Network: "tcp", Address: s.listener.Addr().String()}}
	s.link = c.Web.Address() + people.WelcomePath + s.link
	begun := time.Now()
	now := func() time.Time { return d.Now.Add(time.Since(begun)) }
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	configuration := func() *config.Config { return c }
	s.desk = &dashboard.Desk{Store: s.store, Config: configuration, DNS: o.Zone, Answers: keep.New(keep.Options{Log: log}), Now: now, Log: log}
	pages := page.New()
	pages.Now = now
	var proxies client.Proxies
	door := signin.New(signin.Options{
		Office: office, Store: s.store, Pages: pages, Config: configuration, Address: proxies.Address, Secure: proxies.Secure, Log: log,
	})
	s.handler = web.Handler(web.Options{Dashboard: s.desk, Door: door, Pages: pages, Settings: func() *config.Web { return &c.Web }, Log: log})
	return s, nil
}

// listenForDemo listens at an address, or where none is named at that of the gate, or if that is taken anywhere.
func listenForDemo(address string) (net.Listener, error) {
	if address != "" {
		return net.Listen("tcp", address)
	}
	if ln, err := net.Listen("tcp", web.DefaultAddress); err == nil {
		return ln, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// letVisitorIn makes a link by which whoever has it is the administrator, without a password.
func letVisitorIn(ctx context.Context, office *people.Office) (token string, err error) {
	everything := []people.Grant{{Over: people.Everything, Role: people.Owner}}
	id, err := office.Store.AddPerson(ctx, people.Person{Name: visitor, Grants: everything, Created: time.Now().UTC()})
	if err != nil {
		return "", err
	}
	return office.Invite(ctx, people.CommandLine, people.Link{Person: id, Enters: true, Expires: time.Now().UTC().Add(visitTime)})
}

// serve shows it until ctx is done.
func (s *shownDemo) serve(ctx context.Context) error {
	go s.desk.Domains(keep.Patient(ctx), people.NewAccess(visitor, []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil), &dashboard.DomainsIn{})
	return web.Serve(ctx, s.listener, s.handler)
}

func (s *shownDemo) close() {
	if s.listener != nil {
		s.listener.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
}

// browse opens a browser where there is a person who can look at it. That none opens is no error: the address is printed.
func browse(link string) {
	var cmd *exec.Cmd
	switch {
	case runtime.GOOS == "darwin":
		cmd = exec.Command("open", link)
	case runtime.GOOS == "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", link)
	case os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "":
		cmd = exec.Command("xdg-open", link)
	default:
		return
	}
	if cmd.Start() == nil {
		go cmd.Wait()
	}
}

// whereToLook says where to look.
func whereToLook(link string) []string {
	return []string{fmt.Sprintf("Open %s in a browser.", link), "The link signs you in as " + visitor + ", who owns everything there.", ""}
}
