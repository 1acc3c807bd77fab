package dkim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestRSAKeyMayBeSubjectPublicKeyInfoOrPKCS1(t *testing.T) {
	public := &rsaKey().PublicKey
	spki := mustKey(x509.MarshalPKIXPublicKey(public))
	for _, der := range [][]byte{spki, x509.MarshalPKCS1PublicKey(public)} {
		key, err := ParseKey("p=" + encode(der))
		if err != nil || !public.Equal(key.Public) || key.Type != "rsa" || key.Bits != 2048 {
			t.Errorf("got %+v, %v, want the key", key, err)
		}
	}
}

func TestEd25519KeyIsRaw(t *testing.T) {
	public := edKey().Public().(ed25519.PublicKey)
	key, err := ParseKey("v=DKIM1; k=ed25519; p=" + encode(public))
	if err != nil || !public.Equal(key.Public) || key.Bits != 256 {
		t.Errorf("got %+v, %v, want the key", key, err)
	}
	spki := mustKey(x509.MarshalPKIXPublicKey(public))
	if key, err := ParseKey("v=DKIM1; k=ed25519; p=" + encode(spki)); err == nil {
		t.Errorf("SubjectPublicKeyInfo: got %+v, want an error (RFC 8463 4.2)", key)
	}
}

func TestEmptyKeyIsRevoked(t *testing.T) {
	for _, txt := range []string{"p=", "v=DKIM1; p=;", "v=DKIM1; k=rsa; p= \t"} {
		if key, err := ParseKey(txt); !errors.Is(err, ErrRevoked) || key == nil {
			t.Errorf("%q: got %+v, %v, want the record and %v", txt, key, err, ErrRevoked)
		}
	}
}

func TestWhiteSpaceInsideAKeyIsAllowed(t *testing.T) {
	txt := Record(rsaKey().Public())
	i := strings.Index(txt, "p=") + 2
	key, err := ParseKey(txt[:i] + " \t" + txt[i:i+9] + " " + txt[i+9:i+100] + "\r\n\t " + txt[i+100:] + " ; t=y : s; n=what for; s=x : email; h=sha1:sha256")
	if err != nil || !rsaKey().PublicKey.Equal(key.Public) || !key.Testing || !key.Strict || key.Notes != "what for" ||
		strings.Join(key.Services, " ") != "x email" || strings.Join(key.Hashes, " ") != "sha1 sha256" {
		t.Errorf("got %+v, %v", key, err)
	}
}

func TestRecordThatIsNoKey(t *testing.T) {
	good := Record(edKey().Public())
	p := good[strings.Index(good, "p="):]
	weird := func(n *big.Int, e int) string { return encode(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: e})) }
	huge := new(big.Int).SetBit(big.NewInt(1), maxRSABits, 1)
	for _, c := range []struct{ txt, want string }{
		{"", "no tags"},
		{"google-site-verification=x", "there is no ="},
		{"v=spf1 -all", "not a DKIM key"},
		{"v=DKIM2; k=ed25519; " + p, "not a DKIM key"},
		{"v=DKIM1.0; k=ed25519; " + p, "not a DKIM key"},
		{"v=dkim1; k=ed25519; " + p, "not a DKIM key"}, // a string comparison (RFC 6376 3.6.1)
		{"k=ed25519; v=DKIM1; " + p, "not the first tag"},
		{"v=DKIM1; k=dsa; " + p, "no such type"},
		{"v=DKIM1; k=ed25519", "p= is missing"},
		{"v=DKIM1; k=ed25519; p=AAAA", "32 octets, not 3"},
		{"v=DKIM1; k=ed25519; p=%%%%", "not base64"},
		{"v=DKIM1; p=AAAA", "not an RSA key"},
		{"v=DKIM1; p=" + strings.Repeat("A", 9000), "longer than 8192"},
		{"v=DKIM1; k=ed25519; k=ed25519; " + p, "twice"},
		{"p=" + weird(huge, 65537), "RSA key with 8193 bits"}, // bounds the time to verify
		{"p=" + weird(rsaKey().N, 1), "exponent is 1"},
		{"p=" + weird(rsaKey().N, 4), "exponent is 4"},
		{"p=" + weird(new(big.Int).Lsh(rsaKey().N, 1), 3), "modulus is even"},
	} {
		if key, err := ParseKey(c.txt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q\ngot  %+v, %v\nwant …%s…", c.txt, key, err, c.want)
		}
	}
}

func TestKeyVerifiesWhatItMay(t *testing.T) {
	data := []byte("data")
	hashed := sha256.Sum256(data)
	rsaSig := mustKey(SignData(rsaKey(), data))
	edSig := mustKey(SignData(edKey(), data))
	broken := bytes.Clone(rsaSig)
	broken[7] ^= 1
	rsaTxt, edTxt := Record(rsaKey().Public()), Record(edKey().Public())
	for _, c := range []struct {
		txt, a string
		sig    []byte
		want   error // nil for a good signature
	}{
		{rsaTxt, "rsa-sha256", rsaSig, nil},
		{rsaTxt, "RSA-SHA256", rsaSig, nil},
		{edTxt, "ed25519-sha256", edSig, nil},
		{rsaTxt + "; h=sha1 : SHA256; s=*; g=", "rsa-sha256", rsaSig, nil},
		{rsaTxt + "; s=tlsrpt:email", "rsa-sha256", rsaSig, nil},
		{rsaTxt, "rsa-sha256", broken, ErrSignature},
		{rsaTxt, "rsa-sha256", nil, ErrSignature},
		{edTxt, "ed25519-sha256", rsaSig, ErrSignature},
		{edTxt, "rsa-sha256", rsaSig, ErrKeyUse},
		{rsaTxt, "ed25519-sha256", edSig, ErrKeyUse},
		{rsaTxt + "; h=sha1", "rsa-sha256", rsaSig, ErrKeyUse},
		{rsaTxt + "; h=", "rsa-sha256", rsaSig, ErrKeyUse},
		{rsaTxt + "; s=tlsrpt", "rsa-sha256", rsaSig, ErrKeyUse},
		{rsaTxt, "rsa-sha1", rsaSig, ErrAlgorithm},
	} {
		key, err := ParseKey(c.txt)
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Verify(c.a, hashed[:], c.sig); !errors.Is(err, c.want) {
			t.Errorf("a=%s with %s…%s: got %v, want %v", c.a, c.txt[:22], c.txt[len(c.txt)-22:], err, c.want)
		}
	}
	key, _ := ParseKey(rsaTxt)
	if err := key.Verify("rsa-md5", hashed[:], rsaSig); err == nil {
		t.Error("rsa-md5: got no error")
	}
	revoked, _ := ParseKey("p=")
	if err := revoked.Verify("rsa-sha256", hashed[:], rsaSig); !errors.Is(err, ErrRevoked) {
		t.Errorf("a revoked key: got %v, want %v", err, ErrRevoked)
	}
}

func TestLookupKeyTellsWhyThereIsNone(t *testing.T) {
	good := Record(edKey().Public())
	z := &zone{txt: map[string]string{
		"good._domainkey.example.com":                good,
		"nodata._domainkey.example.com":              "!nodata",
		"servfail._domainkey.example.com":            "!servfail",
		"timeout._domainkey.example.com":             "!timeout",
		"revoked._domainkey.example.com":             "v=DKIM1; p=",
		"junk._domainkey.example.com":                "hello",
		"two._domainkey.example.com":                 "a stray token\nv=DKIM1; p=\n" + good,
		"two-revoked._domainkey.example.com":         "a stray token\nv=DKIM1; p=",
		"xn--gre-6ka8i._domainkey.xn--bcher-kva.com": good,
	}}
	for _, c := range []struct {
		selector, domain string
		code             Code
		want             string
	}{
		{"good", "example.com", "", ""},
		{"GOOD", "Example.com.", "", ""},
		{"two", "example.com", "", ""}, // the first that is a key (RFC 6376 3.6.2.2)
		{"größe", "bücher.com", "", ""},
		{"none", "example.com", PermError, "no key at none._domainkey.example.com: no such domain"},
		{"nodata", "example.com", PermError, "no key at nodata._domainkey.example.com: no record of this type"},
		{"servfail", "example.com", TempError, "the key at servfail._domainkey.example.com could not be fetched: the name servers failed"},
		{"timeout", "example.com", TempError, "the key at timeout._domainkey.example.com could not be fetched: no answer in time"},
		{"revoked", "example.com", PermError, "the key at revoked._domainkey.example.com was revoked (its p= is empty)"},
		{"two-revoked", "example.com", PermError, "was revoked"},
		{"junk", "example.com", PermError, `the record at junk._domainkey.example.com is not a key: octet 6: there is no = after the tag "hello"`},
		{"a\r\nb", "example.com", PermError, `no key at "a\r\nb._domainkey.example.com": not a domain name`},
		{strings.Repeat("a", 64), "example.com", PermError, "not a domain name"},
	} {
		key, err := LookupKey(context.Background(), z, c.selector, c.domain)
		if c.code == "" {
			if err != nil || key == nil {
				t.Errorf("%s, %s: got %v, want a key", c.selector, c.domain, err)
			}
			continue
		}
		var e *KeyError
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: got %v\nwant %s: %s", c.selector, c.domain, err, c.code, c.want)
		}
	}
	if _, err := LookupKey(context.Background(), z, "none", "example.com"); !errors.Is(err, dns.ErrNXDomain) {
		t.Errorf("got %v, want it to wrap %v", err, dns.ErrNXDomain)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add(Record(rsaKey().Public()))
	f.Add("p= A A A A; t=y:s; s=email:*; h=sha256:; n=x")
	f.Add("v=DKIM1; p=")
	f.Fuzz(func(t *testing.T, txt string) {
		key, err := ParseKey(txt)
		if err != nil {
			if key != nil && !errors.Is(err, ErrRevoked) {
				t.Fatalf("%q: a key beside %v", txt, err)
			}
			return
		}
		again, err := ParseKey(Record(key.Public))
		if err != nil || again.Bits != key.Bits || again.Type != key.Type {
			t.Fatalf("%q is %+v, its record is %+v, %v", txt, key, again, err)
		}
		hashed := sha256.Sum256(nil)
		if err := key.Verify(key.Type+"-sha256", hashed[:], make([]byte, key.Bits/8)); err == nil && key.Bits > 512 {
			t.Fatalf("%q verifies a signature of zeros", txt)
		}
	})
}
