package mxcheck

import (
	"fmt"
	"slices"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// nullMX is the record of a domain that takes no mail (RFC 7505 3).
const nullMX = "0 ."

// records are the checks of the MX records as a set.
var records = []check.Check{
	{
		ID: "mx-no-such-domain", Severity: check.Error, Reference: "RFC 2308 2.1, RFC 8020",
		Title: "There is no such domain",
		Why:   "A domain that does not exist has no mail to secure, and nothing can be published for it.",
		Explain: "DNS says of the name that it does not exist (NXDOMAIN), for every type of record. Either it is misspelt, or it is not registered, or " +
			"not any more, or it is a name within a zone that has no records.\n\n" +
			"\tdig example.com\n\twhois example.com\n\n" +
			"If it is yours, see with the registrar that it is paid for and that its name servers know it. Nothing else is said of it here: what is " +
			"missing is missing for want of the domain. Mail in its name is under np, or else sp or p, of the DMARC policy of the domain above it.",
		Look: func(f *facts.Facts) []check.Seen {
			if !f.Gone() {
				return nil
			}
			seen := check.Seen{
				Subject: f.Domain, Detail: "There is no name " + f.Domain + " in DNS, nor a record of any kind that was asked for.",
				Advice: "Look whether the name is right and, if it is, whether it is registered.",
			}
			if p := f.DMARC.Policy; p.Record != nil {
				seen.Detail += fmt.Sprintf(" The DMARC policy of %s, which applies to it, is %s.", p.PolicyDomain, p.Applicable)
			}
			return []check.Seen{seen}
		},
	},
	{
		ID: "mx-null-mixed", Severity: check.Error, Reference: "RFC 7505 3", Cap: check.C,
		Title: "A null MX stands beside other MX records",
		Why:   "One record says that the domain takes no mail and the others say where it goes: senders choose what to believe.",
		Explain: "A null MX, a record whose server is a lone dot, says that a domain takes no mail at all. It is to be the only MX record of " +
			"the name. Beside others it makes no sense: some senders refuse to send, others try the dot as a server and fail, and some go " +
			"on to the next record.\n\n" +
			"See what is there:\n\n\tdig +short MX example.com\n\n" +
			"Remove the record with the dot if the domain takes mail, and all others if it takes none.",
		Look: func(f *facts.Facts) []check.Seen {
			var null []publish.Change
			for _, mx := range f.MX.Asked.MX {
				if mx.Host == "" {
					null = append(null, publish.Change{Name: f.MX.Asked.Answer.Name, Type: "MX", Old: publish.MX(mx)})
				}
			}
			if len(null) == 0 || f.MX.Null {
				return nil
			}
			seen := check.Seen{
				Subject: f.Domain,
				Detail:  fmt.Sprintf("Of %d MX records, %s a lone dot in place of a server.", len(f.MX.Asked.MX), has(len(null))),
				Advice:  "Remove the records that name no server if the domain takes mail, and all others if it takes none.",
			}
			if len(f.MX.Hosts) == 0 {
				null[0].New = nullMX
			}
			if own(f) {
				seen.Fix = null
			}
			return []check.Seen{seen}
		},
	},
	{
		ID: "mx-missing", Severity: check.Warning, Reference: "RFC 5321 5.1, RFC 7505",
		Title: "There is no MX record, but an address",
		Why:   "Mail goes to the address of the domain itself, which is a web server more often than a mail server.",
		Explain: "Where a domain has no MX record, senders take its address for that of a mail server. If mail is taken there, say so with an MX " +
			"record that names the domain. If the domain takes no mail, a null MX says that: senders then tell their users at once, in place " +
			"of trying for days.\n\n" +
			"\texample.com. IN MX 10 example.com.\n\texample.com. IN MX 0 .\n\n" +
			"One of the two, not both. A domain that has no mail server and sends mail all the same cannot be told of mail that fails.",
		Look: func(f *facts.Facts) []check.Seen {
			m := &f.MX
			if !m.Asked.Absent() || !m.A.Found() && !m.AAAA.Found() {
				return nil
			}
			addrs := slices.Concat(m.A.Addrs, m.AAAA.Addrs)
			seen := check.Seen{
				Subject: f.Domain,
				Detail:  "There is no MX record, and mail goes to " + list(addrs) + ".",
				Aside:   "Publish a null MX, \"" + nullMX + "\", in place of this if no mail is taken there.",
			}
			c := publish.Change{Name: f.Domain, Type: "MX", New: publish.MX(dns.MX{Preference: 10, Host: f.Domain})}
			if !f.Sends() {
				c.New, seen.Aside = nullMX, "Publish an MX record that names the domain in place of this if mail is taken there."
			}
			alias := m.A.Found() && m.A.Answer.Name != f.Domain || m.AAAA.Found() && m.AAAA.Answer.Name != f.Domain
			if !alias && !f.TXT.Unknown() {
				seen.Fix = []publish.Change{c}
			}
			return []check.Seen{seen}
		},
	},
	{
		ID: "mx-null-sends", Severity: check.Warning, Reference: "RFC 7505 4.2",
		Title: "The domain takes no mail, and sends some",
		Why:   "Receivers may refuse mail of a sender to whom no answer can be sent.",
		Explain: "The null MX says that nobody can send mail to the domain. Mail from it cannot be answered then, and what cannot be delivered " +
			"cannot be sent back. RFC 7505 lets receivers refuse such mail.\n\n" +
			"If the domain sends no mail, let its SPF record say so:\n\n\texample.com. IN TXT \"v=spf1 -all\"\n\n" +
			"If it does, publish the mail server that takes answers.",
		Look: func(f *facts.Facts) []check.Seen {
			if !f.MX.Null || f.TXT.Unknown() || !f.Sends() {
				return nil
			}
			detail := "There is a null MX, and the SPF record lets somebody send."
			if f.Options.Seen.Sends {
				detail = "There is a null MX, and mail of the domain was seen."
			}
			return []check.Seen{{
				Subject: f.Domain, Detail: detail,
				Advice: "Publish \"v=spf1 -all\" if the domain sends no mail, or an MX record that names a server if it does.",
			}}
		},
	},
	{
		ID: "mx-duplicate", Severity: check.Warning, Reference: "RFC 5321 5.1",
		Title: "A mail server is named twice",
		Why:   "The second record is no second server: where the first does not answer, nor does it.",
		Explain: "Several MX records are there so that mail finds a way where one server is down. A record that names the same server with " +
			"another preference only makes senders try it twice.\n\n" +
			"Keep the record with the lower number, which is tried first.",
		Look: func(f *facts.Facts) []check.Seen {
			var all []check.Seen
			for _, h := range f.MX.Distinct() {
				same := sorted(f, h.Name)
				if len(same) < 2 {
					continue
				}
				seen := check.Seen{
					Subject: h.Name,
					Detail:  fmt.Sprintf("%s is in %d MX records.", h.Name, len(same)),
					Advice:  "Keep the record with the lowest number.",
				}
				for _, mx := range same[1:] {
					if own(f) && mx.Preference != same[0].Preference {
						seen.Fix = append(seen.Fix, publish.Change{Name: f.Domain, Type: "MX", Old: publish.MX(mx)})
					}
				}
				all = append(all, seen)
			}
			return all
		},
	},
	{
		ID: "mx-parked", Severity: check.Warning, Reference: "RFC 7505 1",
		Title: "The domain sends no mail, and takes some",
		Why:   "A parked domain with a mail server collects mail that was meant for others, and spam.",
		Explain: "The SPF record says that nobody sends for the domain, as it should for one that is parked. Yet there are MX records. If nobody " +
			"reads what is sent there, a null MX says that no mail is taken, and takes away what there is to attack:\n\n" +
			"\texample.com. IN MX 0 .\n\n" +
			"Where mail is read and none is sent on purpose, nothing is wrong.",
		Look: func(f *facts.Facts) []check.Seen {
			if !f.SPF.Nobody() || f.Sends() || len(f.MX.Hosts) == 0 {
				return nil
			}
			return []check.Seen{{
				Subject: f.Domain,
				Detail:  fmt.Sprintf("SPF lets nobody send, and mail goes to %s.", f.MX.Hosts[0].Name),
				Advice:  "Publish a null MX, \"" + nullMX + "\", in place of the MX records if nobody reads the domain's mail.",
			}}
		},
	},
	{
		ID: "mx-single", Severity: check.Info, Reference: "RFC 5321 5.1",
		Title: "There is one mail server",
		Why:   "While it is down, mail waits at those who send it.",
		Explain: "Mail is not lost where the only mail server is down: senders keep it and try again, for some days. A second server lets it in " +
			"meanwhile, and is one more machine to keep safe: a backup that filters less than the first is where spam goes.\n\n" +
			"Nothing needs to be done where a wait of some hours is no harm.",
		Look: func(f *facts.Facts) []check.Seen {
			hosts := f.MX.Distinct()
			if len(hosts) != 1 {
				return nil
			}
			h := hosts[0]
			if h.A.Unknown() || h.AAAA.Unknown() || len(h.Addrs) == 0 || len(h.A.Addrs) > 1 || len(h.AAAA.Addrs) > 1 {
				return nil
			}
			return []check.Seen{{Subject: f.Domain, Detail: fmt.Sprintf("All mail goes to %s at %s.", h.Name, list(h.Addrs))}}
		},
	},
}

func has(n int) string {
	if n == 1 {
		return "1 has"
	}
	return fmt.Sprintf("%d have", n)
}

// sorted are the records of one mail server, the one that is tried first in front.
func sorted(f *facts.Facts, host string) []dns.MX {
	var all []dns.MX
	for _, mx := range f.MX.Asked.MX {
		if mx.Host != host {
			continue
		}
		all = append(all, mx)
		if last := len(all) - 1; mx.Preference < all[0].Preference {
			all[0], all[last] = all[last], all[0]
		}
	}
	return all
}
