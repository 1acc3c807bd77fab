package danecheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// records are the checks of the TLSA records of each mail server by themselves.
var records = []check.Check{
	{
		ID: "dane-without-dnssec", Severity: check.Error, Reference: "RFC 7672 2.2, RFC 6698 4.1",
		Title: "TLSA records are not signed (DNSSEC)",
		Why:   "Senders pay no heed to them: they protect nothing.",
		Explain: "A TLSA record says what certificate a mail server has. Anybody could forge it, so that it counts only where DNSSEC vouches for " +
			"it.\n\n\tdig +dnssec TLSA _25._tcp.mx.example.com\n\n" +
			"Have the zone of the mail server signed, or remove the records.",
		Look: each(func(f *facts.Facts, t *facts.TLSA) *check.Seen {
			if !f.DNSSEC.Validating || t.Signed() {
				return nil
			}
			return &check.Seen{
				Detail: fmt.Sprintf("There are %d TLSA records, and they are not signed; our resolver validates.", len(t.Asked.Records)),
				Advice: "Have the mail server's zone signed, or remove the TLSA records.",
			}
		}),
	},
	{
		ID: "dane-mismatch", Severity: check.Error, Reference: "RFC 7672 2.2, RFC 7672 3.1",
		Title: "A mail server's certificate is not the one in TLSA",
		Why:   "Senders that use DANE do not deliver: to them it is an attack.",
		Explain: "The server shows a certificate that none of its TLSA records names. Mostly the certificate was renewed with a new key, and the " +
			"record was not. Senders with DANE put the mail off, and send it back if it does not match within days.\n\n" +
			"See what the server shows, on the server itself, and what is published:\n\n" +
			"\topenssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum\n" +
			"\tdig +short TLSA _25._tcp.mx.example.com\n\n" +
			"Publish \"3 1 1\" and the digest. For the next time, publish the record of the new key first, wait for its TTL, and only then change " +
			"the certificate. Do not publish what somebody saw over the network: it may be what an attacker shows.",
		Look: mismatch,
	},
	{
		ID: "dane-malformed", Severity: check.Error, Reference: "RFC 6698 2.1, RFC 7671 4",
		Title: "A TLSA record is malformed",
		Why:   "It can match no certificate, and where there is no other, nobody is protected.",
		Explain: "A TLSA record has three numbers and data: the usage (2 or 3 for mail), what of the certificate is compared (0 for all of it, 1 for " +
			"its public key), and how (1 for SHA-256, of 32 octets, 2 for SHA-512, of 64, 0 for the thing itself).\n\n" +
			"\tdig +short TLSA _25._tcp.mx.example.com\n\n" +
			"Remove the record, or put a whole one in its place.",
		Look: each(func(f *facts.Facts, t *facts.TLSA) *check.Seen {
			if len(t.Bad) == 0 {
				return nil
			}
			var told []string
			seen := &check.Seen{Advice: "Remove the record, or put a whole one in its place."}
			for _, b := range t.Bad {
				told = append(told, fmt.Sprintf("%s: %v", cut(b.Text, 60), b.Err))
				if own(f, t.Asked.Answer.Name) && len(t.Usable()) > 0 {
					seen.Fix = append(seen.Fix, publish.Change{Name: t.Asked.Answer.Name, Type: "TLSA", Old: b.Text})
				}
			}
			seen.Detail = cut(strings.Join(told, "; "), 600) + "."
			return seen
		}),
	},
	{
		ID: "dane-usage", Severity: check.Warning, Reference: "RFC 7672 3.1.3",
		Title: "A TLSA record has a usage that is not for mail",
		Why:   "Senders of mail pass over records with usage 0 and 1.",
		Explain: "Usages 0 (PKIX-TA) and 1 (PKIX-EE) ask for an authority that the client knows. Mail servers know none in common, and so SMTP has " +
			"usages 2 (DANE-TA) and 3 (DANE-EE) only.\n\n" +
			"Usage 3 with the digest of the public key is what is best kept:\n\n" +
			"\t_25._tcp.mx.example.com. IN TLSA 3 1 1 …\n\n" +
			"A record with usage 1 becomes one by its first number, if the server has that certificate still.",
		Look: each(func(f *facts.Facts, t *facts.TLSA) *check.Seen {
			var told []string
			seen := &check.Seen{Advice: "Publish a record with usage 3 of the certificate that the server has."}
			for i, r := range t.Records {
				if r.Usage != dane.PKIXTA && r.Usage != dane.PKIXEE || r.Check() != nil {
					continue
				}
				told = append(told, dane.Tell(t.Records[i:i+1]))
				if r.Usage == dane.PKIXEE && own(f, t.Asked.Answer.Name) && shows(f, t.Host, r) {
					seen.Fix = append(seen.Fix, remade(t, r))
				}
			}
			if len(told) == 0 {
				return nil
			}
			seen.Detail = fmt.Sprintf("Senders of mail pass over %s.", cut(strings.Join(told, " and "), 300))
			return seen
		}),
	},
}

// mismatch holds what servers showed against the records that DNSSEC vouches for.
func mismatch(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for i := range f.TLS.Servers {
		s := &f.TLS.Servers[i]
		t := f.DANE.Of(s.Host)
		if s.Err != nil || t == nil || !t.Signed() || len(t.Usable()) == 0 {
			continue
		}
		seen := check.Seen{Subject: t.Asked.Name}
		if len(s.Chain) == 0 {
			seen.Detail = fmt.Sprintf("There are TLSA records, and the server at %s has no STARTTLS.", s.IP)
			seen.Advice = "Turn TLS on at the mail server, or remove its TLSA records."
			all = append(all, seen)
			continue
		}
		res := dane.Verify(dane.Query{Records: t.Records, Chain: s.Chain, Names: []string{s.Host, f.Domain}, At: f.At})
		if res.Code != dane.Mismatch {
			continue
		}
		seen.Detail = fmt.Sprintf("The records are %s, and the server was seen at %s: %v.", cut(dane.Tell(t.Records), 300), s.IP, cut(res.Err.Error(), 300))
		seen.Advice = fmt.Sprintf("If it is your own certificate that is shown, its record is \"%s\": compare that with the certificate on the server.",
			dane.Of(s.Chain[0]))
		all = append(all, seen)
	}
	return all
}

// shows tells whether the server was seen to have the certificate of a record.
func shows(f *facts.Facts, host string, r dane.Record) bool {
	for i := range f.TLS.Servers {
		if s := &f.TLS.Servers[i]; s.Host == host && s.Err == nil && len(s.Chain) > 0 && r.Matches(s.Chain[0]) {
			return true
		}
	}
	return false
}

// remade gives a record with usage 1 usage 3. Where that is there already, it goes.
func remade(t *facts.TLSA, r dane.Record) publish.Change {
	better := r
	better.Usage = dane.DANEEE
	c := publish.Change{Name: t.Asked.Answer.Name, Type: "TLSA", Old: r.String(), New: better.String()}
	for _, known := range t.Records {
		if known.Same(better) {
			c.New = ""
		}
	}
	return c
}

// cut bounds what of a stranger's text is shown.
func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
