package dns_test

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestAQuotedTextReadsBackFromAMasterFileAsItWas(t *testing.T) {
	var every strings.Builder
	for c := range 256 {
		every.WriteByte(byte(c))
	}
	for _, text := range []string{"", "v=spf1 -all", `a "quoted" \ word; not a comment`, every.String(), strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat(`"`, 1000)} {
		quoted := dns.QuoteText(text)
		if want := max(1, (len(text)+254)/255); len(quoted) != want {
			t.Errorf("%d octets: %d strings, want %d", len(text), len(quoted), want)
		}
		z := parse(t, "example.com. 60 IN TXT "+strings.Join(quoted, " ")+"\n")
		a, err := z.Lookup(t.Context(), "example.com", dns.TypeTXT)
		if err != nil || len(a.TXT) != 1 || a.TXT[0] != text {
			t.Errorf("%q: got %q, %v", text, a.TXT, err)
		}
	}
}
