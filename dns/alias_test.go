package dns_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
)

func TestAnErrorNamesWhereAnAliasLed(t *testing.T) {
	const text = `
away.example.com.  CNAME gone.example.net.
twice.example.com. CNAME away.example.com.
here.example.com.  CNAME there.example.com.
there.example.com. A 192.0.2.1
`
	zone, err := dns.ParseZone(strings.NewReader(text), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	server := dnstest.Start(t, text)
	server.Fail("twice.example.com", dnstest.LeaveCNAME)
	for name, r := range map[string]dns.Resolver{
		"network": dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}}), "zone": zone,
		"overlay": dns.Overlay(zone, dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}})),
	} {
		for asked, want := range map[string]string{
			"away.example.com": "gone.example.net", "twice.example.com": "gone.example.net", "here.example.com": "there.example.com", "nothing.example.com": "",
		} {
			_, err := r.Lookup(t.Context(), asked, dns.TypeTXT)
			var e *dns.Error
			if !errors.As(err, &e) || e.Alias != want || e.Name != asked || !dns.IsVoid(err) {
				t.Errorf("%s: %s: %+v, want the alias %q", name, asked, e, want)
			}
		}
	}
}
