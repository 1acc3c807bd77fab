package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

func serve(t *testing.T, zone string) (*lab.DNS, dns.Resolver) {
	t.Helper()
	d, err := lab.StartDNS("127.0.0.1:0", zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d, dns.NewClient(dns.ClientOptions{Servers: []string{d.Addr}, CacheEntries: -1})
}

func TestAnswersAreThoseOfTheZoneWithItsWildcards(t *testing.T) {
	_, resolver := serve(t, `
a.example. TXT "one" "two"
a.example. MX 10 mx.a.example.
mx.a.example. A 192.0.2.1
mx.a.example. A 192.0.2.2
*.w.example. TXT "any"
`)
	for _, c := range []struct {
		name string
		typ  dns.Type
		want string
	}{
		{"a.example", dns.TypeTXT, "onetwo"},
		{"A.Example", dns.TypeTXT, "onetwo"},
		{"x.y.w.example", dns.TypeTXT, "any"},
		{"w.example", dns.TypeTXT, "no data"},
		{"a.example", dns.TypeA, "no data"},
		{"b.example", dns.TypeTXT, "no name"},
		{"mx.a.example", dns.TypeA, "192.0.2.1 192.0.2.2"},
		{"a.example", dns.TypeMX, "mx.a.example"},
	} {
		answer, err := resolver.Lookup(context.Background(), c.name, c.typ)
		got := append([]string{}, answer.TXT...)
		for _, ip := range answer.Addrs {
			got = append(got, ip.String())
		}
		for _, mx := range answer.MX {
			got = append(got, mx.Host)
		}
		switch {
		case errors.Is(err, dns.ErrNXDomain):
			got = []string{"no name"}
		case errors.Is(err, dns.ErrNoData):
			got = []string{"no data"}
		case err != nil:
			t.Errorf("%s %v: %v", c.name, c.typ, err)
			continue
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %v: got %q (%v), want %q", c.name, c.typ, got, err, c.want)
		}
	}
}

func TestOutageFailsTheNamesBelowAndNoOthers(t *testing.T) {
	d, resolver := serve(t, "a.out.example. TXT x\na.example. TXT x\n")
	d.Fail(lab.Outage{Suffix: "out.example."})
	if _, err := resolver.Lookup(context.Background(), "a.out.example", dns.TypeTXT); !dns.IsTemporary(err) {
		t.Errorf("in the outage: got %v, want a temporary error", err)
	}
	if _, err := resolver.Lookup(context.Background(), "a.example", dns.TypeTXT); err != nil {
		t.Errorf("another name: %v", err)
	}
	d.Fail()
	if _, err := resolver.Lookup(context.Background(), "a.out.example", dns.TypeTXT); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestSenderPassesAll(t *testing.T) {
	s, err := lab.NewSender("example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, resolver := serve(t, s.Zone())
	for _, kind := range []lab.Kind{lab.Text, lab.Attachment} {
		raw, err := s.Sign(s.Message(kind, 1, 4096))
		if err != nil {
			t.Fatal(err)
		}
		e, err := verify.New(verify.Options{Resolver: resolver}).Message(context.Background(),
			verify.Client{IP: netip.MustParseAddr(lab.GoodIP), Helo: s.Host(), MailFrom: s.Mail()}, strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		if len(e.DKIM) != 1 || e.DKIM[0].Result != "pass" || e.SPF[0].Result != "pass" || e.SPF[1].Result != "pass" || e.DMARC.Result != "pass" {
			t.Errorf("%s: got %+v", kind, e)
		}
		if n := len(raw); n < 4096 || n > 5000 {
			t.Errorf("%s: %d octets", kind, n)
		}
	}
}
