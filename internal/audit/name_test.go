package audit

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func FuzzAnAuditedDomainIsCanonicalOrRefused(f *testing.F) {
	for _, s := range []string{"example.com", "Bücher.example.", "a@b@c", "https://[2001:db8::1]:25/", "*.*.example", "://@:/", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		domain, err := DomainName(s)
		if err != nil {
			return
		}
		if again, err := dns.ToASCII(domain); err != nil || again != domain || strings.ContainsAny(domain, " @/:*") {
			t.Errorf("%q is %q, %v", s, domain, err)
		}
	})
}
