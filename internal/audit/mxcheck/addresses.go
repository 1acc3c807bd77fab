package mxcheck

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/global"
)

// addresses are the checks of where mail servers are.
var addresses = []check.Check{
	{
		ID: "mx-loopback", Severity: check.Error, Reference: "RFC 1122 3.2.1.3, RFC 7505 1",
		Narrows: true, // nobody can send from there
		Title:   "A mail server's address is the sender's own machine",
		Why:     "Whoever sends mail there sends it to itself, where it loops or is lost.",
		Explain: "127.0.0.1, ::1 and 0.0.0.0 mean, to each machine, itself. In the address of a mail server they make senders connect to their own " +
			"server. It is sometimes published to take no mail; a null MX is how that is said:\n\n\texample.com. IN MX 0 .\n\n" +
			"Publish the server's address on the internet otherwise.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			return unreachable(f, h, loops, "stands for the machine that connects")
		}),
	},
	{
		ID: "mx-private-address", Severity: check.Error, Reference: "RFC 1918 3, RFC 6890",
		Narrows: true, // nobody can send from there
		Title:   "A mail server has an address of a private network",
		Why:     "Nobody outside that network can connect to it, and within others it is somebody else.",
		Explain: "Addresses such as 10.0.0.1, 192.168.0.1, 100.64.0.1 and fd00::1 mean something within a network only. Senders elsewhere wait " +
			"in vain, or reach a machine of their own that has the same address.\n\n" +
			"\tdig +short A mx.example.com\n\n" +
			"Publish the address under which the internet reaches the server. A name that is for the inside belongs into a zone that only " +
			"the inside sees.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			private := func(ip netip.Addr) bool { return !global.Is(ip) && !loops(ip) }
			return unreachable(f, h, private, "is not an address of the internet")
		}),
	},
	{
		ID: "mx-no-ipv6", Severity: check.Info, Reference: "RFC 5321 5.2",
		Title: "No mail server has an IPv6 address",
		Why:   "Senders that have IPv6 alone cannot deliver.",
		Explain: "Nearly all senders have IPv4 as well, so that little mail is lost by this. Before an AAAA record is published for a mail server, " +
			"let it answer there, and let its address have a name (PTR):\n\n\tdig +short AAAA mx.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			found := false
			hosts := f.MX.Distinct()
			for _, h := range hosts {
				if !h.Literal && !h.AAAA.Absent() {
					return nil
				}
				found = found || len(h.A.Addrs) > 0
			}
			if !found {
				return nil
			}
			detail := fmt.Sprintf("None of the %d mail servers has an AAAA record.", len(hosts))
			if len(hosts) == 1 {
				detail = hosts[0].Name + " has no AAAA record."
			}
			return []check.Seen{{Subject: f.Domain, Detail: detail}}
		},
	},
}

// loops tells whether an address means the machine that connects to it.
func loops(ip netip.Addr) bool { return ip.Unmap().IsLoopback() || ip.Unmap().IsUnspecified() }

// unreachable tells of a mail server with addresses that nobody outside can reach. Where others of its addresses can be, those go;
// where other servers are there, the server does.
func unreachable(f *facts.Facts, h *facts.Host, is func(netip.Addr) bool, what string) *check.Seen {
	var bad []netip.Addr
	for _, ip := range h.Addrs {
		if is(ip) {
			bad = append(bad, ip)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	detail := fmt.Sprintf("Of its %d addresses %s each %s.", len(h.Addrs), list(bad), what)
	switch {
	case len(h.Addrs) == 1:
		detail = fmt.Sprintf("Its only address, %s, %s.", list(bad), what)
	case len(bad) == 1:
		detail = fmt.Sprintf("Of its %d addresses %s %s.", len(h.Addrs), list(bad), what)
	}
	seen := &check.Seen{Subject: h.Name, Detail: detail, Advice: "Publish the address under which the internet reaches the server.", Cap: check.C}
	inside := h.Name == f.Organizational || strings.HasSuffix(h.Name, "."+f.Organizational)
	switch {
	case len(h.Global()) == 0:
		seen.Fix, seen.Cap = spare(f, h), harm(f, h)
	case inside && h.CNAME == "":
		for _, ip := range bad {
			typ := "A"
			if ip.Is6() {
				typ = "AAAA"
			}
			seen.Fix = append(seen.Fix, publish.Change{Name: h.Name, Type: typ, Old: ip.String()})
		}
	}
	return seen
}
