package dkim

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

func TestOddBytesHaveADefiniteResult(t *testing.T) {
	messages := map[string]string{
		"trailing white-space lines":   testMessage + " \t\r\n  \r\n",
		"no final CRLF":                strings.TrimSuffix(testMessage, "\r\n"),
		"bare CR and NUL":              testMessage + "a\rb\x00c\r\r\n",
		"8-bit and UTF-8 fields":       "Subject: \xe4\xf6 größe\r\nX-Y: \xff\r\n" + testMessage,
		"a header line of nearly 1 MB": "X: " + strings.Repeat("x y ", 250000) + "\r\n" + testMessage,
		"an empty field":               "X:\r\n" + testMessage,
		"a fold of white space":        "X: a\r\n \t\r\n b\r\n" + testMessage,
	}
	for name, m := range messages {
		for _, c := range []Canon{Simple, Relaxed} {
			s := testSigner(edKey())
			s.Canonicalization = Canonicalization{c, c}
			s.Headers = []string{"from", "x", "subject", "subject"}
			if r := verify(t, testZone(edKey()), sign(t, m, s), Options{})[0]; r.Code != Pass {
				t.Errorf("%s, %s: got %s: %v, want pass", name, c, r.Code, r.Err)
			}
		}
	}
}

func TestBareLFIsReadAsCRLF(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	expect(t, testZone(edKey()), strings.ReplaceAll(m, "\r\n", "\n"), Pass, "")
}

func TestTenThousandFieldsAndNamesAreBounded(t *testing.T) {
	var many strings.Builder
	for i := range 10000 {
		fmt.Fprintf(&many, "X%d: y\r\n", i%7)
	}
	names := strings.Repeat("x1:", maxSignedHeaders-2)
	m := resign(t, edKey(), testMessage, func(tags string) string {
		i := strings.Index(tags, "h=")
		j := i + strings.Index(tags[i:], ";")
		return tags[:i] + "h=" + names + "from" + tags[j:]
	})
	own := header(t, m)[0].Raw
	m = strings.Repeat(own, 10) + many.String() + strings.TrimPrefix(m, own)
	start := time.Now()
	results := verify(t, testZone(edKey()), m, Options{Limits: message.Limits{Fields: 20000}})
	if len(results) != 10 || results[0].Code != Fail {
		t.Errorf("got %d results, the first %+v", len(results), results[0])
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzVerify(f *testing.F) {
	signed := sign(f, testMessage, testSigner(edKey()))
	f.Add(signed, uint16(7))
	f.Add(strings.ReplaceAll(signed, "\r\n", "\n"), uint16(1))
	f.Add("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; h=from; bh="+someHash+"; b=AAAA; l=5\r\nFrom: x\r\n\r\n\r\nhello", uint16(2))
	f.Add("DKIM-Signature:\r\nDKIM-Signature: b=;b=\r\n\r\n", uint16(3))
	z := testZone(edKey())
	keys := maps.Clone(z.txt)
	f.Fuzz(func(t *testing.T, m string, piece uint16) {
		results, err := Verify(context.Background(), &zone{txt: keys}, strings.NewReader(m), Options{Now: now})
		again, err2 := Verify(context.Background(), &zone{txt: keys}, &pieces{m, int(piece)%97 + 1}, Options{Now: now})
		if fmt.Sprint(err) != fmt.Sprint(err2) || fmt.Sprint(results) != fmt.Sprint(again) {
			t.Fatalf("%q\nat once   %+v, %v\nin pieces %+v, %v", m, results, err, again, err2)
		}
		for _, r := range results {
			if (r.Err == nil) != (r.Code == Pass) {
				t.Fatalf("%q: %s with the reason %v", m, r.Code, r.Err)
			}
			if r.Err != nil && strings.ContainsAny(r.Err.Error(), "\r\n\x00") {
				t.Fatalf("%q: the reason has several lines: %q", m, r.Err)
			}
		}
	})
}

// pieces is a reader of n octets at a time.
type pieces struct {
	s string
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(p.n, len(b))], p.s)
	p.s = p.s[n:]
	return n, nil
}
