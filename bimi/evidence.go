package bimi

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Evidence is a certificate for a logo, a Verified Mark Certificate (VMC) or a Common Mark Certificate (CMC), and those above it.
type Evidence struct {
	Certificate *x509.Certificate
	Above       []*x509.Certificate // in the order of the file
	Logos       [][]byte            // the SVG of each logo in it, unpacked
	LogoErr     error               // why there is none, or not all could be read
}

// Expect is what a certificate has to fit. The zero value of each member but Domain means its default.
type Expect struct {
	Domain         string         // of the record, in A-labels
	Organizational string         // the Organizational Domain, whose certificate is good for it too
	Selector       string         // "default"
	Logo           []byte         // what is published, compressed or not; nil: any
	Roots          *x509.CertPool // the authorities that are believed; those of the system, where one that is missing is no more than unknown
	Now            time.Time      // the present
}

const (
	maxEvidence     = 256 << 10 // bytes of a file
	maxCertificates = 10
	maxRSABits      = 8192 // as TLS has it: what it takes to verify a signature grows with the square of that, and more
)

var (
	oidUsage    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 31} // id-kp-BrandIndicatorforMessageIdentification
	oidLogotype = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 12} // RFC 9399 4.1
)

// ParseEvidence reads a file in PEM, in which the certificate for the logo comes first and those above it follow.
func ParseEvidence(file []byte) (*Evidence, error) {
	if len(file) > maxEvidence {
		return nil, fmt.Errorf("it has more than %d bytes", maxEvidence)
	}
	e := &Evidence{}
	for rest := file; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil:
			return nil, errors.New("a certificate in it cannot be read")
		case huge(c):
			return nil, fmt.Errorf("a certificate in it has an RSA key of more than %d bits", maxRSABits)
		case e.Certificate == nil:
			e.Certificate = c
		case len(e.Above) == maxCertificates:
			return nil, fmt.Errorf("it has more than %d certificates", maxCertificates)
		default:
			e.Above = append(e.Above, c)
		}
	}
	if e.Certificate == nil {
		return nil, errors.New("there is no certificate in PEM in it")
	}
	// What is known here need not be unknown to who verifies.
	e.Certificate.UnhandledCriticalExtensions = slices.DeleteFunc(e.Certificate.UnhandledCriticalExtensions, oidLogotype.Equal)
	e.Logos, e.LogoErr = logos(e.Certificate)
	return e, nil
}

// huge tells whether nobody has such a key but who wants others to reckon with it for minutes.
func huge(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxRSABits
}

// Check tells what is wrong with a certificate, and nothing where all is well. It asks nobody, so that neither revocation nor the logs of
// Certificate Transparency are looked at.
func (e *Evidence) Check(x Expect) []Fault {
	if x.Now.IsZero() {
		x.Now = time.Now()
	}
	var faults []Fault
	c := e.Certificate
	switch {
	case x.Now.After(c.NotAfter):
		faults = append(faults, Fault{Expired, "it was valid until " + c.NotAfter.UTC().Format(time.DateOnly)})
	case x.Now.Before(c.NotBefore):
		faults = append(faults, Fault{Expired, "it is not valid before " + c.NotBefore.UTC().Format(time.DateOnly)})
	default:
		faults = append(faults, e.chain(x)...)
	}
	if !slices.ContainsFunc(c.UnknownExtKeyUsage, oidUsage.Equal) {
		faults = append(faults, Fault{Usage, "it is not for logos: its extended key usage has no " + oidUsage.String()})
	}
	if !e.covers(x) {
		faults = append(faults, Fault{Domain, fmt.Sprintf("it is for %s", told(c.DNSNames))})
	}
	return append(faults, e.logo(x)...)
}

// chain follows the certificate to a root. Without roots of one's own an issuer that the system does not know is no fault: the
// authorities for logos are not those for web servers. Then the chain has to be in order as far as it goes.
func (e *Evidence) chain(x Expect) []Fault {
	above := x509.NewCertPool()
	for _, c := range e.Above {
		above.AddCert(c)
	}
	o := x509.VerifyOptions{Roots: x.Roots, Intermediates: above, CurrentTime: x.Now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	_, err := e.Certificate.Verify(o)
	unknown := x509.UnknownAuthorityError{}
	if err == nil {
		return nil
	} else if x.Roots != nil || !errors.As(err, &unknown) || len(e.Above) == 0 {
		return []Fault{{Chain, reason(err)}}
	}
	last := e.Above[len(e.Above)-1]
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(last)
	if _, err := e.Certificate.Verify(o); err != nil {
		return []Fault{{Chain, reason(err)}}
	}
	issuer := last.Issuer
	return []Fault{{UnknownIssuer, "it was issued under " + name(cmp.Or(issuer.CommonName, issuer.String()))}}
}

// reason says why a chain is none, without what a library says to programmers.
func reason(err error) string {
	invalid := x509.CertificateInvalidError{}
	switch {
	case errors.As(err, &x509.UnknownAuthorityError{}):
		return "it does not lead to an authority that is known: a certificate in between is missing, or of another"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "a certificate above it is not valid now"
	case errors.As(err, &invalid) && invalid.Reason == x509.NotAuthorizedToSign:
		return "a certificate above it may not issue others"
	}
	return "it is not signed by the certificates above it"
}

// covers tells whether the certificate is for the domain, or for the very name that has the record.
func (e *Evidence) covers(x Expect) bool {
	good := []string{x.Domain, cmp.Or(x.Selector, Selector) + "._bimi." + x.Domain}
	if x.Organizational != "" {
		good = append(good, x.Organizational, cmp.Or(x.Selector, Selector)+"._bimi."+x.Organizational)
	}
	return slices.ContainsFunc(e.Certificate.DNSNames, func(n string) bool {
		return slices.Contains(good, strings.ToLower(strings.TrimSuffix(n, ".")))
	})
}

// logo compares what is in the certificate with what is published.
func (e *Evidence) logo(x Expect) []Fault {
	if len(e.Logos) == 0 {
		return []Fault{{OtherLogo, "there is no logo in it that can be read: " + e.LogoErr.Error()}}
	}
	if x.Logo == nil {
		return nil
	}
	published, err := Unpack(x.Logo)
	if err != nil || !slices.ContainsFunc(e.Logos, func(svg []byte) bool { return bytes.Equal(svg, published) }) {
		text := "the logo in it has %d bytes and is not the one of %d bytes that is published"
		return []Fault{{OtherLogo, fmt.Sprintf(text, len(e.Logos[0]), len(published))}}
	}
	return nil
}

func told(names []string) string {
	if len(names) == 0 {
		return "no domain"
	}
	const most = 5
	var all []string
	for _, n := range names[:min(len(names), most)] {
		all = append(all, name(n))
	}
	if len(names) > most {
		all = append(all, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(all, ", ")
}
