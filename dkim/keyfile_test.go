package dkim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestKeyFileIsForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such bits")
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := WriteKey(path, edKey()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("written with mode %v, %v, want 0600", info.Mode(), err)
	}
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o660: false, 0o644: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKey(path); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: got %v, want it to be read: %v", mode, err, ok)
		}
	}
}

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	for name, key := range map[string]crypto.Signer{"rsa": rsaKey(), "ed25519": edKey()} {
		path := filepath.Join(t.TempDir(), name)
		if err := WriteKey(path, key); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), "-----BEGIN PRIVATE KEY-----\n") {
			t.Errorf("%s: got %.40q, %v, want PKCS#8", name, text, err)
		}
		got, err := ReadKey(path)
		if err != nil || Record(got.Public()) != Record(key.Public()) {
			t.Errorf("%s: got %T, %v", name, got, err)
		}
	}
}

func TestKeyFileIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteKey(path, edKey()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	if text, _ := os.ReadFile(path); string(text) != "precious" {
		t.Errorf("the file now holds %q", text)
	}
}

func TestKeyFileThatCannotBeReadSaysWhy(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(typ string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
	}
	for _, c := range []struct{ text, want string }{
		{"", "no private key in it"},
		{"hello", "no private key in it"},
		{block("PUBLIC KEY", []byte("x")), "no private key in it"},
		{block("PRIVATE KEY", []byte("x")), "asn1"},
		{"-----BEGIN PRIVATE KEY-----\nAAAA\n", "damaged"},
		{block("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted"},
		{"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "encrypted"},
		{block("PRIVATE KEY", mustKey(x509.MarshalPKCS8PrivateKey(curve))), "make an RSA or an Ed25519 key"},
		{strings.Repeat("x", maxKeyFile+1), "too large"},
		{block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), ""}, // PKCS#1
		{"a comment\n" + block("CERTIFICATE", nil) + block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey())), ""},
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadKey(path)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%.60q: got %v, want …%s…", c.text, err, c.want)
		}
	}
	dir := t.TempDir()
	if _, err := ReadKey(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: got %v", err)
	}
	if _, err := ReadKey(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
}

func TestGenerateRSAKeepsToTheBounds(t *testing.T) {
	for _, bits := range []int{-1, 0, 512, 1023, maxRSABits + 1} {
		if key, err := GenerateRSA(bits); err == nil {
			t.Errorf("%d bits: got a key with %d", bits, key.N.BitLen())
		}
	}
}

func TestZoneRecordIsReadBackByAZone(t *testing.T) {
	for _, value := range []string{
		Record(rsaKey().Public()), Record(edKey().Public()), "", `a "quoted\" text; größe`, strings.Repeat("x", 255), strings.Repeat("x", 256),
		strings.Repeat("x", 1000),
	} {
		text := ZoneRecord("S1", "Bücher.example.", value)
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > 1024 || strings.HasPrefix(line, "\t\"") && len(line) > 255*4+3 {
				t.Errorf("a line of %d octets", len(line))
			}
		}
		z, err := dns.ParseZone(strings.NewReader(text), "test")
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		a, err := z.Lookup(t.Context(), "s1._domainkey.xn--bcher-kva.example", dns.TypeTXT)
		if err != nil || len(a.TXT) != 1 || a.TXT[0] != value {
			t.Errorf("%s\ngot  %q, %v\nwant %q", text, a.TXT, err, value)
		}
	}
}

func TestRecordOfNoDKIMKeyIsEmpty(t *testing.T) {
	if got := Record("a key"); got != "" {
		t.Errorf("got %q, want nothing", got)
	}
}
