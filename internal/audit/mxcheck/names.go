package mxcheck

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// names are the checks of what an MX record names.
var names = []check.Check{
	{
		ID: "mx-literal", Severity: check.Error, Reference: "RFC 1035 3.3.9, RFC 5321 5.1",
		Title: "An MX record has an address in place of a name",
		Why:   "An MX record names a server; senders look for a name that reads like the address, find none, and do not deliver.",
		Explain: "What stands in an MX record is a name, and whatever is written there is looked up as one. An address is a name that nobody has.\n\n" +
			"Give the server a name, and let the MX record have that:\n\n" +
			"\tmx.example.com. IN A 192.0.2.25\n\texample.com. IN MX 10 mx.example.com.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			if !h.Literal {
				return nil
			}
			ip := strings.Trim(h.Name, "[]")
			seen := &check.Seen{
				Subject: f.Domain, Cap: harm(f, h),
				Detail: fmt.Sprintf("The MX record with preference %d has %s where there is to be a name.", h.Preference, ip),
				Advice: fmt.Sprintf("Give the server a name, such as mx.%s, with the address %s, and put the name into the MX record.", f.Domain, ip),
			}
			own := slices.ContainsFunc(f.MX.A.Addrs, func(a netip.Addr) bool { return a.String() == ip })
			if own && f.MX.A.Answer.Name == f.Domain {
				seen.Fix = exchange(f, h, f.Domain)
			}
			return seen
		}),
	},
	{
		ID: "mx-cname", Severity: check.Error, Reference: "RFC 2181 10.3, RFC 5321 5.1", Cap: check.B,
		Title: "An MX record names an alias",
		Why:   "Senders need not follow an alias there, and some do not: mail goes to the other servers or to none.",
		Explain: "The name in an MX record must have addresses of its own. A CNAME record there is forbidden; some senders follow it, some refuse, " +
			"and some take themselves for the server that is meant and loop.\n\n" +
			"See where it leads, and put that name into the MX record, or give the name addresses in place of the alias:\n\n" +
			"\tdig +short CNAME mail.example.com",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			if h.CNAME == "" {
				return nil
			}
			seen := &check.Seen{
				Subject: h.Name,
				Detail:  fmt.Sprintf("%s is an alias; its addresses are those of %s.", h.Name, h.CNAME),
				Advice:  "Put the name that has the addresses into the MX record.",
			}
			if hostname(h.CNAME) {
				seen.Fix = exchange(f, h, h.CNAME)
			}
			return seen
		}),
	},
	{
		ID: "mx-no-address", Severity: check.Error, Reference: "RFC 5321 5.1",
		Title: "An MX record names a server without an address",
		Why:   "Nobody can connect to it.",
		Explain: "The name exists and has neither an A nor an AAAA record. Senders go on to the next MX record; where there is none, mail comes " +
			"back.\n\n\tdig +short A mx.example.com\n\tdig +short AAAA mx.example.com\n\n" +
			"Publish the server's address, or remove the MX record.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			if h.Literal || !h.Nowhere() || errors.Is(h.A.Err, dns.ErrNXDomain) || errors.Is(h.AAAA.Err, dns.ErrNXDomain) {
				return nil
			}
			return &check.Seen{
				Subject: h.Name, Detail: fmt.Sprintf("%s has neither an A nor an AAAA record.", h.Name),
				Advice: replace, Fix: spare(f, h), Cap: harm(f, h),
			}
		}),
	},
	{
		ID: "mx-nxdomain", Severity: check.Error, Reference: "RFC 5321 5.1",
		Title: "An MX record names a server that does not exist",
		Why:   "Nobody can connect to it, and where all are so, mail comes back.",
		Explain: "There is no such name in DNS. It may be that a server was taken away and its MX record left, or that the name is misspelt, or " +
			"that the final dot is missing in the zone file, so that the zone's own name was put behind it.\n\n\tdig mx.example.com\n\n" +
			"Correct the name, or remove the record.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			if !errors.Is(h.A.Err, dns.ErrNXDomain) || h.Free {
				return nil
			}
			detail := fmt.Sprintf("There is no name %s.", h.Name)
			if doubled := strings.TrimSuffix(h.Name, "."+f.Domain); doubled != h.Name && strings.Contains(doubled, ".") {
				detail += fmt.Sprintf(" It may be that %s is meant, and that its final dot is missing in the zone file.", doubled)
			}
			return &check.Seen{Subject: h.Name, Detail: detail, Advice: replace, Fix: spare(f, h), Cap: harm(f, h)}
		}),
	},
	{
		ID: "mx-unregistered", Severity: check.Error, Reference: "RFC 5321 5.1", Cap: check.D,
		Title: "An MX record names a domain that may be free to take",
		Why:   "Whoever registers that domain gets the mail that is sent to yours.",
		Explain: "The mail server is in a domain that DNS does not know. It may have been given up. Whoever registers it can run a mail server " +
			"under the name that your MX record has, and take your mail: also the mail with which passwords are set anew.\n\n" +
			"See whether it is registered:\n\n\twhois example.net\n\n" +
			"Remove the record at once, whether or not other servers answer.",
		Look: each(func(f *facts.Facts, h *facts.Host) *check.Seen {
			if !h.Free {
				return nil
			}
			return &check.Seen{
				Subject: h.Name,
				Detail:  fmt.Sprintf("%s does not exist, and nor does %s: it may be free to take.", h.Name, senders.OrganizationalDomain(h.Name)),
				Advice:  "Remove the MX record at once.", Fix: spare(f, h),
			}
		}),
	},
}

// exchange puts another name into the records of a mail server. Where a record names that already, they go.
func exchange(f *facts.Facts, h *facts.Host, name string) []publish.Change {
	if !own(f) {
		return nil
	}
	all := removal(f, h.Name)
	if !slices.ContainsFunc(f.MX.Hosts, func(o facts.Host) bool { return o.Name == name }) {
		all[0].New = publish.MX(dns.MX{Preference: h.Preference, Host: name})
	}
	return all
}
