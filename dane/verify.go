package dane

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// A Code is what came of holding a chain against records.
type Code string

// The codes.
const (
	Match    Code = "match"
	Mismatch Code = "mismatch" // there are records that can be used, and none is of this chain
	Unusable Code = "unusable" // no record can be used: the connection is to be encrypted, and nobody is authenticated (RFC 7672 2.2)
)

// A Query is a chain of certificates as a server showed it, and the records that it is held against.
type Query struct {
	Records []Record
	Chain   []*x509.Certificate // the server's own first
	Names   []string            // who the server may be: its own name, and the domain that mail is for (RFC 7672 3.2.2)
	At      time.Time           // the present, if zero
}

// A Result is what came of it.
type Result struct {
	Code   Code
	Record Record            // that matched, for Match
	Cert   *x509.Certificate // that it matched; nil where an authority that the record has in full was not in the chain
	Err    error             // why not, for Mismatch: of the record that came closest
}

var errNone = errors.New("no record is of a certificate that the server shows")

// Verify holds a chain against records. A server's own certificate (usage 3) needs to match, and no more: neither its names nor its dates
// are looked at (RFC 7672 3.1.1). One of an authority (usage 2) must lead to the server's, which must be in date and have one of the names.
func Verify(q Query) Result {
	if q.At.IsZero() {
		q.At = time.Now()
	}
	res := Result{Code: Unusable}
	left := maxPaths
	for _, r := range q.Records {
		if r.Usable() != nil {
			continue
		}
		if res.Code == Unusable {
			res = Result{Code: Mismatch, Err: errNone}
		}
		cert, err := q.match(r, &left)
		switch {
		case err == nil:
			return Result{Code: Match, Record: r, Cert: cert}
		case !errors.Is(err, errNone):
			res.Err = err
		}
	}
	return res
}

// What records and certificates that strangers made may have us reckon. Chains with more authorities than that are nobody's.
const (
	maxPaths   = 10   // that are looked for from the server's certificate to an authority
	maxRSABits = 8192 // of a key that TLS did not look at
)

func (q Query) match(r Record, left *int) (*x509.Certificate, error) {
	switch {
	case len(q.Chain) == 0:
		return nil, errNone
	case r.Usage == DANEEE:
		if r.Matches(q.Chain[0]) {
			return q.Chain[0], nil
		}
		return nil, errNone
	}
	err := errNone
	for _, cert := range q.Chain[1:] {
		if r.Matches(cert) {
			if err = q.leadsTo(cert, left); err == nil {
				return cert, nil
			}
		}
	}
	if r.Selector == Cert && r.Matching == Full { // RFC 7672 3.1.2: the authority need not be shown where the record has all of it
		if cert, parseErr := x509.ParseCertificate(r.Data); parseErr == nil {
			if err = q.leadsTo(cert, left); err == nil {
				return nil, nil
			}
		}
	}
	return nil, err
}

// Matches tells whether a record names a certificate, whatever its usage.
func (r Record) Matches(cert *x509.Certificate) bool {
	data := cert.Raw
	if r.Selector == SPKI {
		data = cert.RawSubjectPublicKeyInfo
	}
	if r.Check() != nil {
		return false
	}
	return bytes.Equal(r.Data, r.Matching.of(data))
}

// leadsTo verifies the chain from the server's certificate to an authority, the dates on the way, and the names.
func (q Query) leadsTo(authority *x509.Certificate, left *int) error {
	if *left--; *left < 0 {
		return fmt.Errorf("more than %d authorities are named, and not all of them were looked at", maxPaths)
	}
	if key, ok := authority.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return fmt.Errorf("the authority that the record names has an RSA key of more than %d bits", maxRSABits)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(authority)
	for _, cert := range q.Chain[1:] {
		between.AddCert(cert)
	}
	leaf := q.Chain[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: q.At}); err != nil {
		return fmt.Errorf("the server's certificate does not lead to the authority that the record names: %w", err)
	}
	var err error
	for _, name := range q.Names {
		if err = leaf.VerifyHostname(name); err == nil {
			return nil
		}
	}
	if err == nil {
		err = errors.New("no name to hold it against")
	}
	return fmt.Errorf("the authority is the one that the record names, and the server's certificate is for another server: %w", err)
}

// Of is the record that is best published for a server: usage 3, of its public key, by SHA-256 (RFC 7672 3.1.1).
func Of(cert *x509.Certificate) Record {
	return Record{DANEEE, SPKI, SHA256, SHA256.of(cert.RawSubjectPublicKeyInfo)}
}
