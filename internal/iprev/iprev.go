// Package iprev finds the names of an address and confirms them forwards (RFC 8601 2.7.3): whoever owns an address may give it any name,
// but only the owner of the name can point it back.
package iprev

import (
	"context"
	"net/netip"
	"slices"

	"github.com/gatepost-mail/gatepost/dns"
)

// maxNames bounds the names that are confirmed, as RFC 7208 5.5 does for SPF.
const maxNames = 10

// A Result is what DNS says of an address.
type Result struct {
	Code      string   // pass, fail, temperror or permerror; permerror where the address has no name at all
	Names     []string // those that lead back to the address
	Published []string // all that are published, up to a bound
}

// Look asks for the names of an address, and for the addresses of each.
func Look(ctx context.Context, r dns.Resolver, ip netip.Addr) Result {
	answer, err := r.Lookup(ctx, dns.ReverseName(ip), dns.TypePTR)
	switch {
	case dns.IsVoid(err):
		return Result{Code: "permerror"} // RFC 8601 2.7.3: no PTR record
	case err != nil:
		return Result{Code: "temperror"}
	}
	typ := dns.TypeA
	if ip.Is6() {
		typ = dns.TypeAAAA
	}
	res := Result{Code: "fail", Published: answer.Names[:min(len(answer.Names), maxNames)]}
	for _, name := range res.Published {
		forward, err := r.Lookup(ctx, name, typ)
		if err != nil {
			if dns.IsTemporary(err) && res.Code != "pass" {
				res.Code = "temperror"
			}
			continue
		}
		if slices.Contains(forward.Addrs, ip) {
			res.Code = "pass"
			res.Names = append(res.Names, name)
		}
	}
	return res
}
