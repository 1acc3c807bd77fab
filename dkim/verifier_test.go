package dkim

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

func TestGoodSignaturesPass(t *testing.T) {
	zone := testZone(rsaKey())
	zone.txt["s2._domainkey.example.com"] = Record(edKey().Public())
	second := testSigner(edKey())
	second.Selector = "s2"
	for _, header := range []Canon{Simple, Relaxed} {
		for _, body := range []Canon{Simple, Relaxed} {
			first := testSigner(rsaKey())
			first.Canonicalization = Canonicalization{header, body}
			m := sign(t, testMessage, first, second)
			results := verify(t, zone, m, Options{})
			if len(results) != 2 || results[0].Code != Pass || results[1].Code != Pass || results[0].Selector != "s1" ||
				results[1].Selector != "s2" || results[0].Canonicalization != first.Canonicalization.String() {
				t.Errorf("c=%s: got %+v", first.Canonicalization, results)
			}
		}
	}
}

func TestMessageWithoutSignatureHasNoResults(t *testing.T) {
	if results := verify(t, &zone{}, testMessage, Options{}); len(results) != 0 {
		t.Errorf("got %+v, want none", results)
	}
}

func TestBodyHashThatDiffersIsFailNotNeutral(t *testing.T) {
	m := sign(t, testMessage, testSigner(rsaKey()))
	r := expect(t, testZone(rsaKey()), m+"-- \r\nthe list\r\n", Fail, "the body hash does not match")
	if !errors.Is(r.Err, ErrBodyHash) || r.KeyBits != 2048 {
		t.Errorf("got %+v", r)
	}
}

func TestChangedHeaderIsFail(t *testing.T) {
	m := sign(t, testMessage, testSigner(rsaKey()))
	expect(t, testZone(rsaKey()), strings.Replace(m, "Lunch", "[list] Lunch", 1), Fail, "does not match the header")
	expect(t, testZone(rsaKey()), "Subject: Another\r\n"+m, Fail, "does not match the header") // oversigned
	expect(t, testZone(rsaKey()), "Reply-To: eve@example.net\r\n"+m, Fail, "does not match the header")
	expect(t, testZone(rsaKey()), "Received: by mx\r\n"+m, Pass, "")
}

func TestHeaderWithoutBlankLineAndBodyIsAMessage(t *testing.T) {
	for _, m := range []string{"From: a@example.com\r\n", "From: a@example.com\r\n\r\n", "From: a@example.com\r\n\r\n\r\n\r\n"} {
		for _, c := range []Canon{Simple, Relaxed} {
			s := testSigner(edKey())
			s.Canonicalization = Canonicalization{c, c}
			expect(t, testZone(edKey()), sign(t, m, s), Pass, "")
		}
	}
}

func TestMissingVersionAndDuplicateTagArePermError(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	expect(t, testZone(edKey()), strings.Replace(m, "v=1; ", "", 1), PermError, "v= is missing")
	r := expect(t, testZone(edKey()), strings.Replace(m, "v=1; ", "v=1; v=1; ", 1), PermError, "twice")
	if r.BodyLength != -1 {
		t.Errorf("got l=%d of a signature that has none, want -1", r.BodyLength)
	}
}

func TestSignedHeadersWithoutFromIsPermError(t *testing.T) {
	m := resign(t, edKey(), testMessage, replace("from:from:", ""))
	expect(t, testZone(edKey()), m, PermError, "does not sign the From field")
}

func TestIdentityOutsideTheDomainIsPermError(t *testing.T) {
	for i, want := range map[string]Code{
		"@example.com.evil": PermError, "a@notexample.com": PermError, "@EXAMPLE.com": Pass, "a@sub.Example.COM": Pass,
	} {
		m := resign(t, edKey(), testMessage, replace("v=1;", "v=1; i="+i+";"))
		reason := ""
		if want == PermError {
			reason = "does not lie within d=example.com"
		}
		expect(t, testZone(edKey()), m, want, reason)
	}
}

func TestStrictKeyWantsTheIdentityInTheDomainItself(t *testing.T) {
	z := &zone{txt: map[string]string{"s1._domainkey.example.com": Record(edKey().Public()) + "; t=s"}}
	for i, want := range map[string]Code{"": Pass, " i=a@example.com;": Pass, " i=a@sub.example.com;": PermError} {
		m := resign(t, edKey(), testMessage, replace("v=1;", "v=1;"+i))
		reason := ""
		if want == PermError {
			reason = "it is t=s, and i= names sub.example.com"
		}
		expect(t, z, m, want, reason)
	}
}

func TestTagsOfTheKeyAreObeyed(t *testing.T) {
	for tags, reason := range map[string]string{
		"; s=tlsrpt": "not for email", "; h=sha1": "h=", "; s=email; h=sha256; t=y": "", "; t=unknown": "",
	} {
		want := PermError
		if reason == "" {
			want = Pass
		}
		z := &zone{txt: map[string]string{"s1._domainkey.example.com": Record(edKey().Public()) + tags}}
		r := expect(t, z, sign(t, testMessage, testSigner(edKey())), want, reason)
		if r.Testing != strings.Contains(tags, "t=y") {
			t.Errorf("%s: got testing %v", tags, r.Testing)
		}
	}
	z := testZone(rsaKey()) // k=rsa for a=ed25519-sha256
	expect(t, z, sign(t, testMessage, testSigner(edKey())), PermError, "the key is k=rsa")
}

func TestNoSuchDomainIsPermErrorAndServerFailureTempError(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	for txt, want := range map[string]struct {
		code   Code
		reason string
	}{
		"!nodata":     {PermError, "no key at s1._domainkey.example.com: no record of this type"},
		"!servfail":   {TempError, "could not be fetched: the name servers failed"},
		"!timeout":    {TempError, "could not be fetched: no answer in time"},
		"v=DKIM1; p=": {PermError, "was revoked"},
		"junk":        {PermError, "is not a key"},
	} {
		expect(t, &zone{txt: map[string]string{"s1._domainkey.example.com": txt}}, m, want.code, want.reason)
	}
	expect(t, &zone{}, m, PermError, "no key at s1._domainkey.example.com: no such domain")
}

func TestChangedBodyFailsThoughTheKeyCannotBeFetchedNow(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	z := &zone{txt: map[string]string{"s1._domainkey.example.com": "!servfail"}}
	expect(t, z, m+"more\r\n", Fail, "the body hash does not match")
}

func TestAliasesOfTheKeyAreFollowedAndItsStringsJoined(t *testing.T) {
	txt := Record(rsaKey().Public())
	z, err := dns.ParseZone(strings.NewReader(fmt.Sprintf("s1._domainkey.example.com. IN CNAME s1.k.provider.example.\n"+
		"k.provider.example. IN DNAME keys.example.\ns1.keys.example. IN TXT \"%s\" \"%s\" \"%s\"\n", txt[:100], txt[100:300], txt[300:])), "test")
	if err != nil {
		t.Fatal(err)
	}
	expect(t, z, sign(t, testMessage, testSigner(rsaKey())), Pass, "")
}

func TestThousandSignaturesCostNoMoreThanTheCap(t *testing.T) {
	signed := sign(t, testMessage, testSigner(edKey()))
	own := header(t, signed)[0].Raw
	var m strings.Builder
	for i := range 999 {
		m.WriteString(strings.Replace(own, "s=s1;", fmt.Sprintf("s=s%d;", i+2), 1))
	}
	m.WriteString(signed)
	z := testZone(edKey())
	results := verify(t, z, m.String(), Options{})
	if len(z.asked) != 10 || len(results) != 11 {
		t.Fatalf("got %d questions and %d results, want 10 and 11", len(z.asked), len(results))
	}
	last := results[10]
	if last.Code != Policy || last.BodyLength != -1 || !strings.Contains(last.Err.Error(), "990 more signatures were not looked at") {
		t.Errorf("got %+v for those beyond the cap", last)
	}
	for i, r := range results[:10] {
		if r.Code != PermError || r.Selector != fmt.Sprintf("s%d", i+2) {
			t.Errorf("result %d: got %s, s=%s, want permerror in the order of the fields", i, r.Code, r.Selector)
		}
	}
	z.asked = nil
	if results := verify(t, z, m.String(), Options{MaxSignatures: 2000}); len(results) != 1000 || len(z.asked) != 1000 || results[999].Code != Pass {
		t.Errorf("with a cap of 2000: got %d results and %d questions", len(results), len(z.asked))
	}
}

func TestEachKeyIsAskedForOnce(t *testing.T) {
	z := testZone(edKey())
	m := sign(t, testMessage, testSigner(edKey()), testSigner(edKey()), testSigner(edKey()))
	for _, r := range verify(t, z, m, Options{}) {
		if r.Code != Pass {
			t.Errorf("got %s: %v, want pass", r.Code, r.Err)
		}
	}
	if len(z.asked) != 1 {
		t.Errorf("asked for %v, want the one key once", z.asked)
	}
}

func TestSignatureThatCannotPassIsNotAskedFor(t *testing.T) {
	z := testZone(edKey())
	expect(t, z, resign(t, edKey(), testMessage, replace("v=1", "v=2")), PermError, "no such version")
	expect(t, z, resign(t, edKey(), testMessage, replace("ed25519-sha256", "rsa-sha1")), PermError, "RFC 8301")
	if len(z.asked) != 0 {
		t.Errorf("asked for %v, want nothing", z.asked)
	}
}

func TestRSASHA1IsRefused(t *testing.T) {
	m := resign(t, rsaKey(), testMessage, replace("rsa-sha256", "rsa-sha1"))
	r := expect(t, testZone(rsaKey()), m, PermError, "RFC 8301 3.1")
	if !errors.Is(r.Err, ErrAlgorithm) {
		t.Errorf("got %v, want %v", r.Err, ErrAlgorithm)
	}
}

func TestUnknownAlgorithmIsPermError(t *testing.T) {
	expect(t, testZone(rsaKey()), resign(t, rsaKey(), testMessage, replace("rsa-sha256", "rsa-sha512")), PermError, "no such algorithm")
}

func TestShortRSAKeyIsRefused(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0") // Go itself makes no such keys
	short, err := rsa.GenerateKey(rand.Reader, 1016)
	if err != nil {
		t.Skip("no short key to be had:", err)
	}
	m := sign(t, testMessage, testSigner(rsaKey()))
	r := expect(t, testZone(short), m, PermError, "1016 bits, and RFC 8301 asks for 1024")
	if !errors.Is(r.Err, ErrWeakKey) || r.KeyBits != 1016 {
		t.Errorf("got %+v", r)
	}
	if r := verify(t, testZone(short), m, Options{MinRSABits: 512})[0]; r.Code != PermError {
		t.Errorf("with MinRSABits 512: got %s, want permerror all the same", r.Code)
	}
}

func TestKeyBelowOurOwnMinimumIsPolicy(t *testing.T) {
	m := sign(t, testMessage, testSigner(rsaKey()))
	if r := verify(t, testZone(rsaKey()), m, Options{MinRSABits: 3072})[0]; r.Code != Policy || r.Err == nil {
		t.Errorf("got %s: %v, want policy", r.Code, r.Err)
	}
	ed := sign(t, testMessage, testSigner(edKey()))
	if r := verify(t, testZone(edKey()), ed, Options{MinRSABits: 3072})[0]; r.Code != Pass {
		t.Errorf("Ed25519: got %s: %v, want pass", r.Code, r.Err)
	}
}

func TestExpiredSignatureIsPermError(t *testing.T) {
	s := testSigner(edKey())
	s.Expire = time.Hour
	m := sign(t, testMessage, s)
	for after, want := range map[time.Duration]Code{0: Pass, time.Hour: Pass, time.Hour + time.Second: PermError} {
		r := verify(t, testZone(edKey()), m, Options{Now: now.Add(after)})[0]
		if r.Code != want {
			t.Errorf("after %v: got %s: %v, want %s", after, r.Code, r.Err, want)
		}
		if want == PermError && !strings.Contains(r.Err.Error(), "expired at 2026-11-24T10:00:00Z") {
			t.Errorf("got %v", r.Err)
		}
	}
	expect(t, testZone(edKey()), resign(t, edKey(), testMessage, replace("v=1;", "v=1; x=1;")), PermError, "expired before it was made")
}

func TestSignatureFromTheFutureIsPolicy(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	for before, want := range map[time.Duration]Code{5 * time.Minute: Pass, 5*time.Minute + time.Second: Policy} {
		if r := verify(t, testZone(edKey()), m, Options{Now: now.Add(-before)})[0]; r.Code != want {
			t.Errorf("%v before: got %s: %v, want %s", before, r.Code, r.Err, want)
		}
	}
}

func TestBodyLengthLeavesTheRestUnsigned(t *testing.T) {
	s := testSigner(edKey())
	s.BodyLength = true
	m := sign(t, testMessage, s)
	r := expect(t, testZone(edKey()), m, Pass, "")
	if r.BodyLength != 20 || r.Unsigned != 0 {
		t.Errorf("got l=%d with %d unsigned, want 20 and 0", r.BodyLength, r.Unsigned)
	}
	r = expect(t, testZone(edKey()), m+"buy  this\r\n", Pass, "") // 10 octets when relaxed
	if r.BodyLength != 20 || r.Unsigned != 10 {
		t.Errorf("got l=%d with %d unsigned, want 20 and 10", r.BodyLength, r.Unsigned)
	}
	short := strings.TrimSuffix(m, "Alice\r\n")
	expect(t, testZone(edKey()), short, Fail, "l=20 octets of body; there are only 11")
	zero := resign(t, edKey(), testMessage, func(tags string) string {
		i := strings.Index(tags, "bh=")
		return tags[:i] + "l=0; bh=" + someHash + tags[i+3+len(someHash):]
	})
	if r := expect(t, testZone(edKey()), zero, Pass, ""); r.BodyLength != 0 || r.Unsigned != 20 {
		t.Errorf("got l=%d with %d unsigned, want 0 and 20", r.BodyLength, r.Unsigned)
	}
}

func TestBodyLengthBeyondTheBodyIsFail(t *testing.T) {
	m := resign(t, edKey(), testMessage, replace("bh=", "l=21; bh="))
	expect(t, testZone(edKey()), m, Fail, "l=21 octets of body; there are only 20")
}

func TestInputOneByteAtATimeGivesTheSame(t *testing.T) {
	m := sign(t, testMessage+"a  b \t\r\n\r\nc\r\n\r\n\r\n", testSigner(edKey()))
	results, err := Verify(context.Background(), testZone(edKey()), iotest.OneByteReader(strings.NewReader(m)), Options{Now: now})
	if err != nil || results[0].Code != Pass {
		t.Errorf("got %+v, %v, want pass", results, err)
	}
}

func TestULabelsInTheSignatureAreAskedForAsALabels(t *testing.T) {
	m := resign(t, edKey(), testMessage, replace("d=example.com", "d=bücher.example", "s=s1", "s=größe"))
	z := &zone{txt: map[string]string{"xn--gre-6ka8i._domainkey.xn--bcher-kva.example": Record(edKey().Public())}}
	if r := expect(t, z, m, Pass, ""); r.SDID != "xn--bcher-kva.example" {
		t.Errorf("got d=%s", r.SDID)
	}
}

func TestSharedBodyIsHashedForAll(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	msg, err := message.Read(strings.NewReader(m), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	body := NewBody()
	h := body.Want(Relaxed, -1)
	v := NewVerifier(context.Background(), testZone(edKey()), msg.Header, Options{Now: now, Body: body})
	defer v.Close()
	io.Copy(body, msg.Body)
	results := v.Results()
	if results[0].Code != Pass || encode(h.Sum()) != encode(v.checks[0].sig.BodyHash) {
		t.Errorf("got %+v and %x", results, h.Sum())
	}
	if again := v.Results(); len(again) != 1 || again[0].Code != Pass {
		t.Errorf("asked again: got %+v", again)
	}
}

func TestNoGoroutineOutlivesClose(t *testing.T) {
	h := header(t, sign(t, testMessage, testSigner(edKey())))
	before := runtime.NumGoroutine()
	r := slow{make(chan struct{}, 1)}
	v := NewVerifier(context.Background(), r, h, Options{Now: now})
	<-r.started
	v.Close()
	v.Close()
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
	if r := v.Results()[0]; r.Code == Pass {
		t.Errorf("got %s of a verifier that was closed", r.Code)
	}
}

func TestCancelledContextIsTempError(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey()))
	ctx, cancel := context.WithCancel(context.Background())
	r := slow{make(chan struct{}, 1)}
	go func() { <-r.started; cancel() }()
	results, err := Verify(ctx, r, strings.NewReader(m), Options{Now: now})
	if err != nil || results[0].Code != TempError {
		t.Errorf("got %+v, %v, want temperror", results, err)
	}
}

func TestPanicOfTheResolverIsRaisedByResults(t *testing.T) {
	h := header(t, sign(t, testMessage, testSigner(edKey())))
	v := NewVerifier(context.Background(), &zone{txt: map[string]string{"s1._domainkey.example.com": "!panic"}}, h, Options{Now: now})
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "the resolver is broken") {
			t.Errorf("got %q", p)
		}
		v.Close()
	}()
	v.Results()
}

func TestVerifyReturnsTheErrorOfItsReader(t *testing.T) {
	broken := errors.New("the disk is gone")
	m := sign(t, testMessage, testSigner(edKey()))
	_, err := Verify(context.Background(), testZone(edKey()), io.MultiReader(strings.NewReader(m), iotest.ErrReader(broken)), Options{Now: now})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	var limit *message.LimitError
	_, err = Verify(context.Background(), testZone(edKey()), strings.NewReader(m), Options{Limits: message.Limits{Fields: 3}})
	if !errors.As(err, &limit) {
		t.Errorf("got %v, want a limit", err)
	}
}
