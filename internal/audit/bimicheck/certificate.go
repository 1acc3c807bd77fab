package bimicheck

import (
	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// certificate are the checks of the certificate for the logo.
var certificate = []check.Check{
	{
		ID: "bimi-certificate-unavailable", Severity: check.Error, Reference: fetchDraft + " 3",
		Title: "The certificate for the logo is not to be had",
		Why:   "Receivers that want a certificate show no logo without it.",
		Explain: "At the URL of a= there is to be a file in PEM, with the certificate for the logo first and those above it behind. The web " +
			"server has none, or gives something else, or has a bad certificate itself:\n\n\tcurl -s https://example.com/logo.pem | openssl x509 " +
			"-noout -subject -enddate",
		Look: func(f *facts.Facts) []check.Seen {
			err := f.BIMI.Evidence.Err
			if err == nil {
				err = f.BIMI.CertErr
			}
			if err == nil {
				return nil
			}
			return []check.Seen{{Subject: f.BIMI.Evidence.URL, Detail: err.Error() + ".", Advice: "Put the file there that the authority gave you, as it is."}}
		},
	},
	{
		ID: "bimi-certificate-chain", Severity: check.Error, Reference: fetchDraft + " 5.1; RFC 5280 6.1",
		Title: "The certificate does not lead to an authority",
		Why:   "A certificate that nobody vouches for proves nothing, and receivers show no logo.",
		Explain: "The file has to hold the certificate for the logo, and every certificate between it and the root, each signed by the next. " +
			"Most often one in between is missing: the authority gives them together.\n\n" +
			"\tcurl -s https://example.com/logo.pem | openssl storeutl -noout -text -certs /dev/stdin | grep -E 'Subject:|Issuer:'",
		Look: faultsOfCertificate(bimi.Chain, "Put the certificates in between into the file, in order."),
	},
	{
		ID: "bimi-certificate-expired", Severity: check.Error, Reference: fetchDraft + " 5.1; RFC 5280 4.1.2.5",
		Title: "The certificate for the logo is not valid now",
		Why:   "Receivers show no logo with a certificate that has run out.",
		Explain: "These certificates last about a year, and getting a new one takes weeks, for the authority looks at the trade mark again. " +
			"Begin in time.\n\n" +
			"\tcurl -s https://example.com/logo.pem | openssl x509 -noout -dates",
		Look: faultsOfCertificate(bimi.Expired, "Get a new certificate, and put it in the place of the old."),
	},
	{
		ID: "bimi-certificate-usage", Severity: check.Error, Reference: fetchDraft + " 4.4",
		Title: "The certificate is not one for logos",
		Why:   "Receivers take certificates of that kind only.",
		Explain: "A Verified or Common Mark Certificate has the extended key usage 1.3.6.1.5.5.7.3.31. That of a web server or of a person " +
			"does not do, whoever issued it.\n\n\tcurl -s https://example.com/logo.pem | openssl x509 -noout -ext extendedKeyUsage",
		Look: faultsOfCertificate(bimi.Usage, "Put the certificate for the logo there, which the authority gave you."),
	},
	{
		ID: "bimi-certificate-domain", Severity: check.Error, Reference: fetchDraft + " 5.2",
		Title: "The certificate for the logo is of another domain",
		Why:   "A certificate vouches for the domains that it names, and receivers show no logo for others.",
		Explain: "The certificate names the domain, its Organizational Domain, or the record's own name as a DNS name in its subject " +
			"alternative names. A wildcard is none of them.\n\n\tcurl -s https://example.com/logo.pem | openssl x509 -noout -ext subjectAltName",
		Look: faultsOfCertificate(bimi.Domain, "Have the domain added when the certificate is issued anew."),
	},
	{
		ID: "bimi-certificate-logo", Severity: check.Error, Reference: fetchDraft + " 5.3; RFC 9399 4.1",
		Title: "The logo in the certificate is not the one published",
		Why:   "The certificate vouches for the logo in it; another one is vouched for by nobody.",
		Explain: "The certificate holds the logo itself, packed. What l= names has to be the same, byte for byte: a space, a comment or " +
			"another export of the same drawing makes it another. Publish the very file that was given to the authority.",
		Look: faultsOfCertificate(bimi.OtherLogo, "Publish at l= the file that the certificate was issued for."),
	},
	{
		ID: "bimi-certificate-issuer-unknown", Severity: check.Info, Reference: fetchDraft + " 5.1",
		Title: "Whether receivers know the authority was not looked at",
		Why:   "Receivers have lists of their own of the authorities for logos.",
		Explain: "The certificates are in order from the first to the last of the file. The last was issued by an authority that this system " +
			"does not know, as it need not: those for logos are others than those for web servers, and each receiver has a list of its own. " +
			"Compare the name with those that the receivers give.",
		Look: faultsOfCertificate(bimi.UnknownIssuer, ""),
	},
}

func faultsOfCertificate(kind bimi.Kind, advice string) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen { return of(f.BIMI.CertFaults, kind, f.BIMI.Evidence.URL, advice) }
}
