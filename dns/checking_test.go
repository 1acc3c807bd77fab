package dns_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
)

func TestWhatFailsDNSSECIsAnsweredWithCheckingDisabledAndIsNotAuthentic(t *testing.T) {
	server := dnstest.Start(t, zone)
	server.Fail("example.com", dnstest.Bogus)
	checked := client(server.Addr)
	if _, err := checked.Lookup(context.Background(), "example.com", dns.TypeA); !errors.Is(err, dns.ErrServFail) {
		t.Errorf("with checking: %v, want %v", err, dns.ErrServFail)
	}
	unchecked := dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}, Timeout: time.Second, CheckingDisabled: true})
	a, err := unchecked.Lookup(context.Background(), "example.com", dns.TypeA)
	if err != nil || len(a.Addrs) != 1 || a.Authentic {
		t.Errorf("without checking: %+v, %v; want an address that is not authentic", a, err)
	}
}
