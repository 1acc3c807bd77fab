package dkim

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// zone answers TXT questions from a map, and counts them. A value "!servfail" or "!timeout" is that failure, "!nodata" an empty
// name; several records have a line feed between them.
type zone struct {
	txt map[string]string

	mu    sync.Mutex
	asked []string
}

func (z *zone) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	z.mu.Lock()
	z.asked = append(z.asked, name)
	z.mu.Unlock()
	fail := func(kind error) (dns.Answer, error) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: kind}
	}
	switch txt, ok := z.txt[name]; {
	case !ok:
		return fail(dns.ErrNXDomain)
	case txt == "!servfail":
		return fail(dns.ErrServFail)
	case txt == "!timeout":
		return fail(dns.ErrTimeout)
	case txt == "!nodata":
		return fail(dns.ErrNoData)
	case txt == "!panic":
		panic("the resolver is broken")
	default:
		return dns.Answer{Name: name, TXT: strings.Split(txt, "\n")}, nil
	}
}

// slow is a resolver that answers when its time has come, or when ctx ends.
type slow struct{ started chan struct{} }

func (s slow) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	s.started <- struct{}{}
	<-ctx.Done()
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: ctx.Err()}
}

// The keys of the tests. Making an RSA key takes long.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return mustKey(GenerateRSA(2048)) })
	edKey  = sync.OnceValue(func() ed25519.PrivateKey { return mustKey(GenerateEd25519()) })
)

func mustKey[K any](key K, err error) K {
	if err != nil {
		panic(err)
	}
	return key
}

// now is when the tests take place.
var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// testSigner signs for example.com with the selector s1.
func testSigner(key crypto.Signer) Signer {
	return Signer{Domain: "example.com", Selector: "s1", Key: key, Now: now}
}

// testZone publishes the key of testSigner.
func testZone(key crypto.Signer) *zone {
	return &zone{txt: map[string]string{"s1._domainkey.example.com": Record(key.Public())}}
}

const testMessage = "From: Alice <alice@example.com>\r\nTo: bob@example.org\r\nSubject: Lunch\r\n" +
	"Date: Tue, 24 Nov 2026 08:59:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nShall we?\r\n\r\nAlice\r\n"

func sign(t testing.TB, m string, signers ...Signer) string {
	t.Helper()
	var b strings.Builder
	if err := Sign(&b, strings.NewReader(m), signers...); err != nil {
		t.Fatalf("signing %q: %v", m, err)
	}
	return b.String()
}

func verify(t testing.TB, r dns.Resolver, m string, o Options) []Result {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = now
	}
	results, err := Verify(context.Background(), r, strings.NewReader(m), o)
	if err != nil {
		t.Fatalf("verifying %q: %v", m, err)
	}
	return results
}

// expect verifies a message with one signature and holds the result to a code and to words in the reason.
func expect(t testing.TB, r dns.Resolver, m string, want Code, reason string) Result {
	t.Helper()
	results := verify(t, r, m, Options{})
	if len(results) != 1 {
		t.Fatalf("%q\ngot  %d results: %+v\nwant 1", m, len(results), results)
	}
	got := results[0]
	text := ""
	if got.Err != nil {
		text = got.Err.Error()
	}
	if got.Code != want || !strings.Contains(text, reason) || (text == "") != (want == Pass) {
		t.Fatalf("%s\ngot  %s: %s\nwant %s: …%s…", m, got.Code, text, want, reason)
	}
	return got
}

// header reads the header of a message.
func header(t testing.TB, m string) message.Header {
	t.Helper()
	msg, err := message.Read(strings.NewReader(m), message.Limits{})
	if err != nil {
		t.Fatalf("reading %q: %v", m, err)
	}
	io.Copy(io.Discard, msg.Body)
	return msg.Header
}

// resign changes the tags of a signature over testMessage's header and a body, and signs what then stands there. It is the hostile
// signer, who signs whatever it likes.
func resign(t testing.TB, key crypto.Signer, m string, change func(tags string) string) string {
	t.Helper()
	signed := sign(t, m, testSigner(key))
	h := header(t, signed)
	value := strings.ReplaceAll(h[0].Value(), "\r\n", "")
	s, err := ParseSignature(value)
	if err != nil {
		t.Fatal(err)
	}
	value = change(strings.TrimSpace(value[:s.bStart]))
	h[0] = message.NewField("DKIM-Signature", " "+value)
	s, _ = ParseSignature(h[0].Value())
	sig, err := SignData(key, s.AppendSigned(nil, h, 0))
	if err != nil {
		t.Fatal(err)
	}
	text := encode(sig)
	own := h[0].Value()
	own = own[:s.bStart] + text + own[s.bEnd:]
	return "DKIM-Signature:" + own + "\r\n" + strings.TrimPrefix(signed, header(t, signed)[0].Raw)
}

// replace is a change for resign.
func replace(pairs ...string) func(string) string {
	return func(tags string) string { return strings.NewReplacer(pairs...).Replace(tags) }
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
