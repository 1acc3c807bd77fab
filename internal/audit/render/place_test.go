package render

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

const placed = `$TTL 3600
$ORIGIN Example.COM.
@	IN SOA ns1 hostmaster ( ; a comment (
	1 2 3
	4 5 )
	IN NS ns1
	IN TXT "a token; ( no parenthesis"
	IN TXT "v=spf1 mx -all"
	IN MX 10 mx
; a comment
_dmarc IN TXT "v=DMARC1; p=none"
mx IN A 192.0.2.1
$ORIGIN sub
@ IN TXT "v=spf1 -all"
other.example. IN TXT "x"
`

func TestAFindingIsShownAtItsRecord(t *testing.T) {
	places := ReadPlaces(strings.NewReader(placed))
	change := publish.Change{Name: "example.com", Type: "TXT", New: "v=spf1 -all"}
	for _, c := range []struct {
		f    audit.Finding
		want int
	}{
		{finding("spf-softfail", "example.com", "", ""), 8},
		{finding("dmarc-missing", "_dmarc.example.com", "", ""), 11},
		{finding("mx-no-ptr", "example.com", "", ""), 9},
		{finding("mx-no-ptr", "mx.example.com", "", ""), 12},
		{finding("spf-softfail", "sub.example.com", "", ""), 14},
		{finding("tls-rpt-missing", "other.example", "", ""), 15},
		{finding("spf-multiple", "elsewhere.example", "", "", change), 8},
		{finding("spf-multiple", "elsewhere.example", "", ""), 0},
	} {
		if got := places.line(&c.f); got != c.want {
			t.Errorf("%s at %s is at line %d, want %d", c.f.ID, c.f.Subject, got, c.want)
		}
	}
}

func FuzzPlacesAreWithinTheFile(f *testing.F) {
	f.Add(placed)
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		for name, all := range ReadPlaces(strings.NewReader(text)) {
			for _, at := range all {
				if at.line < 1 || at.line > lines {
					t.Errorf("%q at line %d of %d", name, at.line, lines)
				}
			}
		}
	})
}
