package arc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/message"
)

// checkFields fails where a field would become several, or a line would be too long.
func checkFields(t *testing.T, fields []message.Field) {
	t.Helper()
	for _, f := range fields {
		lines := strings.Split(strings.TrimSuffix(f.Raw, "\r\n"), "\r\n")
		for i, line := range lines {
			if i > 0 && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") || strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("line %d of %q", i, f.Raw)
			}
			if len(line) > 998 && !f.Is("ARC-Authentication-Results") { // its text is the caller's
				t.Errorf("line %d of %s has %d octets", i, f.Name, len(line))
			}
		}
	}
}

// sealOnce makes a set for a message without a chain.
func sealOnce(t *testing.T, s arc.Sealer, m, results string) ([]message.Field, error) {
	t.Helper()
	msg, err := message.Read(strings.NewReader(m), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	body := dkim.NewBody()
	sealing, err := arc.NewSealing(s, msg.Header, body)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(body, msg.Body); err != nil {
		t.Fatal(err)
	}
	body.Close()
	return sealing.Fields(arc.Result{Code: arc.None}, results)
}

func TestResultsStayWithinTheirField(t *testing.T) {
	z := zone(t, "one.example")
	for _, results := range []string{"spf=pass\r\nSubject: forged", "spf=pass\nX: y", "spf=pass\rX: y", "a\r\n", "a\r\n\tb\r\nc", "a\x00b", "\r\n \r\n\r\nx", "\n\r\n x"} {
		fields, err := sealOnce(t, sealer("one.example"), plain, results)
		if err != nil {
			t.Fatal(err)
		}
		checkFields(t, fields)
		if r := verify(t, z, fields[0].Raw+fields[1].Raw+fields[2].Raw+plain); r.Code != arc.Pass {
			t.Errorf("%q: %+v", results, r)
		}
	}
}

func TestAuthservIDIsQuotedWhereItIsNoToken(t *testing.T) {
	s := sealer("one.example")
	s.AuthservID = "mx; evil\r\nX: y"
	fields, err := sealOnce(t, s, plain, "none")
	if err != nil {
		t.Fatal(err)
	}
	if want := `ARC-Authentication-Results: i=1; "mx; evil  X: y"; none`; strings.TrimSpace(fields[2].Raw) != want {
		t.Errorf("got  %q\nwant %q", fields[2].Raw, want)
	}
}

func TestManyFieldsAreSealedInShortLines(t *testing.T) {
	z := zone(t, "one.example")
	for _, n := range []int{1, 49, 50, 51, 1000} {
		m := strings.Repeat("DKIM-Signature: x\r\n", n) + "To: a@example.org\r\nTo: b@example.org\r\n" + plain
		fields, err := sealOnce(t, sealer("one.example"), m, "spf=pass")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			for line := range strings.SplitSeq(f.Raw, "\r\n") {
				if len(line) > 100 {
					t.Errorf("%d signatures: a line of %d octets: %s", n, len(line), line)
				}
			}
		}
		if r := verify(t, z, fields[0].Raw+fields[1].Raw+fields[2].Raw+m); r.Code != arc.Pass {
			t.Errorf("%d signatures: %+v", n, r)
		}
	}
	if _, err := sealOnce(t, sealer("one.example"), strings.Repeat("To: a@example.org\r\n", 600)+plain, "spf=pass"); err == nil {
		t.Error("600 To fields were sealed; no verifier would look at so many")
	}
}

// largeKey is like an RSA key of 8192 bits, which takes long to make.
type largeKey struct{}

func (largeKey) Public() crypto.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 8191)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

func (largeKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return bytes.Repeat([]byte{0xa5}, 1024), nil
}

func TestASignatureOfALargeKeyIsFolded(t *testing.T) {
	s := sealer("one.example")
	s.Key = largeKey{}
	fields, err := sealOnce(t, s, plain, "spf=pass")
	if err != nil {
		t.Fatal(err)
	}
	checkFields(t, fields)
	signature, err := dkim.ParseSeal(fields[0].Value())
	if err != nil || len(signature.Value) != 1024 {
		t.Errorf("%v: %q", err, fields[0].Raw)
	}
}

func TestSealersThatCannotSeal(t *testing.T) {
	for name, change := range map[string]func(*arc.Sealer){
		"no key":             func(s *arc.Sealer) { s.Key = nil },
		"no domain":          func(s *arc.Sealer) { s.Domain = "" },
		"no selector":        func(s *arc.Sealer) { s.Selector = "" },
		"no authserv-id":     func(s *arc.Sealer) { s.AuthservID = "" },
		"h= without From":    func(s *arc.Sealer) { s.Headers = []string{"to"} },
		"h= with a seal":     func(s *arc.Sealer) { s.Headers = []string{"from", "ARC-Seal"} },
		"h= with results":    func(s *arc.Sealer) { s.Headers = []string{"from", "authentication-results"} },
		"a tag in the name":  func(s *arc.Sealer) { s.Domain = "one.example; h=from" },
		"a line in the name": func(s *arc.Sealer) { s.Selector = "s\r\nX" },
	} {
		s := sealer("one.example")
		change(&s)
		if fields, err := sealOnce(t, s, plain, "none"); err == nil {
			t.Errorf("%s: sealed: %v", name, fields)
		}
	}
}

func TestDomainsAreSealedAsALabels(t *testing.T) {
	s := sealer("müller.example")
	s.AuthservID = "mx.example.org"
	fields, err := sealOnce(t, s, plain, "none")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fields[0].Raw, "d=xn--mller-kva.example;") {
		t.Errorf("got %s", fields[0].Raw)
	}
	if r := verify(t, zone(t, "xn--mller-kva.example"), fields[0].Raw+fields[1].Raw+fields[2].Raw+plain); r.Code != arc.Pass {
		t.Errorf("got %+v", r)
	}
}

func TestAChainOfAnotherMessageIsNotExtended(t *testing.T) {
	msg, err := message.Read(strings.NewReader(plain), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	body := dkim.NewBody()
	sealing, err := arc.NewSealing(sealer("one.example"), msg.Header, body)
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	if fields, err := sealing.Fields(arc.Result{Code: arc.Pass, Instances: 1}, "none"); err == nil {
		t.Errorf("sealed: %v", fields)
	}
}

func TestTheSealOverABrokenChainCoversItsOwnSetAlone(t *testing.T) {
	z := zone(t, "one.example", "two.example")
	broken := strings.Replace(seal(t, z, plain, "one.example"), "Hello, Bob", "Hello, Eve", 1)
	fields, err := arc.Seal(context.Background(), z, strings.NewReader(broken), sealer("two.example"), "arc=fail")
	if err != nil || len(fields) != 3 {
		t.Fatal(fields, err)
	}
	s, err := dkim.ParseSeal(fields[0].Value())
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8617 5.1.2: as if this newest set was the only one present.
	data := dkim.Relaxed.AppendHeader(nil, fields[2])
	data = dkim.Relaxed.AppendHeader(data, fields[1])
	data = dkim.Relaxed.AppendUnsigned(data, fields[0], s)
	if err := verifyData(key.Public(), data, s.Value); err != nil {
		t.Error(err)
	}
}

// verifyData holds data to an Ed25519 signature as b= has it (RFC 8463 3).
func verifyData(public crypto.PublicKey, data, signature []byte) error {
	hashed := sha256.Sum256(data)
	if !ed25519.Verify(public.(ed25519.PublicKey), hashed[:], signature) {
		return errors.New("the signature does not match")
	}
	return nil
}
