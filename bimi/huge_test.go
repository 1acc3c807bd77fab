package bimi

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
)

// With keys of 96,000 bits, to find out that eleven certificates are no chain took a minute.
func TestACertificateWithAKeyThatNobodyHasIsRefusedUnverified(t *testing.T) {
	for bits, want := range map[uint]bool{4096: true, 8192: true, 8200: false, 96_000: false} {
		modulus := new(big.Int).Lsh(big.NewInt(1), bits-1)
		c, signer := template("Huge"), newKey(t)
		der, err := x509.CreateCertificate(rand.Reader, c, c, &rsa.PublicKey{N: modulus.SetBit(modulus, 0, 1), E: 65537}, signer)
		if err != nil {
			t.Fatal(err)
		}
		made, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		a := newAuthority(t)
		for _, file := range [][]byte{encode(made), encode(a.between, made)} {
			if _, err := ParseEvidence(file); (err == nil) != want || !want && !strings.Contains(err.Error(), "8192 bits") {
				t.Errorf("%d bits: %v", bits, err)
			}
		}
	}
}
