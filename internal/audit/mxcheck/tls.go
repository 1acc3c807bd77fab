package mxcheck

import (
	"crypto/tls"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// offered are the checks of the TLS that mail servers offer. There is nothing to look at unless they were spoken to.
var offered = []check.Check{
	{
		ID: "tls-no-starttls", Severity: check.Error, Reference: "RFC 3207 4",
		Title: "A mail server has no STARTTLS",
		Why:   "All mail to it goes over the network in clear.",
		Explain: "The server answers EHLO and does not offer STARTTLS, so that senders cannot encrypt. Whoever is on the way reads the mail and can " +
			"change it. A firewall that looks into SMTP can be the reason: some take STARTTLS out of the answer.\n\n" +
			"See what it offers:\n\n\topenssl s_client -starttls smtp -connect mx.example.com:25\n\n" +
			"In Postfix:\n\n\tsmtpd_tls_security_level = may\n\tsmtpd_tls_chain_files = /etc/ssl/private/mx.example.com.pem",
		Look: eachServer(func(_ *facts.Facts, s *facts.Server) *check.Seen {
			if s.Offered {
				return nil
			}
			return &check.Seen{
				Detail: fmt.Sprintf("The server at %s answers EHLO and does not offer STARTTLS.", s.IP),
				Advice: "Turn TLS on at the mail server, with a certificate for its name.",
			}
		}),
	},
	{
		ID: "tls-version-old", Severity: check.Warning, Reference: "RFC 8996 4, RFC 8996 5",
		Title: "A mail server takes TLS below 1.2",
		Why:   "TLS 1.0 and 1.1 have known weaknesses and are not to be used any longer.",
		Explain: "The server was asked once for the best TLS that it has, and once with TLS 1.1 at most. A server of today refuses the latter.\n\n" +
			"\topenssl s_client -starttls smtp -connect mx.example.com:25 -tls1_1\n\n" +
			"In Postfix:\n\n\tsmtpd_tls_protocols = >=TLSv1.2\n\n" +
			"A sender that has no better TLS then sends in clear or not at all. There are few of them left.",
		Look: eachServer(func(_ *facts.Facts, s *facts.Server) *check.Seen {
			old, ok := oldest(s)
			if !ok {
				return nil
			}
			return &check.Seen{
				Detail: fmt.Sprintf("The server at %s takes %s; the best that it has is %s.", s.IP, tls.VersionName(old), tls.VersionName(s.Version)),
				Advice: "Let the mail server have TLS 1.2 and above only.",
			}
		}),
	},
	{
		ID: "tls-backup-differs", Severity: check.Info, Reference: "RFC 5321 5.1",
		Title: "A backup mail server's TLS differs from the first's",
		Why:   "Whoever keeps senders from the first server gets them to deliver to the weaker one.",
		Explain: "Senders turn to the backup when the first server does not answer, and an attacker on the way can see to that. A backup that " +
			"encrypts less, or with a certificate that nobody can verify, decides how safe mail is.\n\n" +
			"Let all servers of a domain have the same settings.",
		Look: func(f *facts.Facts) []check.Seen {
			first := firstServer(f)
			if first == nil {
				return nil
			}
			var all []check.Seen
			want := kind(f, first)
			for i := range f.TLS.Servers {
				s := &f.TLS.Servers[i]
				if s.Err != nil || s.Preference <= first.Preference {
					continue
				}
				if got := kind(f, s); got != want {
					all = append(all, check.Seen{Subject: s.Host, Detail: fmt.Sprintf("%s has %s; %s has %s.", first.Host, want, s.Host, got)})
				}
			}
			return all
		},
	},
	{
		ID: "tls-connected", Severity: check.Info, Reference: "RFC 5321 3.1, RFC 3207",
		Title: "Its mail servers were spoken to",
		Why:   "This is what was said to them and what they answered; no mail was sent.",
		Explain: "Because it was asked for, a connection to port 25 of each mail server was opened, EHLO and STARTTLS said, TLS begun, and the " +
			"connection ended; then once more with TLS 1.1 at most. Lines that begin with > were sent, those with < came back.\n\n" +
			"The same by hand:\n\n\topenssl s_client -starttls smtp -connect mx.example.com:25",
		Look: eachServer(func(_ *facts.Facts, s *facts.Server) *check.Seen {
			told := strings.Join(s.Steps, "; ")
			if s.Old != nil {
				told += "; then with TLS 1.1 at most: " + s.Old.Steps[len(s.Old.Steps)-1]
			}
			return &check.Seen{Detail: told + "."}
		}),
	},
}

// eachServer looks at every mail server that was spoken to and did not fail.
func eachServer(look func(*facts.Facts, *facts.Server) *check.Seen) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen {
		var all []check.Seen
		for i := range f.TLS.Servers {
			s := &f.TLS.Servers[i]
			if s.Err != nil {
				continue
			}
			if seen := look(f, s); seen != nil {
				seen.Subject = s.Host
				all = append(all, *seen)
			}
		}
		return all
	}
}

// oldest is the version below TLS 1.2 that a server takes.
func oldest(s *facts.Server) (uint16, bool) {
	switch {
	case s.Secure() && s.Version < tls.VersionTLS12:
		return s.Version, true
	case s.Old != nil && s.Old.Secure():
		return s.Old.Version, true
	}
	return 0, false
}

// firstServer is the one that senders try first, if it could be spoken to.
func firstServer(f *facts.Facts) *facts.Server {
	var first *facts.Server
	for i := range f.TLS.Servers {
		if s := &f.TLS.Servers[i]; first == nil || s.Preference < first.Preference {
			first = s
		}
	}
	if first == nil || first.Err != nil {
		return nil
	}
	return first
}

// kind says what a server's TLS is like, so that two can be compared.
func kind(f *facts.Facts, s *facts.Server) string {
	if !s.Offered {
		return "no STARTTLS"
	}
	is := tls.VersionName(s.Version)
	if _, old := oldest(s); old {
		is += " and older"
	}
	if trusted(f, s) {
		return is + " and a certificate that verifies"
	}
	return is + " and a certificate that does not verify"
}
