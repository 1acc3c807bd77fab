package dane_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/internal/smtptest"
)

// named is a certificate of an authority that nobody signed anything with.
func named(t *testing.T, serial int64, bits uint) *x509.Certificate {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Huge"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestWhatRecordsMayHaveUsReckonIsBounded(t *testing.T) {
	shown, _ := chain(t, smtptest.Leaf{Names: []string{"mx.example.com"}})
	q := dane.Query{Chain: shown, Names: []string{"mx.example.com"}, At: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}

	q.Records = []dane.Record{of(dane.DANETA, dane.Cert, dane.Full, named(t, 1, 96_000))}
	if res := dane.Verify(q); res.Code != dane.Mismatch || !strings.Contains(res.Err.Error(), "8192 bits") {
		t.Errorf("with a key that nobody has: %s, %v", res.Code, res.Err)
	}
	q.Records = nil
	for i := range 20 {
		q.Records = append(q.Records, of(dane.DANETA, dane.Cert, dane.Full, named(t, int64(i), 2048)))
	}
	if res := dane.Verify(q); res.Code != dane.Mismatch || !strings.Contains(res.Err.Error(), "not all of them were looked at") {
		t.Errorf("with twenty authorities: %s, %v", res.Code, res.Err)
	}
	q.Records = append(q.Records, of(dane.DANEEE, dane.SPKI, dane.SHA256, shown[0]))
	if res := dane.Verify(q); res.Code != dane.Match {
		t.Errorf("with the server's own certificate after them: %s, %v", res.Code, res.Err)
	}
}
