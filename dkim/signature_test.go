package dkim

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/message"
)

const (
	someHash  = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	someTags  = "v=1; a=rsa-sha256; d=example.com; s=s1; h=from:to; bh=" + someHash + "; b=AAECAwQFBgc="
	otherTags = "a=rsa-sha256; d=example.com; s=s1; h=from:to; bh=" + someHash + "; b=AAECAwQFBgc="
)

func TestParseSignature(t *testing.T) {
	s, err := ParseSignature(" v=1; a=ed25519-sha256;\r\n\tc=relaxed; d=Example.COM; s=S1.eu; q=dns/txt:x/y; i=bob@Mail.EXAMPLE.com;\r\n" +
		" h=From : To\r\n\t:from; l=0; t=1; x=999999999999; z=From:x|To:y;\r\n bh=47DEQpj8HBSa\r\n +/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAEC\r\n\t AwQF;")
	if err != nil {
		t.Fatal(err)
	}
	z, _ := s.Tag("z")
	if s.Algorithm != "ed25519-sha256" || s.Canonicalization != (Canonicalization{Relaxed, Simple}) || s.SDID != "example.com" ||
		s.Selector != "s1.eu" || s.AUID != "bob@mail.example.com" || !slices.Equal(s.Headers, []string{"from", "to", "from"}) ||
		s.BodyLength != 0 || s.Time != 1 || s.Expiration != 999999999999 || encode(s.BodyHash) != someHash ||
		string(s.Value) != "\x00\x01\x02\x03\x04\x05" || z != "From:x|To:y" {
		t.Errorf("got %+v", s)
	}
	s, err = ParseSignature(someTags)
	if err != nil || s.AUID != "@example.com" || s.BodyLength != -1 || s.Time != -1 || s.Expiration != -1 ||
		s.Canonicalization != (Canonicalization{Simple, Simple}) {
		t.Errorf("the defaults: got %+v, %v", s, err)
	}
}

func TestSignatureThatBreaksTheStandardIsRefused(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"v=1; ", "", "v= is missing"},
		{"v=1", "v=2", "no such version"},
		{"v=1", "v=01", "no such version"},
		{"a=rsa-sha256; ", "", "a= is missing"},
		{"d=example.com; ", "", "d= is missing"},
		{"s=s1; ", "", "s= is missing"},
		{"s=s1", "s=", "s= is empty"},
		{"h=from:to; ", "", "h= is missing"},
		{"bh=" + someHash + "; ", "", "bh= is missing"},
		{"; b=AAECAwQFBgc=", "", "b= is missing"},
		{"b=AAECAwQFBgc=", "b=", "b= is empty"},
		{"b=AAECAwQFBgc=", "b=AAE!", "not base64"},
		{"b=AAECAwQFBgc=", "b=" + strings.Repeat("A", 4096), "longer than 2048"},
		{"h=from:to", "h=to", "does not sign the From field"}, // RFC 6376 6.1.1
		{"h=from:to", "h=fromage", "does not sign the From field"},
		{"h=from:to", "h=from::to", "not the name of a header field"},
		{"h=from:to", "h=from:t o", "not the name of a header field"},
		{"h=from:to", "h=" + strings.Repeat("from:", 600) + "to", "601 header fields"},
		{"d=example.com", "d=com", "top-level"},
		{"d=example.com", "d=example..com", "not a domain"},
		{"d=example.com", "d=example.com.", "ends in a dot"},
		{"d=example.com", "d=exam ple.com", "not a domain"},
		{"d=example.com", "d=exam(ple.com", `"("`},
		{"d=example.com", "d=" + strings.Repeat("a", 64) + ".com", "not a domain"},
		{"s=s1", "s=s1..x", "not a selector"},
		{"s1;", "s1; c=loose;", "no such canonicalization"},
		{"s1;", "s1; q=http;", "no such query method"},
		{"s1;", "s1; l=-1;", "not a number"},
		{"s1;", "s1; l=;", "not a number"},
		{"s1;", "s1; l=1 2;", "not a number"},
		{"s1;", "s1; t=1e9;", "not a number"},
		{"s1;", "s1; t=5; x=5;", "expired before it was made"}, // RFC 6376 3.5
		{"s1;", "s1; t=5; x=4;", "expired before it was made"},
		{"s1;", "s1; s=s1;", "twice"},
		{"s1;", "s1; i=example.com;", "no @"},
		{"s1;", "s1; i=@;", "not a domain"},
	} {
		value := strings.Replace(someTags, c.old, c.new, 1)
		if value == someTags {
			t.Fatalf("%q changes nothing", c.old)
		}
		if s, err := ParseSignature(value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %+v, %v\nwant …%s…", value, s, err, c.want)
		}
	}
}

func TestIdentityMustLieWithinTheDomainAtALabelBoundary(t *testing.T) {
	for _, c := range []struct {
		i    string
		want bool
	}{
		{"@example.com", true},
		{"bob@EXAMPLE.com", true}, // without regard to case
		{"@a.b.Example.Com", true},
		{"@example.com.evil", false},
		{"@badexample.com", false},
		{"@com", false},
		{"bob@example.com@example.org", false},
		{"@example.org@example.com", true},
	} {
		_, err := ParseSignature(someTags + "; i=" + c.i)
		if (err == nil) != c.want {
			t.Errorf("d=example.com; i=%s: got %v, want it to be let through: %v", c.i, err, c.want)
		}
	}
}

// RFC 8616 4.
func TestULabelsBecomeALabels(t *testing.T) {
	s, err := ParseSignature("v=1; a=rsa-sha256; d=Bücher.example; s=größe; i=leser@laden.BÜCHER.example; h=from; bh=" + someHash + "; b=AAEC")
	if err != nil || s.SDID != "xn--bcher-kva.example" || s.Selector != "xn--gre-6ka8i" || s.AUID != "leser@laden.xn--bcher-kva.example" {
		t.Errorf("got d=%s, s=%s, i=%s, %v", s.SDID, s.Selector, s.AUID, err)
	}
}

func TestHugeNumbersAreInfinite(t *testing.T) {
	s, err := ParseSignature(someTags + "; x=99999999999999999999999999; l=" + strings.Repeat("9", 76))
	if err != nil || s.Expiration != math.MaxInt64 || s.BodyLength != math.MaxInt64 {
		t.Errorf("got x=%d, l=%d, %v, want the largest numbers there are", s.Expiration, s.BodyLength, err)
	}
}

func TestParseMessageSignatureAndSeal(t *testing.T) {
	s, err := ParseMessageSignature("i=3; " + otherTags)
	if err != nil || s.Instance != 3 || s.AUID != "@example.com" {
		t.Errorf("ARC-Message-Signature: got %+v, %v", s, err)
	}
	seal := "i=50; a=rsa-sha256; cv=pass; d=example.com; s=s1; t=12; b=AAEC"
	s, err = ParseSeal(seal)
	cv, _ := s.Tag("cv")
	if err != nil || s.Instance != 50 || cv != "pass" || s.Canonicalization != (Canonicalization{Relaxed, Relaxed}) || s.Time != 12 {
		t.Errorf("ARC-Seal: got %+v, %v", s, err)
	}
	for _, i := range []string{"", "0", "51", "-1", "x", "1 1"} {
		if s, err := ParseSeal(strings.Replace(seal, "50", i, 1)); err == nil {
			t.Errorf("i=%s: got %+v, want an error", i, s)
		}
	}
}

func TestBlankingTheSignatureLeavesOtherTagsAlone(t *testing.T) {
	for _, c := range []struct{ value, simple, relaxed string }{
		{" z=Subject:b=3Dfoo; b=AAEC; bh=" + someHash, " z=Subject:b=3Dfoo; b=; bh=" + someHash, "z=Subject:b=3Dfoo; b=; bh=" + someHash},
		{"\r\n b \r\n\t= \r\n AA\r\n\tEC \r\n ; d=x", "\r\n b \r\n\t=; d=x", "b =; d=x"},
		{" bb=b=; b=AAEC", " bb=b=; b=", "bb=b=; b="},
		{" b=AAEC;  ", " b=;  ", "b=;"},
	} {
		f := message.NewField("DKIM-Signature", c.value)
		s, _ := ParseSignature(f.Value())
		if got := string(Simple.AppendUnsigned(nil, f, s)); got != "DKIM-Signature:"+c.simple {
			t.Errorf("simple %q\ngot  %q\nwant %q", c.value, got, "DKIM-Signature:"+c.simple)
		}
		if got := string(Relaxed.AppendUnsigned(nil, f, s)); got != "dkim-signature:"+c.relaxed {
			t.Errorf("relaxed %q\ngot  %q\nwant %q", c.value, got, "dkim-signature:"+c.relaxed)
		}
	}
}

func TestRepeatedNamesPickFieldsFromTheBottomUp(t *testing.T) {
	h := header(t, "A: 1\r\nB: 2\r\nA: 3\r\na: 4\r\nC: 5\r\n\r\n")
	for _, c := range []struct {
		names  string
		except int
		want   string
	}{
		{"a:b:a:A:c:a", -1, "a:4 b:2 a:3 a:1 c:5"},
		{"a:a:a:a:a", 2, "a:4 a:1"},
		{"d:a:d", -1, "a:4"}, // names beyond those present sign their absence
		{"aa", -1, ""},
	} {
		got := string(AppendPicked(nil, Relaxed, h, strings.Split(c.names, ":"), c.except))
		if got = strings.TrimSpace(strings.ReplaceAll(got, "\r\n", " ")); got != c.want {
			t.Errorf("h=%s: got %q, want %q", c.names, got, c.want)
		}
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add(someTags)
	f.Add("i=3; " + otherTags)
	f.Add(" v=1; a=rsa-sha256;\r\n\td=bücher.example; s=x; i=a b@bücher.example; z=b=1; b = A\r\n A ; c=relaxed; l=9; t=1; x=2; h=from; bh=" + someHash)
	f.Fuzz(func(t *testing.T, value string) {
		for _, parse := range []func(string) (*Signature, error){ParseSignature, ParseMessageSignature, ParseSeal} {
			s, err := parse(value)
			if s == nil {
				t.Fatalf("%q: no signature beside %v", value, err)
			}
			if err != nil {
				continue
			}
			if !within(s.AUID[strings.LastIndexByte(s.AUID, '@')+1:], s.SDID) {
				t.Fatalf("%q: i=%s is not within d=%s", value, s.AUID, s.SDID)
			}
			// Another signature in its place makes no difference to what is signed.
			other := value[:s.bStart] + "\t AAAA\t" + value[s.bEnd:]
			o, err := parse(other)
			if err != nil {
				t.Fatalf("%q: with another b=: %v", other, err)
			}
			for _, c := range []Canon{Simple, Relaxed} {
				one := string(c.AppendUnsigned(nil, message.Field{Name: "X", Raw: "X:" + value + "\r\n"}, s))
				two := string(c.AppendUnsigned(nil, message.Field{Name: "X", Raw: "X:" + other + "\r\n"}, o))
				if one != two {
					t.Fatalf("%s of %q: %q, with another b= %q", c, value, one, two)
				}
			}
		}
	})
}
