package stscheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/tlsrpt"
)

// reports are the checks of the record by which reports of failed TLS are asked for.
var reports = []check.Check{
	{
		ID: "tls-rpt-absent", Severity: check.Warning, Reference: "RFC 8460 3",
		Title: "Nobody is asked to report failed TLS",
		Why:   "Mail that senders cannot hand over under MTA-STS or DANE is held back without the domain hearing of it.",
		Explain: "The domain asks senders to use TLS and to check with whom they speak. Where that fails they hold mail back, and the domain sees nothing of " +
			"it: mail that does not come leaves no trace. A record at _smtp._tls asks the large senders for a report each day of what failed, and why.\n\n" +
			"\tdig +short TXT _smtp._tls.example.com\n\n" +
			"The address must be one that can have mail; gatepost reads such reports.",
		Look: func(f *facts.Facts) []check.Seen {
			t := &f.TLSRPT
			if !f.SecuresTransport() || !f.Receives() || len(t.Texts) > 0 || t.TXT.Unknown() || nearMiss(t) != "" {
				return nil
			}
			return []check.Seen{{
				Subject: at(f), Detail: "No text there begins with v=TLSRPTv1, and the domain asks for secured transport.",
				Aside: "Put an address of your own in the place of this one if reports are to go elsewhere.",
				Fix:   []publish.Change{{Name: at(f), Type: "TXT", New: asking(address(f))}},
			}}
		},
	},
	{
		ID: "tls-rpt-multiple", Severity: check.Error, Reference: "RFC 8460 3",
		Title: "There are several TLS-RPT records",
		Why:   "Senders that see more than one record act as though there were none, and no reports come.",
		Explain: "Where reports of failed TLS go is said by one TXT record at _smtp._tls that begins with v=TLSRPTv1. Several addresses stand in that one, " +
			"with a comma between them.\n\n" +
			"\tdig +short TXT _smtp._tls.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			t := &f.TLSRPT
			if len(t.Texts) < 2 {
				return nil
			}
			return []check.Seen{{
				Subject: at(f), Detail: fmt.Sprintf("%d texts begin with v=TLSRPTv1: %s.", len(t.Texts), quoted(t.Texts)),
				Fix: oneOf(f),
			}}
		},
	},
	{
		ID: "tls-rpt-version", Severity: check.Error, Reference: "RFC 8460 3",
		Title: "The TLS-RPT record does not begin with v=TLSRPTv1",
		Why:   "Senders pass over a text that does not begin with exactly that, and no reports come.",
		Explain: "A record for reports of failed TLS begins with v=TLSRPTv1 and a semicolon: in that case of letters, without a space or a quotation mark " +
			"before it.\n\n" +
			"\tdig +short TXT _smtp._tls.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			t := &f.TLSRPT
			text := nearMiss(t)
			if text == "" {
				return nil
			}
			return []check.Seen{{
				Subject: at(f), Detail: fmt.Sprintf("The text is %q.", text),
				Fix: []publish.Change{{Name: at(f), Type: "TXT", Old: text, New: rebuilt(f, text)}},
			}}
		},
	},
	{
		ID: "tls-rpt-rua-invalid", Severity: check.Error, Reference: "RFC 8460 3",
		Title: "The TLS-RPT record has no valid rua",
		Why:   "Senders cannot tell where reports of failed TLS are to go, and none come.",
		Explain: "rua is a list of URIs with commas between them: mailto: and a mail address, or https: and where reports are posted. Commas, semicolons and " +
			"exclamation marks within one are written with a percent sign. One that is wrong makes the whole record useless to a sender that " +
			"goes by the letter.\n\n" +
			"\t_smtp._tls.example.com. IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@example.com\"",
		Look: func(f *facts.Facts) []check.Seen { return badReports(f, true) },
	},
	{
		ID: "tls-rpt-syntax", Severity: check.Error, Reference: "RFC 8460 3",
		Title: "The TLS-RPT record has an error",
		Why:   "Senders do not use a record that they cannot read, and no reports come.",
		Explain: "The record is a list of fields, each a name, an equals sign and a value, with a semicolon between them. Only v and rua are known; others " +
			"are allowed, but must have the same form.\n\n" +
			"\tdig +short TXT _smtp._tls.example.com",
		Look: func(f *facts.Facts) []check.Seen { return badReports(f, false) },
	},
	{
		ID: "tls-rpt-rua-no-mx", Severity: check.Error, Reference: "RFC 8460 3",
		Title: "Reports of failed TLS go where no mail is taken",
		Why:   "The address has a domain without a mail server, so that no reports come.",
		Explain: "The domain of an address in rua has a null MX, or neither MX nor address, or does not exist. One that does not exist may also be " +
			"registered by somebody else, who then reads the reports.\n\n" +
			"\tdig +short TXT _smtp._tls.example.com\n\tdig +short MX example.com",
		Look: func(f *facts.Facts) []check.Seen {
			t := &f.TLSRPT
			if len(t.Dead) == 0 {
				return nil
			}
			var kept []string
			for _, uri := range t.Record.RUA {
				if domain := domainOf(uri); domain == "" || !slices.Contains(t.Dead, domain) {
					kept = append(kept, uri)
				}
			}
			seen := check.Seen{
				Subject: at(f), Detail: fmt.Sprintf("No mail can be sent to %s.", listed(t.Dead)),
				Advice: "Name an address that can have mail.",
			}
			if text, err := tlsrpt.SetRUA(t.Texts[0], kept...); err == nil {
				seen.Fix = []publish.Change{{Name: at(f), Type: "TXT", Old: t.Texts[0], New: text}}
			}
			return []check.Seen{seen}
		},
	},
}

func at(f *facts.Facts) string { return tlsrpt.Prefix + "." + f.Domain }

func asking(uris ...string) string { return (&tlsrpt.Record{RUA: uris}).String() }

// address is where reports can go: where the domain has those of DMARC, or else to its postmaster, whom every domain with mail has
// (RFC 5321 4.5.1).
func address(f *facts.Facts) string {
	if p := f.DMARC.Policy; p != nil && p.Record != nil {
		for _, u := range p.Record.AggregateURIs {
			if u.Scheme == "mailto" && tlsrpt.CheckURI(u.Text) == nil {
				return u.Text
			}
		}
	}
	return "mailto:postmaster@" + f.Domain
}

// domainOf is the domain of an address, in A-labels; empty where there is none.
func domainOf(uri string) string {
	a, _ := tlsrpt.Address(uri)
	domain, _ := dns.ToASCII(a[strings.LastIndexByte(a, '@')+1:])
	return domain
}

// nearMiss is a text that was to be the record.
func nearMiss(t *facts.TLSRPTFacts) string {
	if len(t.Texts) > 0 {
		return ""
	}
	for _, text := range t.TXT.TXT {
		if nearly(text, "tlsrptv1") || nearly(text, "tlsrpt;") || nearly(text, "tlsrpt1") {
			return text
		}
	}
	return ""
}

// badReports is what there is to say of a record that cannot be used: of rua, or of anything else.
func badReports(f *facts.Facts, rua bool) []check.Seen {
	t := &f.TLSRPT
	if t.Err == nil {
		return nil
	}
	text := t.Texts[0]
	fixed, err := tlsrpt.SetRUA(text, usable(f, text)...)
	if err == nil {
		_, err = tlsrpt.Parse(fixed)
	}
	if (err == nil) != rua { // it is rua, if with another one all is well
		return nil
	}
	if err != nil {
		fixed = rebuilt(f, text)
	}
	return []check.Seen{{
		Subject: at(f), Detail: fmt.Sprintf("The text is %q: %v.", text, t.Err),
		Fix: []publish.Change{{Name: at(f), Type: "TXT", Old: text, New: fixed}},
	}}
}

// rebuilt is a record with the addresses of one that is none.
func rebuilt(f *facts.Facts, text string) string { return asking(usable(f, text)...) }

// usable are the URIs of a text that are ones, or become ones with mailto: before them; or else what we would ask for.
func usable(f *facts.Facts, text string) []string {
	var all []string
	for field := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(field, "=")
		if !strings.EqualFold(strings.Trim(name, " \t\"'"), "rua") {
			continue
		}
		for uri := range strings.SplitSeq(value, ",") {
			uri, _, _ = strings.Cut(strings.Trim(uri, " \t\"'<>"), "!")
			if tlsrpt.CheckURI(uri) != nil {
				uri = "mailto:" + strings.TrimPrefix(uri, "mailto://")
			}
			if tlsrpt.CheckURI(uri) == nil && !slices.Contains(all, uri) {
				all = append(all, uri)
			}
		}
	}
	if len(all) == 0 {
		all = append(all, address(f))
	}
	return all
}

// oneOf leaves the first record, with the addresses of all.
func oneOf(f *facts.Facts) []publish.Change {
	texts := f.TLSRPT.Texts
	var uris []string
	for _, text := range texts {
		if r, err := tlsrpt.Parse(text); err == nil {
			for _, uri := range r.RUA {
				if !slices.Contains(uris, uri) {
					uris = append(uris, uri)
				}
			}
		}
	}
	if len(uris) == 0 {
		uris = append(uris, address(f))
	}
	text, err := tlsrpt.SetRUA(texts[0], uris...)
	if err == nil {
		_, err = tlsrpt.Parse(text)
	}
	if err != nil {
		text = asking(uris...)
	}
	changes := []publish.Change{{Name: at(f), Type: "TXT", Old: texts[0], New: text}}
	for _, other := range texts[1:] {
		changes = append(changes, publish.Change{Name: at(f), Type: "TXT", Old: other})
	}
	return changes
}
