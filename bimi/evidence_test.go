package bimi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// An authority issues certificates for logos, under a root and an authority between.
type authority struct {
	t             *testing.T
	root, between *x509.Certificate
	rootKey, key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, rootKey: newKey(t), key: newKey(t)}
	root := template("Example Mark Root")
	root.IsCA = true
	a.root = a.issue(root, root, &a.rootKey.PublicKey, a.rootKey)
	between := template("Example Mark CA")
	between.IsCA = true
	a.between = a.issue(between, a.root, &a.key.PublicKey, a.rootKey)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
}

func (a *authority) issue(c, issuer *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	if c.IsCA {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, public, key)
	if err != nil {
		a.t.Fatal(err)
	}
	issued, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return issued
}

// mark is a good certificate, as far as change leaves it so, and that of who issued it.
func (a *authority) mark(change func(*x509.Certificate)) []byte {
	a.t.Helper()
	c := template("Example Inc.")
	c.DNSNames = []string{"example.com"}
	c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidUsage}
	c.ExtraExtensions = []pkix.Extension{{Id: oidLogotype, Value: extension(a.t, dataURI(pack(goodLogo)))}}
	change(c)
	return encode(a.issue(c, a.between, &newKey(a.t).PublicKey, a.key), a.between)
}

func encode(all ...*x509.Certificate) []byte {
	var b []byte
	for _, c := range all {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

func dataURI(file []byte) string {
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(file)
}

// extension is a logotype extension with one logo of the subject.
func extension(t *testing.T, uri string) []byte {
	t.Helper()
	return tlv(t, asn1.TagSequence, true, 0, tagged(t, subjectLogo, tagged(t, 0, tlv(t, asn1.TagSequence, true, 0, tlv(t, asn1.TagSequence, true, 0,
		tlv(t, asn1.TagSequence, true, 0,
			tlv(t, asn1.TagIA5String, false, 0, []byte("image/svg+xml")),
			tlv(t, asn1.TagSequence, true, 0, nil),
			tlv(t, asn1.TagSequence, true, 0, tlv(t, asn1.TagIA5String, false, 0, []byte(uri)))))))))
}

func tagged(t *testing.T, tag int, inner []byte) []byte {
	t.Helper()
	return tlv(t, tag, true, asn1.ClassContextSpecific, inner)
}

func tlv(t *testing.T, tag int, compound bool, class int, inner ...[]byte) []byte {
	t.Helper()
	v := asn1.RawValue{Class: class, Tag: tag, IsCompound: compound}
	for _, i := range inner {
		v.Bytes = append(v.Bytes, i...)
	}
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *authority) expect() Expect {
	return Expect{Domain: "example.com", Logo: []byte(goodLogo), Roots: a.roots(), Now: now}
}

func TestAGoodCertificateHasNoFaults(t *testing.T) {
	a := newAuthority(t)
	for what, change := range map[string]func(*x509.Certificate){
		"as it is":            func(*x509.Certificate) {},
		"for the record":      func(c *x509.Certificate) { c.DNSNames = []string{"default._bimi.example.com"} },
		"in capitals":         func(c *x509.Certificate) { c.DNSNames = []string{"EXAMPLE.com"} },
		"not packed":          func(c *x509.Certificate) { c.ExtraExtensions[0].Value = extension(t, dataURI([]byte(goodLogo))) },
		"a critical logotype": func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true },
	} {
		e, err := ParseEvidence(a.mark(change))
		if err != nil {
			t.Fatal(err)
		}
		if faults := e.Check(a.expect()); len(faults) > 0 {
			t.Errorf("%s: %v", what, faults)
		}
		x := a.expect()
		x.Logo = pack(goodLogo)
		if faults := e.Check(x); len(faults) > 0 {
			t.Errorf("%s, the logo is published packed: %v", what, faults)
		}
	}
}

func TestTheFaultsOfACertificate(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	nothing := func(*x509.Certificate) {}
	for _, c := range []struct {
		what string
		file []byte
		kind Kind
		say  string
	}{
		{"of another domain", a.mark(func(c *x509.Certificate) { c.DNSNames = []string{"example.net", "www.example.com"} }), Domain, `"example.net"`},
		{"of another selector", a.mark(func(c *x509.Certificate) { c.DNSNames = []string{"other._bimi.example.com"} }), Domain, "other._bimi"},
		{"of none", a.mark(func(c *x509.Certificate) { c.DNSNames = nil }), Domain, "no domain"},
		{"a wildcard", a.mark(func(c *x509.Certificate) { c.DNSNames = []string{"*.com"} }), Domain, `"*.com"`},
		{"for web servers", a.mark(func(c *x509.Certificate) {
			c.UnknownExtKeyUsage, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), Usage, "extended key usage"},
		{"over", a.mark(func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) }), Expired, "until 2026-11-30"},
		{"not yet", a.mark(func(c *x509.Certificate) { c.NotBefore = now.AddDate(0, 0, 1) }), Expired, "before 2026-12-02"},
		{"of an unknown root", other.mark(nothing), Chain, "does not lead"},
		{"alone", encode(first(t, a.mark(nothing))), Chain, "does not lead"},
		{"under another's", encode(first(t, a.mark(nothing)), other.between), Chain, "does not lead"},
		{"without a logo", a.mark(func(c *x509.Certificate) { c.ExtraExtensions = nil }), OtherLogo, "no logotype"},
		{"with another logo", a.mark(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = extension(t, dataURI([]byte("<svg/>"))) }), OtherLogo, "6 bytes"},
		{"with a picture", a.mark(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = extension(t, "data:image/png;base64,AAAA") }), OtherLogo, "not SVG"},
		{"with a link", a.mark(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = extension(t, "https://example.com/logo.svg") }), OtherLogo, "on the web"},
		{"with noise", a.mark(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff} }), OtherLogo, "cannot be read"},
		{"that is not in base64", a.mark(func(c *x509.Certificate) { c.ExtraExtensions[0].Value = extension(t, "data:image/svg+xml;base64,!") }), OtherLogo, "base64"},
		{"with a bomb", a.mark(func(c *x509.Certificate) {
			c.ExtraExtensions[0].Value = extension(t, dataURI(pack(strings.Repeat(" ", 16<<20))))
		}), OtherLogo, "unpacked"},
	} {
		e, err := ParseEvidence(c.file)
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		faults := e.Check(a.expect())
		if len(faults) != 1 || faults[0].Kind != c.kind || !strings.Contains(faults[0].Detail, c.say) {
			t.Errorf("%s: got %v, want %s: …%s…", c.what, faults, c.kind, c.say)
		}
	}
}

func first(t *testing.T, file []byte) *x509.Certificate {
	t.Helper()
	e, err := ParseEvidence(file)
	if err != nil {
		t.Fatal(err)
	}
	return e.Certificate
}

// The authorities for logos are not those for web servers: that the system does not know one is no fault of the domain's.
func TestAnAuthorityThatTheSystemDoesNotKnowIsUnknown(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	x := a.expect()
	x.Roots = nil
	e, err := ParseEvidence(a.mark(func(*x509.Certificate) {}))
	if err != nil {
		t.Fatal(err)
	}
	if faults := e.Check(x); len(faults) != 1 || faults[0].Kind != UnknownIssuer || !strings.Contains(faults[0].Detail, "Example Mark Root") {
		t.Errorf("got %v", faults)
	}
	e.Above = []*x509.Certificate{other.between}
	if faults := e.Check(x); len(faults) != 1 || faults[0].Kind != Chain {
		t.Errorf("under another's: got %v", faults)
	}
	e.Above = nil
	if faults := e.Check(x); len(faults) != 1 || faults[0].Kind != Chain {
		t.Errorf("alone: got %v", faults)
	}
}

func TestWhatIsNoFileOfCertificates(t *testing.T) {
	a := newAuthority(t)
	for what, file := range map[string][]byte{
		"nothing": nil, "a page": []byte("<html>"), "a key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"noise":            pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
		"too much":         append(a.mark(func(*x509.Certificate) {}), make([]byte, maxEvidence)...),
		"too many of them": []byte(strings.Repeat(string(encode(a.between)), 20)),
	} {
		if e, err := ParseEvidence(file); err == nil {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

func FuzzLogotype(f *testing.F) {
	good := extension(&testing.T{}, dataURI(pack(goodLogo)))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		all, err := inExtension(der)
		if (err == nil) != (len(all) > 0) || len(all) > maxLogotypes*maxLogotypes {
			t.Errorf("%d logos, %v", len(all), err)
		}
		for _, svg := range all {
			if len(svg) > maxRead && len(svg) > len(der) {
				t.Errorf("a logo of %d bytes", len(svg))
			}
		}
	})
}

func FuzzParseEvidence(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := ParseEvidence(file)
		if err != nil {
			return
		}
		for _, fault := range e.Check(Expect{Domain: "example.com", Now: now, Roots: x509.NewCertPool()}) {
			if strings.ContainsAny(fault.Detail, "\r\n\x00\x1b") {
				t.Errorf("%q is not fit to be told", fault.Detail)
			}
		}
	})
}
