package verify

import (
	"context"
	"net/netip"
	"slices"

	"github.com/gatepost-mail/gatepost/dns"
)

// maxReverseNames bounds the names that are confirmed, as RFC 7208 5.5 does for SPF.
const maxReverseNames = 10

// reverse finds the names of an address and confirms each forwards (RFC 8601 2.7.3). It also gives all names as published.
func reverse(ctx context.Context, r dns.Resolver, ip netip.Addr) (IPRev, []string) {
	answer, err := r.Lookup(ctx, dns.ReverseName(ip), dns.TypePTR)
	switch {
	case dns.IsVoid(err):
		return IPRev{Result: "permerror"}, nil // RFC 8601 2.7.3: no PTR record
	case err != nil:
		return IPRev{Result: "temperror"}, nil
	}
	typ := dns.TypeA
	if ip.Is6() {
		typ = dns.TypeAAAA
	}
	rev := IPRev{Result: "fail"}
	names := answer.Names[:min(len(answer.Names), maxReverseNames)]
	for _, name := range names {
		forward, err := r.Lookup(ctx, name, typ)
		if err != nil {
			if dns.IsTemporary(err) && rev.Result != "pass" {
				rev.Result = "temperror"
			}
			continue
		}
		if slices.Contains(forward.Addrs, ip) {
			rev.Result = "pass"
			rev.Names = append(rev.Names, name)
		}
	}
	return rev, names
}
