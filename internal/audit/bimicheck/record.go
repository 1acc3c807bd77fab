package bimicheck

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// record are the checks of the record, and of what it stands on.
var record = []check.Check{
	{
		ID: "bimi-dmarc-not-enforcing", Severity: check.Error, Reference: draft + " 7.1",
		Title: "The logo is not shown, since DMARC does not enforce",
		Why:   "Receivers show a logo only for domains whose DMARC policy is quarantine or reject, for all mail and all subdomains.",
		Explain: "A logo tells readers that mail is the domain's. Receivers believe that of a domain which has mail that fails put aside or " +
			"refused: p=quarantine or p=reject at the Organizational Domain, no weaker sp=, no t=y, and no pct= below 100 where that is still " +
			"read.\n\n" +
			"Bring DMARC to enforcement first. The logo does nothing before.\n\n\tdig +short TXT _dmarc.example.com",
		Look: notEnforcing,
	},
	{
		ID: "bimi-multiple-records", Severity: check.Error, Reference: draft + " 7.2",
		Title: "There are several BIMI records",
		Why:   "Where there is more than one, receivers take none.",
		Explain: "At default._bimi there is one record that begins with v=BIMI1. Take the others away:\n\n" +
			"\tdig TXT default._bimi.example.com",
		Look: func(f *facts.Facts) []check.Seen {
			if len(f.BIMI.Texts) < 2 {
				return nil
			}
			return []check.Seen{{
				Subject: f.BIMI.TXT.Name,
				Detail:  fmt.Sprintf("%d texts begin with v=BIMI1.", len(f.BIMI.Texts)),
				Advice:  "Keep the one that is right, and take the others away.",
			}}
		},
	},
	{
		ID: "bimi-syntax", Severity: check.Error, Reference: draft + " 4.2",
		Title: "The BIMI record cannot be read",
		Why:   "Receivers ignore it, and show no logo.",
		Explain: "The record is a list of tags: v=BIMI1 first, in capitals, then l= with the URL of the logo and a= with the URL of a " +
			"certificate for it. Both may be empty; a record where both are says that the domain wants no logo.\n\n" +
			"\tdefault._bimi.example.com. IN TXT \"v=BIMI1; l=https://example.com/logo.svg; a=\"",
		Look: func(f *facts.Facts) []check.Seen {
			if f.BIMI.Err == nil {
				return nil
			}
			text := f.BIMI.Texts[0]
			seen := check.Seen{Detail: fmt.Sprintf("%v: %s", f.BIMI.Err, short(text)), Advice: "Publish v=BIMI1; l=…; a=… in its place."}
			if v := valueOf(text, "v"); strings.EqualFold(v, "BIMI1") {
				mended, err := dkim.MoveTagFirst(text, "v")
				if err == nil {
					mended, err = dkim.SetTag(mended, "v", "BIMI1")
				}
				if _, bad := bimi.Parse(mended); err == nil && bad == nil {
					seen.Advice = ""
				}
				return put(f, seen, mended, err)
			}
			return put(f, seen, text, nil)
		},
	},
	{
		ID: "bimi-logo-not-https", Severity: check.Error, Reference: draft + " 4.2",
		Title: "The logo or its certificate is not at an https URL",
		Why:   "Receivers fetch both by https only.",
		Explain: "l= and a= each hold one URL that begins with https://. A name without it, a list of several, or http:// lead to no logo.\n\n" +
			"\tcurl -I https://example.com/logo.svg",
		Look: notHTTPS,
	},
	{
		ID: "bimi-no-certificate", Severity: check.Warning, Reference: draft + " 4.2; " + fetchDraft,
		Title: "There is no certificate for the logo",
		Why:   "Most of the large receivers show a logo only with a certificate that says whose it is.",
		Explain: "a= is where a certificate for the logo is: a Verified Mark Certificate for a registered trade mark, or a Common Mark " +
			"Certificate for a logo that has been in use for a year. A few authorities issue them. Gmail and Apple Mail want one; some others " +
			"show a logo without.\n\n" +
			"Without a certificate the record does no harm.",
		Look: func(f *facts.Facts) []check.Seen {
			if !taking(f) || f.BIMI.Record.Evidence != "" {
				return nil
			}
			return []check.Seen{{Subject: f.BIMI.TXT.Name, Detail: "a= is empty or missing.", Advice: "If the logo is to be seen by all, get a certificate for it."}}
		},
	},
}

// notEnforcing goes by the policy that is found for the domain, here or above.
func notEnforcing(f *facts.Facts) []check.Seen {
	p := f.DMARC.Policy
	if !taking(f) || p == nil || f.Unknown(facts.DMARC) || p.Record == nil && errors.As(p.Err, new(*dns.Error)) {
		return nil
	}
	why := ""
	switch r := p.Record; {
	case r == nil:
		why = "There is no DMARC policy."
	case p.Applicable == dmarc.DispositionNone:
		why = "The policy for the domain is none."
	case r.SubdomainPolicy == dmarc.DispositionNone:
		why = "The policy for subdomains is none."
	case r.Testing:
		why = "The policy says t=y: it is being tested."
	case weakened(r):
		why = "The policy has a pct= below 100, which some receivers still read."
	default:
		return nil
	}
	return []check.Seen{{Subject: f.BIMI.TXT.Name, Detail: why, Advice: "Bring DMARC to quarantine or reject, for all mail."}}
}

func weakened(r *dmarc.Record) bool {
	return slices.ContainsFunc(r.Tags, func(t dmarc.Tag) bool { return strings.EqualFold(t.Name, "pct") && t.Value != "100" })
}

// notHTTPS mends what is of http. Whether the file is there by https too, trying the fix shows.
func notHTTPS(f *facts.Facts) []check.Seen {
	r := f.BIMI.Record
	if r == nil {
		return nil
	}
	text := f.BIMI.Texts[0]
	var details []string
	var failed error
	for _, tag := range []struct{ name, url string }{{"l", r.Logo}, {"a", r.Evidence}} {
		if tag.url == "" {
			continue
		}
		err := bimi.CheckURL(tag.url)
		if err == nil {
			continue
		}
		details = append(details, fmt.Sprintf("%s=%s: %v", tag.name, short(tag.url), err))
		secure := "https://" + tag.url
		if scheme, rest, ok := strings.Cut(tag.url, "://"); ok && strings.EqualFold(scheme, "http") {
			secure = "https://" + rest
		}
		if err = bimi.CheckURL(secure); err == nil {
			text, err = dkim.SetTag(text, tag.name, secure)
		}
		if err != nil {
			failed = err
		}
	}
	if details == nil {
		return nil
	}
	return put(f, check.Seen{Detail: strings.Join(details, "; ") + ".", Advice: "Serve the files by https, and name each by one URL."}, text, failed)
}

func valueOf(text, name string) string {
	tags, _ := dkim.EveryTag(text)
	for _, t := range tags {
		if t.Name == name {
			return t.Value
		}
	}
	return ""
}
