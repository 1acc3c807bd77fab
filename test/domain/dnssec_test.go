//go:build linux

package domain

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/test/named"
)

// mail is a zone with a mail server and its TLSA record.
const mail = `@ MX 10 mx
@ TXT "v=spf1 mx -all"
_dmarc TXT "v=DMARC1; p=reject"
mx A 192.0.2.1
_25._tcp.mx TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
`

func TestWhatAValidatingResolverSaysOfSignedZonesIsTold(t *testing.T) {
	t.Parallel()
	tree := named.Grow(t, map[string]named.Zone{
		"signed.example":    {Text: mail},
		"unsigned.example":  {Text: mail, Fault: named.Unsigned},
		"expired.example":   {Text: mail, Fault: named.Expired},
		"otherkey.example":  {Text: mail, Fault: named.OtherKey},
		"elsewhere.example": {Text: "@ MX 10 mx.unsigned.example.\n@ TXT \"v=spf1 mx -all\"\n"},
		"lost.example":      {Text: "@ MX 10 mx.expired.example.\n@ TXT \"v=spf1 mx -all\"\n"},
	})
	// What is not known is among the findings too: that a domain's DNSSEC fails says why.
	for _, c := range []struct {
		domain, resolver string
		want             []string
	}{
		{"signed.example", tree.Validating, nil},
		{"unsigned.example", tree.Validating, []string{"dane-without-dnssec _25._tcp.mx.unsigned.example", "dnssec-unsigned unsigned.example"}},
		{"expired.example", tree.Validating, []string{"dnssec-bogus expired.example", "dnssec-unknown expired.example"}},
		{"otherkey.example", tree.Validating, []string{"dnssec-bogus otherkey.example", "dnssec-unknown otherkey.example"}},
		{"elsewhere.example", tree.Validating, []string{"dane-without-dnssec _25._tcp.mx.unsigned.example", "dnssec-mx-unsigned unsigned.example"}},
		{"lost.example", tree.Validating, []string{"dnssec-bogus mx.expired.example"}},
		// By one that does not validate, nothing is called unsigned, and nothing bogus.
		{"signed.example", tree.Trusting, []string{"dnssec-resolver-not-validating org"}},
		{"unsigned.example", tree.Trusting, []string{"dnssec-resolver-not-validating org"}},
		{"expired.example", tree.Trusting, []string{"dnssec-resolver-not-validating org"}},
	} {
		r, status := check(t, c.domain, "--resolver", c.resolver)
		got := slices.DeleteFunc(r.of("dnssec", "dane"), func(f string) bool { return strings.HasPrefix(f, "dane-no-rollover ") })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s by %s: %q, want %q; exit status %d, grade %s", c.domain, c.resolver, got, c.want, status, r.Grade)
		}
		if bogus := slices.Contains(c.want, "dnssec-bogus "+c.domain); bogus != (r.Grade == "?") {
			t.Errorf("%s by %s: grade %s", c.domain, c.resolver, r.Grade)
		}
	}
}
