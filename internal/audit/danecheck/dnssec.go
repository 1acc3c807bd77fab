package danecheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// signed are the checks of DNSSEC. All but the last say nothing where our own resolver does not validate.
var signed = []check.Check{
	{
		ID: "dnssec-bogus", Severity: check.Error, Reference: "RFC 4035 5.5",
		Title: "DNSSEC fails",
		Why:   "Whoever validates gets no answer at all: mail to and from the domain is put off and then comes back.",
		Explain: "The zone says that it is signed, and its signatures do not hold: they ran out, or the DS record at the parent is of a key that the " +
			"zone no longer has. A resolver that validates answers SERVFAIL then, as it must. One that does not validate answers as if all " +
			"were well, so that the fault is easily missed.\n\n" +
			"\tdig +dnssec MX example.com\n\tdig +cd +dnssec MX example.com\n\tdelv MX example.com\n\n" +
			"Sign the zone anew, or correct the DS record at the registrar. Removing the DS record makes the zone unsigned, and reachable, as " +
			"soon as its TTL has passed.",
		Look: func(f *facts.Facts) []check.Seen {
			if !f.DNSSEC.Validating {
				return nil
			}
			var all []check.Seen
			seen := func(a *facts.Asked) {
				all = append(all, check.Seen{
					Subject: a.Name,
					Detail:  fmt.Sprintf("There is an answer for %s %s, but none that passes validation.", a.Name, a.Type),
					Advice:  "Sign the zone anew, or correct the DS record at its parent.",
				})
			}
			if f.DNSSEC.Bogus.Name != "" {
				seen(&f.DNSSEC.Bogus)
			}
			for _, h := range f.MX.Distinct() {
				if h.Bogus && h.A.Unknown() {
					seen(&h.A)
				} else if h.Bogus {
					seen(&h.AAAA)
				}
			}
			for i := range f.DANE.Servers {
				if t := &f.DANE.Servers[i]; t.Bogus {
					seen(&t.Asked)
				}
			}
			return all
		},
	},
	{
		ID: "dnssec-unsigned", Severity: check.Warning, Reference: "RFC 4033 3, RFC 7672 2.2",
		Title: "The domain is not signed (DNSSEC)",
		Why:   "Whoever can forge answers of DNS decides where its mail goes and who may send it.",
		Explain: "SPF, DKIM, DMARC and MX are records in DNS, and are worth what DNS is worth. With DNSSEC a resolver can tell the domain's own " +
			"answers from forged ones. DANE, by which senders know a mail server's certificate, does not work without.\n\n" +
			"\tdig +short DS example.com\n\n" +
			"Most providers of DNS sign a zone at the press of a button. Where another company is the registrar, give it the DS record that the " +
			"provider shows. Sign first, and publish the DS record when all servers have the signed zone.",
		Look: func(f *facts.Facts) []check.Seen {
			j := &f.DNSSEC.Judged
			if !f.DNSSEC.Validating || !j.Found() || j.Authentic {
				return nil
			}
			return []check.Seen{{
				Subject: f.Domain,
				Detail:  fmt.Sprintf("The answer for %s %s is not signed; our resolver validates.", j.Name, j.Type),
				Advice:  "Have the zone signed, and its DS record published by the registrar.",
			}}
		},
	},
	{
		ID: "dnssec-mx-unsigned", Severity: check.Warning, Reference: "RFC 7672 2.2",
		Title: "The mail servers' zone is not signed (DNSSEC)",
		Why:   "Whoever can forge their addresses gets the domain's mail, and DANE cannot protect it.",
		Explain: "The mail servers are in another zone than the domain, often that of a provider. A signature on the domain's own records covers the " +
			"names of the mail servers and not their addresses.\n\n\tdig +dnssec A mx.example.net\n\n" +
			"Ask the provider for names in a signed zone. Some have them, for those who ask.",
		Look: unsignedHosts,
	},
	{
		ID: "dnssec-resolver-not-validating", Severity: check.Info, Reference: "RFC 4035 3.2.3, RFC 6840 5.8",
		Title: "Our own resolver does not validate",
		Why:   "Nothing can be said of the domain's DNSSEC, and nothing of its DANE.",
		Explain: "The top-level domain org is signed, and the resolver that was asked does not call its answer authentic. So it does not validate, " +
			"or what it says of that is lost on the way. Nothing is called unsigned on its word.\n\n" +
			"\tdig +dnssec SOA org\n\n" +
			"There is \"ad\" among the flags where the resolver validates. Let it be one that does and that is reached over loopback, such as " +
			"Unbound on the same machine.",
		Look: func(f *facts.Facts) []check.Seen {
			p := &f.DNSSEC.Probe
			if f.DNSSEC.Validating || p.Name == "" || p.Unknown() {
				return nil
			}
			return []check.Seen{{
				Subject: p.Name,
				Detail:  fmt.Sprintf("The answer for %s %s, which is signed, does not come as an authentic one.", p.Name, p.Type),
				Advice:  "Ask a resolver that validates.",
			}}
		},
	},
}

// unsignedHosts tells of zones that mail servers are in, each once. One that is the domain's own is told of by the domain.
func unsignedHosts(f *facts.Facts) []check.Seen {
	if !f.DNSSEC.Validating {
		return nil
	}
	unsigned := f.DNSSEC.Judged.Found() && !f.DNSSEC.Judged.Authentic
	var orgs []string
	hosts := map[string][]string{}
	for _, h := range f.MX.Distinct() {
		if len(h.Addrs) == 0 || h.A.Unknown() || h.AAAA.Unknown() || h.Signed() || unsigned && own(f, h.Name) {
			continue
		}
		org := senders.OrganizationalDomain(h.Name)
		if !slices.Contains(orgs, org) {
			orgs = append(orgs, org)
		}
		hosts[org] = append(hosts[org], h.Name)
	}
	var all []check.Seen
	for _, org := range orgs {
		all = append(all, check.Seen{
			Subject: org,
			Detail:  fmt.Sprintf("The addresses of %s are not signed; our resolver validates.", strings.Join(hosts[org], ", ")),
			Advice:  "Have the zone signed, or ask the provider for mail servers in one that is.",
		})
	}
	return all
}
