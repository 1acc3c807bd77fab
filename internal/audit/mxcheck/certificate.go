package mxcheck

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// certificates are the checks of what mail servers show. Each looks at one fault and not at the others, so that a certificate with two has
// two findings.
var certificates = []check.Check{
	{
		ID: "tls-certificate-expired", Severity: check.Warning, Reference: "RFC 5280 4.1.2.5",
		Title: "A mail server's certificate is out of date",
		Why:   "Senders that verify certificates, as MTA-STS has them do, do not deliver to it.",
		Explain: "A certificate holds from one date to another. Most senders deliver all the same, since they do not verify certificates of mail " +
			"servers; those that follow an MTA-STS policy do not.\n\n" +
			"\topenssl s_client -starttls smtp -connect mx.example.com:25 </dev/null | openssl x509 -noout -dates\n\n" +
			"Renew it, and have the mail server read it anew. If it was renewed and the server still shows the old one, it was not told.",
		Look: eachCertificate(func(f *facts.Facts, s *facts.Server) string {
			for _, c := range s.Chain {
				switch {
				case f.At.After(c.NotAfter):
					return fmt.Sprintf("The certificate of %s expired on %s.", about(c), day(c.NotAfter))
				case f.At.Before(c.NotBefore):
					return fmt.Sprintf("The certificate of %s does not hold before %s.", about(c), day(c.NotBefore))
				}
			}
			return ""
		}, "Renew the certificate, and have the mail server read it anew."),
	},
	{
		ID: "tls-certificate-name", Severity: check.Warning, Reference: "RFC 8461 4.2, RFC 9525 6",
		Title: "A mail server's certificate is for another name",
		Why:   "Senders that verify certificates, as MTA-STS has them do, do not deliver to it.",
		Explain: "The certificate is to have the name that the MX record names the server by, among its alternative names (subjectAltName). The " +
			"common name of old is not looked at.\n\n" +
			"\topenssl s_client -starttls smtp -connect mx.example.com:25 </dev/null | openssl x509 -noout -ext subjectAltName\n\n" +
			"Get a certificate that has this name too, or let the MX record have the name of the certificate.",
		Look: eachCertificate(func(_ *facts.Facts, s *facts.Server) string {
			if s.Chain[0].VerifyHostname(s.Host) == nil {
				return ""
			}
			return fmt.Sprintf("The server's name is %s, and the certificate is for %s.", s.Host, about(s.Chain[0]))
		}, "Get a certificate that has the name in the MX record."),
	},
	{
		ID: "tls-certificate-chain", Severity: check.Warning, Reference: "RFC 8461 4.2, RFC 8446 4.4.2",
		Title: "A mail server's certificate leads to no known authority",
		Why:   "Senders that verify certificates, as MTA-STS has them do, do not deliver to it.",
		Explain: "A sender follows the certificate to an authority that it knows. The server is to show, after its own certificate, those of the " +
			"authorities between. Where they are missing, or the certificate is signed by itself, the way ends nowhere.\n\n" +
			"\topenssl s_client -starttls smtp -connect mx.example.com:25 -showcerts </dev/null\n\n" +
			"Give the mail server the file with the whole chain (fullchain.pem), not that with the certificate alone (cert.pem).",
		Look: eachCertificate(func(f *facts.Facts, s *facts.Server) string {
			err := leads(f, s)
			if err == nil {
				return ""
			}
			if leaf := s.Chain[0]; bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
				return "The certificate is signed by itself."
			}
			return fmt.Sprintf("The server shows %d certificates, and its own, which %q signed, does not verify: %v.",
				len(s.Chain), cut(s.Chain[0].Issuer.String()), err)
		}, "Have the mail server show the certificates of the authorities too."),
	},
}

// eachCertificate looks at every certificate that was shown. One that DNS names (DANE) is good as it is, to those who look there: what is
// wrong with it then is for the others.
func eachCertificate(look func(*facts.Facts, *facts.Server) string, advice string) func(*facts.Facts) []check.Seen {
	return eachServer(func(f *facts.Facts, s *facts.Server) *check.Seen {
		if len(s.Chain) == 0 {
			return nil
		}
		detail := look(f, s)
		if detail == "" {
			return nil
		}
		seen := &check.Seen{Detail: detail, Advice: advice}
		if named(f, s) {
			seen.Severity = check.Info
			seen.Detail += " TLSA records name it, so that senders with DANE take it."
		}
		return seen
	})
}

// named tells whether TLSA records that can be believed name the certificate.
func named(f *facts.Facts, s *facts.Server) bool {
	t := f.DANE.Of(s.Host)
	return t != nil && t.Signed() && dane.Verify(dane.Query{
		Records: t.Records, Chain: s.Chain, Names: []string{s.Host, f.Domain}, At: f.At,
	}).Code == dane.Match
}

// leads verifies a chain without its dates, as far as that can be done: as of a moment at which the server's certificate holds.
func leads(f *facts.Facts, s *facts.Server) error {
	at := f.At
	leaf := s.Chain[0]
	if at.After(leaf.NotAfter) {
		at = leaf.NotAfter
	}
	if at.Before(leaf.NotBefore) {
		at = leaf.NotBefore
	}
	between := x509.NewCertPool()
	for _, c := range s.Chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: f.Options.Roots, Intermediates: between, CurrentTime: at})
	var noRoots x509.SystemRootsError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &noRoots): // it is we who know no authority
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired: // of one between, which another check tells of
		return nil
	}
	return err
}

// trusted tells whether a sender that verifies certificates would deliver.
func trusted(f *facts.Facts, s *facts.Server) bool {
	if len(s.Chain) == 0 || leads(f, s) != nil || s.Chain[0].VerifyHostname(s.Host) != nil {
		return false
	}
	for _, c := range s.Chain {
		if f.At.After(c.NotAfter) || f.At.Before(c.NotBefore) {
			return false
		}
	}
	return true
}

// about is whom a certificate is for, in a few names.
func about(c *x509.Certificate) string {
	const most = 5
	names := c.DNSNames
	if len(names) == 0 {
		return fmt.Sprintf("%q, without alternative names", cut(c.Subject.String()))
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", cut(strings.Join(names[:most], ", ")), len(names)-most)
	}
	return cut(strings.Join(names, ", "))
}

// cut bounds what of a stranger's certificate is shown.
func cut(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
