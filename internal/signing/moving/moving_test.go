package moving

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// files writes files into a folder of the test, in which DIR is the folder.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// anyKey is a key in PEM.
func anyKey(t testing.TB) string {
	t.Helper()
	key, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// summary is what was found, in short; the folder is DIR.
func summary(m *Move, dir string) (keys, rules, notes []string) {
	for _, k := range m.Keys {
		text := k.Selector + "@" + k.Domain
		if k.Second {
			text += " second"
		}
		keys = append(keys, text)
	}
	for _, r := range m.Rules {
		rules = append(rules, r.Author+" as "+r.SDID)
	}
	for _, n := range m.Notes {
		mark := ""
		if n.Lost {
			mark = "! "
		}
		notes = append(notes, mark+strings.ReplaceAll(n.Place+": "+n.Text, dir, "DIR"))
	}
	return keys, rules, notes
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// settings reads our own lines back.
func settings(t *testing.T, m *Move) signing.Config {
	t.Helper()
	file := struct{ Signing signing.Config }{signing.DefaultConfig()}
	if err := toml.Unmarshal([]byte(m.TOML()), &file); err != nil {
		t.Fatalf("%v\n%s", err, m.TOML())
	}
	if _, _, err := file.Signing.Settings(); err != nil {
		t.Fatalf("%v\n%s", err, m.TOML())
	}
	return file.Signing
}

func TestKeysAreReadInEveryFormThatTheyAreWrittenIn(t *testing.T) {
	edKey, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := dkim.GenerateRSA(1024)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(edKey)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	for text, want := range map[string]string{
		b64(edKey.Seed()):                        dkim.Record(edKey.Public()),
		b64(edKey) + "\n":                        dkim.Record(edKey.Public()),
		b64(pkcs8):                               dkim.Record(edKey.Public()),
		b64(x509.MarshalPKCS1PrivateKey(rsaKey)): dkim.Record(rsaKey.Public()),
		string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})): dkim.Record(rsaKey.Public()),
	} {
		key, err := parseKey([]byte(text))
		if err != nil || dkim.Record(key.Public()) != want {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	mixed := append(slices.Clone([]byte(edKey[:32])), make([]byte, 32)...)
	for text, want := range map[string]string{
		"":                          "no private key",
		"not base64!":               "neither PEM nor base64",
		b64(mixed):                  "halves",
		b64([]byte("hello")):        "no private key",
		"-----BEGIN PRIVATE KEY---": "PEM",
	} {
		if _, err := parseKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
}

func TestAKeyThatEverybodyCouldReadIsTakenWithAWarning(t *testing.T) {
	dir := files(t, map[string]string{"key": anyKey(t)})
	path := filepath.Join(dir, "key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	m := &Move{}
	m.load("here", "example.com", "s1", path)
	if len(m.Keys) != 1 || len(m.Notes) != 1 || !strings.Contains(m.Notes[0].Text, "rotate it") {
		t.Errorf("got %+v", m)
	}
}

func TestASecondKeyOfAKindIsKeptAndDoesNotSign(t *testing.T) {
	dir := files(t, map[string]string{"a": anyKey(t), "b": anyKey(t)})
	m := &Move{}
	for _, name := range []string{"a", "a", "b"} {
		m.load("here", "example.com", name, filepath.Join(dir, name))
	}
	m.load("here", "example.com", "a", filepath.Join(dir, "b"))
	keys, _, notes := summary(m, dir)
	equal(t, "keys", keys, []string{"a@example.com", "b@example.com second"})
	equal(t, "notes", notes, []string{
		"here: the key b of example.com is kept but does not sign: a is of the same kind, and signs",
		"! here: example.com has two keys with the selector a; the first is taken, DIR/b is not",
	})
}

func TestASignatureThatDoesNotCountIsNoRule(t *testing.T) {
	m := &Move{}
	m.rule("here", "example.com", "example.net")
	m.rule("here", "a.example.com", "example.com")
	m.rule("here", "a.example.com", "a.example.com")
	_, rules, notes := summary(m, "/nowhere")
	equal(t, "rules", rules, []string{"a.example.com as example.com"})
	equal(t, "notes", notes, []string{
		"! here: example.com was signed for example.net, which does not count for DMARC: they do not share an Organizational Domain",
		"! here: a.example.com is signed for example.com already; it cannot be signed for a.example.com too",
	})
	if c := settings(t, m); c.SignAs["a.example.com"] != "example.com" {
		t.Errorf("got %+v", c)
	}
}

func ExampleMove_TOML() {
	m := &Move{Rules: []Rule{{"example.com", "example.com"}, {"*.news.example.com", "example.com"}}}
	m.line("", "authserv_id = %q", "mx.example.com")
	m.line("signing", "canonicalization = %q", "relaxed/simple")
	fmt.Print(m.TOML())
	// Output:
	// authserv_id = "mx.example.com"
	//
	// [signing]
	// domains = ["example.com", "*.news.example.com"]
	// canonicalization = "relaxed/simple"
	//
	// [signing.sign_as]
	// "*.news.example.com" = "example.com"
}
