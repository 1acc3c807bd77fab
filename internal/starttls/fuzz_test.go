package starttls

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A piped server says one text, whatever is said to it.
type piped string

func (p piped) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go io.Copy(io.Discard, theirs)
	go func() {
		io.WriteString(theirs, string(p))
		theirs.Close()
	}()
	return ours, nil
}

// FuzzProbe holds to: whatever a server says, there is an end, what is kept is bounded, and nothing is taken for TLS; and where less than
// a greeting and an answer to EHLO came, STARTTLS is not said to be missing.
func FuzzProbe(f *testing.F) {
	for _, s := range []string{
		"", "220 x\r\n", "220 x\r\n250 y\r\n", "220-a\r\n220 b\r\n250-c\r\n250 STARTTLS\r\n220 go\r\n", "220 x\r\n502 no\r\n",
		"220 x\r\n250-a\r\n250-STARTTLS\r\n250 b\r\n220 go\r\n\x16\x03\x01\x00\x05hello", "554 no\r\n", "220\n250\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := Probe(context.Background(), Query{Address: "192.0.2.1:25", Host: "mx.example.com", Timeout: time.Minute, Dial: piped(s)})
		if r.Secure() || len(r.Chain) > 0 {
			t.Fatalf("it is taken for TLS: %+v", r)
		}
		if len(r.Steps) > 10 {
			t.Errorf("%d steps", len(r.Steps))
		}
		for _, step := range r.Steps {
			if len(step) > maxShown+100 {
				t.Errorf("a step of %d octets", len(step))
			}
		}
		if r.Err == nil && (strings.Count(s, "\n") < 2 || !strings.HasPrefix(s, "220")) {
			t.Errorf("%q has no answer to EHLO, and is taken for one: %+v", s, r)
		}
	})
}
