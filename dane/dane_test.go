package dane_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/internal/smtptest"
)

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestARecordIsReadAsAMasterFileHasIt(t *testing.T) {
	for text, want := range map[string]string{
		"3 1 1 " + digest:                                        "3 1 1 " + digest,
		"3  1\t1 " + strings.ToUpper(digest):                     "3 1 1 " + digest,
		"2 0 1 " + digest[:32] + " " + digest[32:]:               "2 0 1 " + digest,
		"255 7 9 00":                                             "255 7 9 00",
		" 3 1 1\n\t" + digest[:10] + "\r\n" + digest[10:] + "\n": "3 1 1 " + digest,
	} {
		r, err := dane.Parse(text)
		if err != nil || r.String() != want {
			t.Errorf("%q: got %v, %v; want %q", text, r, err, want)
		}
	}
}

func TestWhatIsNoRecordSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "no usage",
		"3":                                    "no selector",
		"3 1":                                  "no matching type",
		"3 1 1":                                "no data",
		"3 1 1  \t":                            "no data",
		"256 1 1 00":                           `usage "256"`,
		"-1 1 1 00":                            `usage "-1"`,
		"+3 1 1 00":                            `usage "+3"`,
		"3 x 1 00":                             `selector "x"`,
		"3 1 1 abc":                            "not hexadecimal",
		"3 1 1 zz":                             "not hexadecimal",
		"3 1 1 ab\x00cd":                       "not hexadecimal",
		"3 1 1 " + strings.Repeat("00", 65536): "more than",
		strings.Repeat("9", 9999) + " 1 1 00":  "is no number",
	} {
		r, err := dane.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%.60q: got %v, %v; want %q", text, r, err, want)
		}
	}
}

func TestRecordsThatCannotBeReadAreLeftOut(t *testing.T) {
	all, err := dane.ParseAll([]string{"3 1", "3 1 1 " + digest, "x", "2 1 1 " + digest})
	if len(all) != 2 || all[0].Usage != dane.DANEEE || all[1].Usage != dane.DANETA || err == nil || !strings.Contains(err.Error(), "no matching type") {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestARecordThatCannotMatchIsFoundOut(t *testing.T) {
	for text, want := range map[string]string{
		"3 1 1 " + digest:          "",
		"2 0 2 " + digest + digest: "",
		"0 0 1 " + digest:          "",
		"4 1 1 " + digest:          "usage",
		"3 2 1 " + digest:          "selector",
		"3 1 3 " + digest:          "matching type",
		"3 1 1 " + digest[:62]:     "31 octets",
		"3 1 2 " + digest:          "32 octets",
		"3 0 0 " + digest:          "no certificate",
		"3 1 0 " + digest:          "no public key",
	} {
		r, err := dane.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := r.Check(); err != nil {
			got = err.Error()
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestMailDoesNotUseTheUsagesOfTheWeb(t *testing.T) {
	for usage, usable := range map[string]bool{"0": false, "1": false, "2": true, "3": true, "4": false} {
		r, err := dane.Parse(usage + " 1 1 " + digest)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Usable(); (got == nil) != usable {
			t.Errorf("usage %s: %v", usage, got)
		}
	}
}

// chain is the certificates of a server, and who signed them.
func chain(t *testing.T, l smtptest.Leaf) ([]*x509.Certificate, *smtptest.Authority) {
	t.Helper()
	ca := smtptest.NewAuthority(t)
	made := ca.Issue(t, l)
	certs := []*x509.Certificate{made.Leaf}
	if len(made.Certificate) > 1 {
		certs = append(certs, ca.Between)
	}
	return certs, ca
}

func of(usage dane.Usage, selector dane.Selector, matching dane.Matching, cert *x509.Certificate) dane.Record {
	data := cert.Raw
	if selector == dane.SPKI {
		data = cert.RawSubjectPublicKeyInfo
	}
	switch matching {
	case dane.SHA256:
		sum := sha256.Sum256(data)
		data = sum[:]
	case dane.SHA512:
		sum := sha512.Sum512(data)
		data = sum[:]
	}
	return dane.Record{Usage: usage, Selector: selector, Matching: matching, Data: data}
}

var now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func TestVerify(t *testing.T) {
	names := []string{"mx.example.com", "example.com"}
	good, ca := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	expired, _ := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}, NotAfter: now.AddDate(0, -1, 0)})
	other, _ := chain(t, smtptest.Leaf{Names: []string{"www.example.net"}})
	nexthop, _ := chain(t, smtptest.Leaf{Names: []string{"example.com"}})
	alone, _ := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}, Alone: true})
	self, _ := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}, Self: true})
	wrong := dane.Record{Usage: dane.DANEEE, Selector: dane.SPKI, Matching: dane.SHA256, Data: make([]byte, 32)}
	bad := dane.Record{Usage: dane.DANEEE, Selector: dane.SPKI, Matching: dane.SHA256, Data: make([]byte, 31)}

	for _, c := range []struct {
		what    string
		chain   []*x509.Certificate
		records []dane.Record
		want    dane.Code
		err     string
	}{
		{"the server's key", good, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.SHA256, good[0])}, dane.Match, ""},
		{"the server's certificate by SHA-512", good, []dane.Record{of(dane.DANEEE, dane.Cert, dane.SHA512, good[0])}, dane.Match, ""},
		{"the server's certificate in full", good, []dane.Record{of(dane.DANEEE, dane.Cert, dane.Full, good[0])}, dane.Match, ""},
		{"the server's key in full", good, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.Full, good[0])}, dane.Match, ""},
		{"signed by itself", self, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.SHA256, self[0])}, dane.Match, ""},
		{"usage 3, expired (RFC 7672 3.1.1)", expired, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.SHA256, expired[0])}, dane.Match, ""},
		{"usage 3, another name (RFC 7672 3.1.1)", other, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.SHA256, other[0])}, dane.Match, ""},
		{"the second of two", good, []dane.Record{wrong, of(dane.DANEEE, dane.SPKI, dane.SHA256, good[0])}, dane.Match, ""},
		{"the key for the certificate", good, []dane.Record{{Usage: 3, Selector: dane.Cert, Matching: 1, Data: of(3, 1, 1, good[0]).Data}}, dane.Mismatch, "no record"},
		{"another key", good, []dane.Record{wrong}, dane.Mismatch, "no record"},
		{"usage 3 of the authority", good, []dane.Record{of(dane.DANEEE, dane.SPKI, dane.SHA256, ca.Between)}, dane.Mismatch, "no record"},
		{"no certificate at all", nil, []dane.Record{wrong}, dane.Mismatch, "no record"},

		{"the authority", good, []dane.Record{of(dane.DANETA, dane.Cert, dane.SHA256, good[1])}, dane.Match, ""},
		{"the authority's key", good, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, good[1])}, dane.Match, ""},
		{"the authority in full, not shown", alone, []dane.Record{of(dane.DANETA, dane.Cert, dane.Full, good[1])}, dane.Match, ""},
		{"the authority by digest, not shown", alone, []dane.Record{of(dane.DANETA, dane.Cert, dane.SHA256, good[1])}, dane.Mismatch, "no record"},
		{"for the domain that mail is for", nexthop, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, nexthop[1])}, dane.Match, ""},
		{"usage 2, another name", other, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, other[1])}, dane.Mismatch, "another server"},
		{"usage 2, expired", expired, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, expired[1])}, dane.Mismatch, "does not lead"},
		{"usage 2 of the server's own", good, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, good[0])}, dane.Mismatch, "no record"},
		{"an authority shown that signed nothing", []*x509.Certificate{self[0], good[1]}, []dane.Record{of(dane.DANETA, dane.SPKI, dane.SHA256, good[1])}, dane.Mismatch, "does not lead"},

		{"no record", good, nil, dane.Unusable, ""},
		{"usages of the web alone", good, []dane.Record{of(dane.PKIXEE, dane.SPKI, dane.SHA256, good[0]), of(dane.PKIXTA, dane.SPKI, dane.SHA256, good[1])}, dane.Unusable, ""},
		{"a digest that is too short", good, []dane.Record{bad}, dane.Unusable, ""},
		{"a bad one and one of another key", good, []dane.Record{bad, wrong}, dane.Mismatch, "no record"},
	} {
		res := dane.Verify(dane.Query{Records: c.records, Chain: c.chain, Names: names, At: now})
		got := ""
		if res.Err != nil {
			got = res.Err.Error()
		}
		if res.Code != c.want || (c.err == "") != (got == "") || !strings.Contains(got, c.err) {
			t.Errorf("%s: got %s, %q; want %s, %q", c.what, res.Code, got, c.want, c.err)
		}
	}
}

func TestADigestIsTheSameAsWhatItIsOf(t *testing.T) {
	certs, _ := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	full, short := of(3, 1, dane.Full, certs[0]), of(3, 1, dane.SHA256, certs[0])
	for _, c := range []struct {
		a, b dane.Record
		want bool
	}{
		{full, full, true}, {short, short, true}, {full, short, true}, {short, full, true},
		{full, of(3, 1, dane.SHA512, certs[0]), true},
		{short, of(3, 1, dane.SHA512, certs[0]), false}, // nobody can tell
		{short, of(2, 1, dane.SHA256, certs[0]), false},
		{short, of(3, 0, dane.SHA256, certs[0]), false},
		{short, of(3, 1, dane.SHA256, certs[1]), false},
		{dane.Record{Usage: 3, Selector: 1, Matching: 9}, full, false},
	} {
		if got := c.a.Same(c.b); got != c.want {
			t.Errorf("%s and %s: %v", dane.Tell([]dane.Record{c.a}), dane.Tell([]dane.Record{c.b}), got)
		}
	}
}

// FuzzParse holds to: nothing makes it panic; what was read is written so that it reads as the same; what Check lets through has a size
// that its matching type has.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"3 1 1 " + digest, "2 0 2 " + digest + digest, "3 1 0 3059", "", "3 1", "0 0 0 00", "999 1 1 ab", "3 1 1 ab cd\tef"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := dane.Parse(s)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d octets", len(err.Error()))
			}
			return
		}
		back, err := dane.Parse(r.String())
		if err != nil || back.String() != r.String() || !back.Same(r) && r.Matching <= dane.SHA512 {
			t.Fatalf("%q: read back as %v, %v", s, back, err)
		}
		if r.Check() == nil && r.Matching == dane.SHA256 && len(r.Data) != 32 {
			t.Errorf("%s is said to be right", r)
		}
	})
}
