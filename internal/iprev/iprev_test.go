package iprev

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestOnlyNamesThatLeadBackAreConfirmed(t *testing.T) {
	zone, err := dns.ParseZone(strings.NewReader(`
1.2.0.192.in-addr.arpa. PTR a.example.net.
1.2.0.192.in-addr.arpa. PTR b.example.net.
a.example.net. A 192.0.2.9
b.example.net. A 192.0.2.9
b.example.net. A 192.0.2.1
2.2.0.192.in-addr.arpa. PTR a.example.net.
`), "zone")
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]string{
		"192.0.2.1": "pass [b.example.net] [a.example.net b.example.net]",
		"192.0.2.2": "fail [] [a.example.net]",
		"192.0.2.3": "permerror [] []",
	} {
		r := Look(t.Context(), zone, netip.MustParseAddr(ip))
		slices.Sort(r.Published)
		if got := fmt.Sprint(r.Code, " ", r.Names, " ", r.Published); got != want {
			t.Errorf("%s: got %s, want %s", ip, got, want)
		}
	}
}
