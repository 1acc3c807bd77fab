package dashboard

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/fetch/fetchtest"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// everybodysOwner may see everything, and a shopkeeper only one domain.
var (
	everybodysOwner = people.NewAccess("ada", []people.Grant{{Over: people.Everything, Role: people.Owner}}, nil)
	shopkeeper      = people.NewAccess("bob", []people.Grant{{Over: "shop", Role: people.Owner}}, []people.Group{{Name: "shop", Domains: []string{"shop.example"}}})
)

// A resolverOf answers from a zone, counts who asks, and lets a test hold answers back.
type resolverOf struct {
	dns.Resolver
	mu    sync.Mutex
	asked map[string]int
	hold  chan struct{} // nil: nothing is held back
}

func (r *resolverOf) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	r.mu.Lock()
	r.asked[name]++
	r.mu.Unlock()
	if r.hold != nil {
		select {
		case <-r.hold:
		case <-ctx.Done():
			return dns.Answer{}, ctx.Err()
		}
	}
	return r.Resolver.Lookup(ctx, name, typ)
}

func checkDesk(t *testing.T, zone string) (*Desk, *resolverOf, store.Store) {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := config.Default()
	c.StateDir, c.AuthservID = t.TempDir(), "mx.example.org"
	c.Resolver.Zone = "zone" // in place of the network
	c.Reports.Domains = []string{"shop.example", "other.example"}
	c.Notice.From = "postmaster@example.org"
	r := &resolverOf{Resolver: z, asked: map[string]int{}}
	return &Desk{Store: s, Config: func() *config.Config { return c }, DNS: r, Answers: keep.New(keep.Options{})}, r, s
}

func checked(t *testing.T, d *Desk, who *people.Access, domain string) *Check {
	t.Helper()
	c, err := d.Check(keep.Patient(t.Context()), who, &CheckIn{Subject: domain})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const weakZone = `
shop.example. IN MX 10 mx.shop.example.
shop.example. IN TXT "v=spf1 ip4:192.0.2.1 ~all"
mx.shop.example. IN A 192.0.2.1
_dmarc.shop.example. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"
_dmarc.other.example. IN TXT "v=DMARC1; p=reject"
other.example. IN TXT "v=spf1 -all"
other.example. IN MX 0 .
secretselector._domainkey.other.example. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
`

func TestAnyDomainIsCheckedInTheWordsOfTheCommandLine(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	c := checked(t, d, shopkeeper, "Shop.Example.")
	if c.Domain != "shop.example" || !c.Known || !c.Ours || c.MayWrite || c.Command != "gatepost check --config FILE shop.example" {
		t.Errorf("%+v", c)
	}
	var ids []string
	for _, f := range c.Findings {
		ids = append(ids, f.ID)
	}
	for _, want := range []string{"spf-softfail", "dmarc-p-none"} {
		if !slices.Contains(ids, want) {
			t.Errorf("no %s among %v", want, ids)
		}
	}
	for _, f := range c.Files() {
		var b strings.Builder
		if err := f.Write(&b); err != nil || !strings.Contains(b.String(), "spf-softfail") {
			t.Errorf("%s: %v: %.200s", f.Format, err, b.String())
		}
	}
	for _, a := range c.Areas {
		if a.Area == "spf" && a.Warnings != 1 || a.Area == "tls" {
			t.Errorf("%+v", a)
		}
	}
}

func TestWhatMailSaysOfADomainIsToldOnlyToWhoMaySeeIt(t *testing.T) {
	d, _, s := checkDesk(t, weakZone)
	now := time.Now().UTC()
	b := store.Batch{Source: "x", Number: 1, Decisions: []store.Decision{{
		Time: now.Add(-time.Hour), AuthorDomain: "other.example", EnvelopeDomain: "other.example", ClientIP: netip.MustParseAddr("198.51.100.77"), DMARC: "pass",
		SPF: []store.SPF{{Identity: "mailfrom", Domain: "other.example", Result: "pass"}}, AlignedDKIM: true, Verdict: "accept", Done: "accept",
		DKIM: []store.Signature{{Result: "pass", SDID: "other.example", Selector: "secretselector"}},
	}}}
	if err := s.AddBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	// Whoever may see it has it looked at first, so that an answer that is kept could be given to the wrong one.
	all := checked(t, d, everybodysOwner, "other.example")
	less := checked(t, d, shopkeeper, "other.example")
	text := func(c *Check) string {
		var b strings.Builder
		for _, f := range c.Files() {
			if err := f.Write(&b); err != nil {
				t.Fatal(err)
			}
		}
		return b.String()
	}
	if !all.Known || !all.Sends || less.Known || less.Ours || less.Sends || less.Command != "gatepost check other.example" {
		t.Errorf("known %t, sends %t; and of the other: known %t, ours %t, sends %t, %s", all.Known, all.Sends, less.Known, less.Ours, less.Sends, less.Command)
	}
	if said := text(less); strings.Contains(said, "secretselector") || strings.Contains(said, "198.51.100.77") {
		t.Errorf("who may not see the domain learns: %s", said)
	}
	if !strings.Contains(text(all), "secretselector") {
		t.Error("who may see the domain does not learn of its selector")
	}
}

func TestNobodyIsWrittenToButByWhoMayWriteToOthers(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	analyst := people.NewAccess("eve", []people.Grant{{Over: people.Everything, Role: people.Analyst}}, nil)
	viewer := people.NewAccess("vic", []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil)
	for _, c := range []struct {
		who    *people.Access
		domain string
		want   bool
	}{{analyst, "stranger.example", true}, {analyst, "shop.example", false}, {viewer, "stranger.example", false}, {shopkeeper, "stranger.example", false}} {
		if got := checked(t, d, c.who, c.domain).MayWrite; got != c.want {
			t.Errorf("%s about %s: %t", c.who.Name, c.domain, got)
		}
	}
}

func TestWhatIsTypedLeadsToItsDomain(t *testing.T) {
	d := &Desk{}
	for typed, want := range map[string]string{
		"example.com": "/check/example.com", "https://www.example.com/x?y": "/check/www.example.com", "ann@example.com": "/check/example.com",
		"BÜCHER.example": "/check/xn--bcher-kva.example",
	} {
		in := &DoCheckIn{}
		in.Body.Domain = typed
		if done, err := d.DoCheck(t.Context(), shopkeeper, in); err != nil || done.To != want {
			t.Errorf("%q: %+v, %v", typed, done, err)
		}
	}
	for _, typed := range []string{"", "no domain", "192.0.2.1", "../admin", "a\x00b", "//evil.example/"} {
		in := &DoCheckIn{}
		in.Body.Domain = typed
		var wrong *Invalid
		done, err := d.DoCheck(t.Context(), shopkeeper, in)
		if typed == "//evil.example/" || typed == "../admin" {
			if err == nil && strings.HasPrefix(done.To, "/check/") && !strings.HasPrefix(done.To, "//") {
				continue
			}
		}
		if !errors.As(err, &wrong) || wrong.Field != "domain" {
			t.Errorf("%q: %+v, %v", typed, done, err)
		}
	}
}

func TestNobodyHasMoreCheckedThanALittle(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	var busy *Busy
	ask := func(who *people.Access, name string) error {
		_, err := d.Check(keep.Patient(t.Context()), who, &CheckIn{Subject: name})
		return err
	}
	for i := range askedAMinute {
		if err := ask(shopkeeper, string(rune('a'+i))+".example"); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := ask(shopkeeper, "z.example"); !errors.As(err, &busy) {
		t.Errorf("one more: %v", err)
	}
	if err := ask(shopkeeper, "a.example"); err != nil {
		t.Errorf("to look again at the same: %v", err)
	}
	if err := ask(everybodysOwner, "z.example"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

func TestOnlySoManyDomainsWaitToBeChecked(t *testing.T) {
	d, r, _ := checkDesk(t, weakZone)
	r.hold = make(chan struct{})
	ctx := keep.Hurried(t.Context(), time.Now())
	var busy *Busy
	for i := range auditsWaiting {
		who := people.NewAccess(string(rune('a'+i)), []people.Grant{{Over: "shop", Role: people.Viewer}}, nil)
		if _, err := d.Check(ctx, who, &CheckIn{Subject: who.Name + ".example"}); !errors.Is(err, keep.ErrPending) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, err := d.Check(ctx, everybodysOwner, &CheckIn{Subject: "late.example"}); !errors.As(err, &busy) {
		t.Errorf("one more: %v", err)
	}
	if _, err := d.Check(ctx, everybodysOwner, &CheckIn{Subject: "a.example"}); !errors.As(err, &busy) && !errors.Is(err, keep.ErrPending) {
		t.Errorf("one that waits already: %v", err)
	}
	close(r.hold)
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		_, err := d.Check(keep.Patient(t.Context()), everybodysOwner, &CheckIn{Subject: "late.example"})
		if err == nil {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("when the others are done: %v", err)
		}
	}
}

// Whoever has a domain checked chooses where its policy, its logo and its redirects lead.
func TestACheckLeadsToNoAddressOfOurOwnNetwork(t *testing.T) {
	redirect := func(to string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	secret := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "secret of ours") })
	at := func(all ...string) (addrs []netip.Addr) {
		for _, a := range all {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		return addrs
	}
	hosts := map[string]fetchtest.Host{
		"mta-sts.loop.example":     {Handler: secret, Addrs: at("127.0.0.1", "::1")},
		"mta-sts.meta.example":     {Handler: secret, Addrs: at("169.254.169.254")},
		"mta-sts.lan.example":      {Handler: secret, Addrs: at("10.0.0.5", "fd00::1", "192.168.0.1", "::ffff:127.0.0.1")},
		"mta-sts.redirect.example": {Handler: redirect("https://127.0.0.1/.well-known/mta-sts.txt")},
		"logo.redirect.example":    {Handler: redirect("https://[::1]/logo.svg")},
		"logo.loop.example":        {Handler: secret, Addrs: at("127.0.0.1")},
	}
	var zone strings.Builder
	for _, name := range []string{"loop", "meta", "lan", "redirect"} {
		zone.WriteString("_mta-sts." + name + ".example. IN TXT \"v=STSv1; id=1\"\n_dmarc." + name + ".example. IN TXT \"v=DMARC1; p=reject\"\n")
	}
	for _, name := range []string{"loop", "redirect"} {
		zone.WriteString("default._bimi." + name + ".example. IN TXT \"v=BIMI1; l=https://logo." + name + ".example/logo.svg; a=https://logo." + name + ".example/cert.pem\"\n")
		zone.WriteString(name + ".example. IN MX 10 mx." + name + ".example.\nmx." + name + ".example. IN A 127.0.0.1\n")
	}
	d, r, _ := checkDesk(t, zone.String())
	d.Config().Resolver.Zone = ""
	d.Config().Resolver.Servers = []string{"192.0.2.53"} // for what fails DNSSEC, which nothing does here
	web := fetchtest.Start(t, hosts)
	r.Resolver = dns.Overlay(r.Resolver.(*dns.Zone), web)
	o := web.Options()
	o.Resolver = d.DNS
	d.Web = fetch.New(o)
	for _, name := range []string{"loop.example", "meta.example", "lan.example", "redirect.example"} {
		c := checked(t, d, shopkeeper, name)
		for _, f := range c.Findings {
			if strings.Contains(f.Detail, "secret of ours") {
				t.Errorf("%s: %s", name, f.Detail)
			}
		}
	}
	for _, address := range web.Dialled() {
		if address.Addr() != netip.MustParseAddr("192.0.2.1") {
			t.Errorf("%s was connected to", address)
		}
	}
	if len(web.Dialled()) == 0 {
		t.Error("not even the servers that are of the internet were asked")
	}
}

func TestACheckSpeaksWithNoMailServerAndAsksTheInternetOnlyByItself(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	d.Config().Resolver.Zone = ""
	o, err := d.auditOptions()
	if err != nil {
		t.Fatal(err)
	}
	if o.Connect || o.AllowPrivate || o.Offline || o.Web == nil {
		t.Errorf("%+v", o)
	}
	request, _ := http.NewRequestWithContext(t.Context(), "GET", "https://127.0.0.1/", nil)
	var refused *fetch.Refused
	if _, err := o.Web.RoundTrip(request); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	d.Config().Resolver.Zone = "zone"
	if o, err = d.auditOptions(); err != nil || !o.Offline || o.Web != nil {
		t.Errorf("with a file in place of the network: %+v, %v", o, err)
	}
}

func TestRecordsAreInAnOrder(t *testing.T) {
	c := Check{}
	c.Records.DKIM = map[string]string{"b": "2", "a": "1"}
	var all []string
	for _, p := range c.Published() {
		all = append(all, p.What)
	}
	if got := strings.Join(all, " "); got != "MX SPF DMARC DKIM a DKIM b MTA-STS TLS-RPT" {
		t.Error(got)
	}
}

func TestADomainThatHasTheSameKeyIsNamedToWhoMaySeeIt(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
	d, _, s := checkDesk(t, `s1._domainkey.shop.example. 3600 IN TXT "`+key+`"`+"\nshop.example. 3600 IN MX 10 mx.shop.example.\n")
	for _, domain := range []string{"shop.example", "other.example"} {
		if err := s.SeePublished(t.Context(), domain, []store.Published{{Kind: "dkim", Name: "s1._domainkey." + domain, Text: key}}, d.now()); err != nil {
			t.Fatal(err)
		}
	}
	detail := func(who *people.Access) string {
		for _, f := range checked(t, d, who, "shop.example").Findings {
			if f.ID == "dkim-shared-key" {
				return f.Detail
			}
		}
		return "nothing"
	}
	if got := detail(shopkeeper); !strings.Contains(got, "another of the domains here") || strings.Contains(got, "other.example") {
		t.Errorf("to one group: %s", got)
	}
	if got := detail(everybodysOwner); !strings.Contains(got, "other.example") {
		t.Errorf("to who may see all: %s", got)
	}
}
