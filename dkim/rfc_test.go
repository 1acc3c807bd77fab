package dkim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

// The examples of the standards. Their pages lost white space that the signature of RFC 6376 A.2 is over: its folds have six
// spaces, and the sentences of its body one between them.
func TestExamplesOfTheStandardsPass(t *testing.T) {
	for _, c := range []struct {
		name  string
		count int
	}{
		{"rfc6376", 1}, // appendix A.2, with the key of appendix C
		{"rfc8463", 2}, // appendix A.3
	} {
		z, err := dns.ReadZone(filepath.Join("testdata", c.name+".zone"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := os.ReadFile(filepath.Join("testdata", c.name+".eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(m), strings.ReplaceAll(string(m), "\n", "\r\n")} {
			results := verify(t, z, text, Options{})
			if len(results) != c.count {
				t.Errorf("%s: got %d results, want %d", c.name, len(results), c.count)
			}
			for _, r := range results {
				if r.Code != Pass {
					t.Errorf("%s: s=%s: got %s: %v, want pass", c.name, r.Selector, r.Code, r.Err)
				}
			}
		}
	}
}

func TestResultSaysWhatTheSignatureSays(t *testing.T) {
	z, err := dns.ReadZone("testdata/rfc6376.zone")
	if err != nil {
		t.Fatal(err)
	}
	m, err := os.ReadFile("testdata/rfc6376.eml")
	if err != nil {
		t.Fatal(err)
	}
	got := verify(t, z, string(m), Options{})[0]
	names := strings.Join(got.SignedHeaders, ":")
	if got.SDID != "example.com" || got.AUID != "joe@football.example.com" || got.Selector != "brisbane" ||
		got.Algorithm != "rsa-sha256" || got.KeyBits != 1024 || got.Canonicalization != "simple/simple" ||
		names != "received:from:to:subject:date:message-id" || got.BodyLength != -1 || got.Unsigned != 0 || got.Testing ||
		got.SignatureTail != "AuUoFEfD" || got.Err != nil {
		t.Errorf("got %+v", got)
	}
}
