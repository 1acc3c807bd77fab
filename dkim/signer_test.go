package dkim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFromIsOversigned(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		m := sign(t, testMessage, testSigner(key))
		r := expect(t, testZone(key), m, Pass, "")
		if n := count(r.SignedHeaders, "from"); n != 2 {
			t.Errorf("got from %d times in %v, want 2", n, r.SignedHeaders)
		}
	}
}

func count(list []string, word string) int {
	n := 0
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}

func TestDefaultHeaders(t *testing.T) {
	h := header(t, "Received: x\r\nReturn-Path: <>\r\nAuthentication-Results: x; none\r\nDKIM-Signature: x\r\nFrom: a@example.com\r\nTo: b\r\nTO: c\r\n"+
		"Sender: d\r\nList-Id: x\r\nResent-To: a\r\nResent-To: b\r\nX-Own: 1\r\n\r\n")
	names := DefaultHeaders(h)
	for name, want := range map[string]int{
		"from": 2, "to": 3, "cc": 1, "subject": 1, "reply-to": 1, "content-type": 1, "mime-version": 1, // one more than there are
		"message-id": 0, "date": 0, // which others complete
		"sender": 1, "list-id": 1, "resent-to": 2, "list-help": 0, // as many as there are
		"received": 0, "return-path": 0, "authentication-results": 0, "dkim-signature": 0, "x-own": 0, // never
		"list-unsubscribe": 0, "list-unsubscribe-post": 0,
	} {
		if got := count(names, name); got != want {
			t.Errorf("%s: got %d times in %v, want %d", name, got, names, want)
		}
	}
}

// RFC 6409 8: a submission server adds Date and Message-ID where they are missing.
func TestDateAndMessageIDAreOversignedWhereTheyStand(t *testing.T) {
	names := DefaultHeaders(header(t, "From: a@example.com\r\nDate: x\r\nMessage-ID: <x>\r\n\r\n"))
	if count(names, "date") != 2 || count(names, "message-id") != 2 {
		t.Errorf("got %v, want each twice", names)
	}
	key := edKey()
	m := sign(t, "From: a@example.com\r\n\r\nhello\r\n", testSigner(key))
	expect(t, testZone(key), "Message-ID: <added@example.com>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"+m, Pass, "")
}

// RFC 8058 4.
func TestUnsubscribeIsSignedWithItsTwin(t *testing.T) {
	for there, want := range map[string][2]int{
		"List-Unsubscribe: <https://example.com/u>\r\n":                                                              {2, 1},
		"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n":                                                      {1, 2},
		"List-Unsubscribe: <https://example.com/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nX: y\r\n": {2, 2},
	} {
		names := DefaultHeaders(header(t, there+testMessage))
		if got := [2]int{count(names, "list-unsubscribe"), count(names, "list-unsubscribe-post")}; got != want {
			t.Errorf("%q: got %v times, want %v", there, got, want)
		}
		m := sign(t, there+testMessage, testSigner(edKey()))
		expect(t, testZone(edKey()), m, Pass, "")
		expect(t, testZone(edKey()), "List-Unsubscribe: <https://evil.example>\r\n"+m, Fail, "header")
		expect(t, testZone(edKey()), "List-Unsubscribe-Post: x\r\n"+m, Fail, "header")
	}
}

func TestMessageWithoutOneFromIsNotSigned(t *testing.T) {
	for m, want := range map[string]error{
		"To: a@example.com\r\n\r\n":                                ErrNoFrom,
		"From: a@example.com\r\nfrom: b@example.com\r\n\r\nHello.": ErrManyFrom,
	} {
		var b strings.Builder
		if err := Sign(&b, strings.NewReader(m), testSigner(edKey())); !errors.Is(err, want) || b.Len() > 0 {
			t.Errorf("%q: got %v and %q, want %v and nothing written", m, err, b.String(), want)
		}
	}
}

func TestSignaturesOfSeveralKeysShareOneBodyHash(t *testing.T) {
	s, err := NewSigning(header(t, testMessage), testSigner(rsaKey()), testSigner(edKey()))
	if err != nil {
		t.Fatal(err)
	}
	if s.jobs[0].hash != s.jobs[1].hash {
		t.Error("each has its own")
	}
}

func TestFieldsAreFoldedAt78Columns(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		for n := range 80 {
			s := testSigner(key)
			s.Selector = strings.Repeat("s", n%60+1)
			s.AUID = strings.Repeat("a", n) + "@example.com"
			s.Expire = time.Hour
			s.BodyLength = n%2 == 0
			s.Canonicalization = Canonicalization{Canon(n % 2), Canon(n / 2 % 2)}
			m := sign(t, testMessage, s)
			raw := header(t, m)[0].Raw
			for line := range strings.SplitSeq(raw, "\r\n") {
				if len(line) > 78 && !strings.HasPrefix(line, " i=") {
					t.Errorf("%d columns: %q", len(line), line)
				}
			}
			z := &zone{txt: map[string]string{s.Selector + "._domainkey.example.com": Record(key.Public())}}
			expect(t, z, m, Pass, "")
		}
	}
}

func TestSignLeavesEveryOtherByteAsItWas(t *testing.T) {
	for _, m := range []string{
		testMessage,
		strings.ReplaceAll(testMessage, "\r\n", "\n"),
		testMessage + " \t\r\n\r\n",
		"From: a@example.com\n",
		"From: a@example.com\r\n\r\nbare\nLF, bare\rCR, \x00",
	} {
		path := filepath.Join(t.TempDir(), "m.eml")
		if err := os.WriteFile(path, []byte(m), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for name, r := range map[string]io.Reader{
			"kept in memory": iotest.OneByteReader(strings.NewReader(m)), "read twice": strings.NewReader(m), "a file": f,
		} {
			var b strings.Builder
			if err := Sign(&b, r, testSigner(edKey())); err != nil {
				t.Fatal(err)
			}
			field, ok := strings.CutSuffix(b.String(), m)
			ending := "\n"
			if strings.Contains(m[:strings.Index(m, "\n")+1], "\r\n") {
				ending = "\r\n"
			}
			if !ok || !strings.HasPrefix(field, "DKIM-Signature: v=1;") || !strings.HasSuffix(field, ending) ||
				strings.Count(field, "\n") != strings.Count(field, ending) {
				t.Errorf("%q, %s: got %q", m, name, b.String())
			}
			expect(t, testZone(edKey()), b.String(), Pass, "")
		}
	}
}

func TestSignatureStandsBelowTheFromLineOfAnMbox(t *testing.T) {
	m := sign(t, "From alice Tue Nov 24 09:00:00 2026\n"+testMessage, testSigner(edKey()))
	if !strings.HasPrefix(m, "From alice Tue Nov 24 09:00:00 2026\nDKIM-Signature:") {
		t.Errorf("got %q", m)
	}
	expect(t, testZone(edKey()), m, Pass, "")
}

func TestSignerThatCannotSignSaysWhy(t *testing.T) {
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Signer){
		"is not a domain to sign for":       func(s *Signer) { s.Domain = "" },
		`"com" is not a domain to sign for`: func(s *Signer) { s.Domain = "com" },
		"is not a selector":                 func(s *Signer) { s.Selector = "a b" },
		"there is no key":                   func(s *Signer) { s.Key = nil },
		"no use for a *ecdsa.PublicKey":     func(s *Signer) { s.Key = other },
		"does not lie within example.com":   func(s *Signer) { s.AUID = "a@example.org" },
		`has no @`:                          func(s *Signer) { s.AUID = "example.com" },
		`holds ";"`:                         func(s *Signer) { s.AUID = "a;b@example.com" },
		"the From field must be signed":     func(s *Signer) { s.Headers = []string{"to"} },
		"Received cannot be signed":         func(s *Signer) { s.Headers = []string{"from", "Received"} },
		"not the name of a header field":    func(s *Signer) { s.Headers = []string{"from", "a:b"} },
		"cannot expire":                     func(s *Signer) { s.Expire = -time.Hour },
	} {
		s := testSigner(edKey())
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
		if _, err := NewSigning(header(t, testMessage), s); err == nil {
			t.Errorf("NewSigning: got no error, want …%s…", want)
		}
	}
}

func TestHeadersAreSignedToTheLetter(t *testing.T) {
	s := testSigner(edKey())
	s.Headers = []string{"From", "Subject", "X-None"}
	s.Domain, s.Selector = "Bücher.example", "größe"
	m := sign(t, testMessage, s)
	if !strings.Contains(strings.ReplaceAll(m, "\r\n ", ""), " h=From:Subject:X-None;") {
		t.Errorf("got %q", m)
	}
	z := &zone{txt: map[string]string{"xn--gre-6ka8i._domainkey.xn--bcher-kva.example": Record(edKey().Public())}}
	r := expect(t, z, m, Pass, "")
	if !slices.Equal(r.SignedHeaders, []string{"from", "subject", "x-none"}) {
		t.Errorf("got %v", r.SignedHeaders)
	}
}

// RFC 6376 appendix A.2, with the private key of appendix C, is signed to the letter as there.
func TestSignsAsTheStandardDoes(t *testing.T) {
	key, err := parsePrivate(mustKey(os.ReadFile("testdata/rfc6376.pem")))
	if err != nil {
		t.Fatal(err)
	}
	h := header(t, string(mustKey(os.ReadFile("testdata/rfc6376.eml"))))
	s, err := ParseSignature(h[0].Value())
	if err != nil {
		t.Fatal(err)
	}
	value, err := SignData(key, s.AppendSigned(nil, h, 0))
	if err != nil || encode(value) != encode(s.Value) {
		t.Errorf("got %s, %v, want %s", encode(value), err, encode(s.Value))
	}
}

func FuzzSignThenVerify(f *testing.F) {
	f.Add("Subject: x\r\n y\r\n", "body\r\n", byte(0))
	f.Add("X : \t\r\n \r\nFrom:\r\n", " \t\r\n\r\n", byte(3))
	f.Add("", "a\tb \r\n\r\n\r\n", byte(4+2))
	f.Add("To: a\nTo: b\nCc:\n c\n", "a\nb\r\n\n", byte(8+1))
	z := testZone(edKey())
	f.Fuzz(func(t *testing.T, fields, body string, how byte) {
		m := fields + "From: a@example.com\r\n\r\n" + body
		s := testSigner(edKey())
		s.Canonicalization = Canonicalization{Canon(how & 1), Canon(how >> 1 & 1)}
		s.BodyLength = how&4 != 0
		if how&8 != 0 {
			s.Headers = []string{"x", "from", "subject", "to", "X", "from"}
		}
		var b strings.Builder
		if err := Sign(&b, strings.NewReader(m), s); err != nil {
			return
		}
		if strings.HasSuffix(b.String(), m) == strings.HasPrefix(m, "From ") {
			t.Fatalf("signing %q changed it: %q", m, b.String())
		}
		results := verify(t, z, b.String(), Options{})
		if len(results) == 0 || results[0].Code != Pass {
			t.Fatalf("%q was signed as\n%q\nand is %+v", m, b.String(), results)
		}
	})
}
