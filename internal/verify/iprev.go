package verify

import (
	"context"
	"net/netip"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/iprev"
)

// reverse finds the names of an address and confirms each forwards (RFC 8601 2.7.3). It also gives all names as published.
func reverse(ctx context.Context, r dns.Resolver, ip netip.Addr) (IPRev, []string) {
	res := iprev.Look(ctx, r, ip)
	return IPRev{Result: res.Code, Names: res.Names}, res.Published
}
