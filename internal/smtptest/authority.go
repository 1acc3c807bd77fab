// Package smtptest is mail servers with STARTTLS for tests, and the authority that signs their certificates.
//
//	ca := smtptest.NewAuthority(t)
//	server := smtptest.Start(t, smtptest.Options{Certificate: ca.Issue(t, smtptest.Leaf{Names: []string{"mx.example.com"}})})
//
// Keys are made of names, so that the digest of a key stays what it is from one run to the next, and a zone can hold it.
package smtptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// The time within which certificates hold where a Leaf says nothing.
var (
	NotBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	NotAfter  = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
)

// An Authority has a root, which clients know, and one below it, which signs and which servers are to show.
type Authority struct {
	Root, Between *x509.Certificate
	key           *ecdsa.PrivateKey // of Between
}

// NewAuthority makes one.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	rootKey, key := Key(t, "root"), Key(t, "between")
	root := template("Test Root", 1)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	between := template("Test Authority", 2)
	between.IsCA, between.BasicConstraintsValid, between.KeyUsage = true, true, x509.KeyUsageCertSign
	a := &Authority{key: key}
	a.Root = sign(t, root, root, &rootKey.PublicKey, rootKey)
	a.Between = sign(t, between, a.Root, &key.PublicKey, rootKey)
	return a
}

// Pool has the root.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Root)
	return pool
}

// A Leaf says what certificate a server has.
type Leaf struct {
	Names     []string
	Key       string // what the key is made of; the first name
	NotBefore time.Time
	NotAfter  time.Time
	Self      bool // signed by itself
	Alone     bool // the server does not show who signed it
}

// Issue signs a certificate.
func (a *Authority) Issue(t testing.TB, l Leaf) tls.Certificate {
	t.Helper()
	seed := l.Key
	if seed == "" {
		seed = l.Names[0]
	}
	key := Key(t, seed)
	c := template(l.Names[0], 3)
	c.DNSNames = l.Names
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	if !l.NotBefore.IsZero() {
		c.NotBefore = l.NotBefore
	}
	if !l.NotAfter.IsZero() {
		c.NotAfter = l.NotAfter
	}
	parent, signer := a.Between, a.key
	if l.Self {
		parent, signer = c, key
	}
	leaf := sign(t, c, parent, &key.PublicKey, signer)
	chain := [][]byte{leaf.Raw}
	if !l.Self && !l.Alone {
		chain = append(chain, a.Between.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}
}

// Key is the key that is made of a name.
func Key(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func template(name string, serial int64) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: NotBefore, NotAfter: NotAfter}
}

func sign(t testing.TB, c, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
