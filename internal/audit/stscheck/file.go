package stscheck

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/mtasts"
)

// file are the checks of whether the policy can be had.
var file = []check.Check{
	{
		ID: "mta-sts-without-policy", Severity: check.Error, Reference: "RFC 8461 3.3",
		Title: "The MTA-STS record promises a policy that is not there",
		Why:   "Senders find no policy to apply, and mail can be led astray as though MTA-STS were not used.",
		Explain: "The TXT record at _mta-sts says that there is a policy. It is fetched from https://mta-sts.example.com/.well-known/mta-sts.txt, where " +
			"example.com is the domain, and there is no such web server, or it has no such file.\n\n" +
			"\tcurl -v https://mta-sts.example.com/.well-known/mta-sts.txt\n\n" +
			"The web server needs a name in DNS and a certificate for that name. Senders do not follow redirects, so the file must be there itself.\n\n" +
			"A policy in mode testing stops no mail; enforce is for later, when reports show that nothing fails.",
		Look: func(f *facts.Facts) []check.Seen {
			fault := f.STS.Fault
			if len(f.STS.Texts) == 0 || fault == nil || !absent(fault) {
				return nil
			}
			seen := check.Seen{Subject: name(f), Detail: told(fault)}
			switch {
			case fault.Fault == mtasts.FaultHost:
				seen.Advice = fmt.Sprintf("Let %s.%s lead to a web server that is public, has a certificate for that name, and has the policy.", mtasts.Host, f.Domain)
			case len(servers(f)) == 0:
				seen.Advice = "Take the record away: no mail server of the domain is known."
			default:
				seen.Advice = "Put the policy on the web server."
			}
			if len(servers(f)) > 0 {
				seen.Fix = newPolicy(f, fresh(f))
			}
			return []check.Seen{seen}
		},
	},
	{
		ID: "mta-sts-policy-not-fetched", Severity: check.Error, Reference: "RFC 8461 3.3",
		Title: "The MTA-STS policy cannot be fetched",
		Why:   "Senders that cannot fetch the policy do not apply it, and mail can be led astray as though MTA-STS were not used.",
		Explain: "The policy is believed because the certificate of the web server is. So senders are strict: the certificate must be valid, for the " +
			"name mta-sts.example.com (where example.com is the domain), with its chain; the answer must be 200, and not a redirect; the file must be " +
			"a policy of at most 64 KiB, as text/plain.\n\n" +
			"\tcurl -v https://mta-sts.example.com/.well-known/mta-sts.txt\n" +
			"\topenssl s_client -connect mta-sts.example.com:443 -servername mta-sts.example.com </dev/null\n\n" +
			"Senders that remember an older policy go by that until its max_age is over.\n\n" +
			"A server that is slow, busy or cannot be reached is not called wrong here: that is told as unknown.",
		Look: func(f *facts.Facts) []check.Seen {
			fault := f.STS.Fault
			if len(f.STS.Texts) == 0 || fault == nil || absent(fault) || fault.Fault == mtasts.FaultSyntax {
				return nil
			}
			return []check.Seen{{Subject: fault.URL, Detail: told(fault), Advice: remedy(f, fault)}}
		},
	},
	{
		ID: "mta-sts-policy-invalid", Severity: check.Error, Reference: "RFC 8461 3.2",
		Title: "The MTA-STS policy has an error",
		Why:   "Senders do not apply a policy that they cannot read, and mail can be led astray as though MTA-STS were not used.",
		Explain: "The policy is a text of lines, each a name, a colon and a value. It has one each of version, mode and max_age, and a line with mx for " +
			"each mail server, or for all below a domain, with a star in the place of one label:\n\n" +
			"\tversion: STSv1\n\tmode: enforce\n\tmx: mx1.example.com\n\tmx: *.example.net\n\tmax_age: 1209600\n\n" +
			"Names and values are written in small letters, as they are here.",
		Look: func(f *facts.Facts) []check.Seen {
			s := &f.STS
			if len(s.Texts) == 0 || s.Fault == nil || s.Fault.Fault != mtasts.FaultSyntax {
				return nil
			}
			seen := check.Seen{Subject: s.Fault.URL, Detail: fmt.Sprintf("It is no policy: %v.", s.Fault.Err)}
			text, err := repaired(f, s.Fetched.Text)
			if seen.Fix = edited(f, text, err); seen.Fix == nil {
				seen.Advice = "Write the policy anew, with a line for each mail server."
			}
			return []check.Seen{seen}
		},
	},
	{
		ID: "mta-sts-content-type", Severity: check.Warning, Reference: "RFC 8461 3.3",
		Title: "The MTA-STS policy is not sent as text/plain",
		Why:   "Senders may refuse a policy of another type, so that nobody who can put a page or a picture on a server can put a policy there.",
		Explain: "The web server says of each file what it is, in Content-Type. For the policy that is to be text/plain.\n\n" +
			"\tcurl -sI https://mta-sts.example.com/.well-known/mta-sts.txt\n\n" +
			"Most servers do that by themselves for a file whose name ends in .txt. For nginx:\n\n" +
			"\tlocation = /.well-known/mta-sts.txt { types { } default_type text/plain; }",
		Look: func(f *facts.Facts) []check.Seen {
			s := &f.STS
			if len(s.Texts) == 0 || s.Policy() == nil || s.Fetched.MediaType == "text/plain" {
				return nil
			}
			detail := fmt.Sprintf("Its Content-Type is %q.", s.Fetched.MediaType)
			if s.Fetched.MediaType == "" {
				detail = "It has no Content-Type that can be read."
			}
			return []check.Seen{{Subject: s.Fetched.URL, Detail: detail, Advice: "Let the web server send the policy with Content-Type: text/plain."}}
		},
	},
}

// absent tells whether there is no policy at all, rather than one that is kept from us.
func absent(e *mtasts.FetchError) bool {
	return e.Fault == mtasts.FaultHost || e.Fault == mtasts.FaultStatus && (e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

// told says what was wrong, and of which kind that is.
func told(e *mtasts.FetchError) string {
	kind := string(e.Fault)
	switch e.Fault {
	case mtasts.FaultHost:
		kind = "the web server has no address to go to"
	case mtasts.FaultTLS:
		kind = "no TLS came about"
	}
	return fmt.Sprintf("%s: %s: %s.", e.URL, kind, strings.TrimSuffix(e.Err.Error(), "."))
}

func remedy(f *facts.Facts, e *mtasts.FetchError) string {
	host := mtasts.Host + "." + f.Domain
	switch e.Fault {
	case mtasts.FaultCertificate:
		return "Give the web server a certificate for " + host + " that an authority of the public has signed and that is renewed, and let it send the chain."
	case mtasts.FaultTLS:
		return "Let the web server speak TLS 1.2 or newer for the name " + host + " at port 443."
	case mtasts.FaultRedirect:
		return "Put the file on " + host + " itself: senders do not follow redirects."
	case mtasts.FaultStatus:
		return "Let the web server answer 200 with the policy, to anybody."
	case mtasts.FaultSize:
		return "Make the policy shorter than 64 KiB."
	}
	return "Let the web server answer with the policy, as text/plain."
}
