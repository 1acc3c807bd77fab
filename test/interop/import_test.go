//go:build linux

package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/signing/moving"
)

const importConf = `
Canonicalization relaxed/simple
Mode sv
InternalHosts 192.0.2.1, 198.51.100.0/24
OversignHeaders From
SignatureTTL 604800
`

// tables is a configuration with tables of patterns, and lines that Gatepost cannot do.
var tables = map[string]string{
	"opendkim.conf": importConf + "KeyTable file:DIR/KeyTable\nSigningTable refile:DIR/SigningTable\n",
	"KeyTable": `# name domain:selector:key
first   example.com:s1:DIR/a.pem
second  example.net:s2:DIR/b.pem
each    %:s3:DIR/%.pem
`,
	"SigningTable": `*@example.com first
*@*.example.com first
*@*.lists.example.com second   # never reached
*@example.net second
*@example.org each
`,
}

// flat is a configuration with a table that is no list of patterns.
var flat = map[string]string{
	"opendkim.conf": importConf + "KeyTable DIR/KeyTable\nSigningTable DIR/SigningTable\n",
	"KeyTable":      "first example.com:s1:DIR/a.pem\nsecond sub.example.com:s2:DIR/b.pem\n",
	"SigningTable":  ".example.com first\nexample.com first\nsub.example.com second\n",
}

// single is a configuration with one key.
var single = map[string]string{
	"opendkim.conf": importConf + "Domain example.com, example.net\nSelector s1\nKeyFile DIR/a.pem\nSubDomains yes\n",
}

var authors = []string{
	"example.com", "a.example.com", "b.a.example.com", "lists.example.com", "x.lists.example.com", "sub.example.com", "x.sub.example.com",
	"example.net", "a.example.net", "example.org", "a.example.org", "notexample.com", "example.edu",
}

func TestWhatIsImportedFromOpenDKIMSignsForWhomOpenDKIMSigned(t *testing.T) {
	need(t, needOpenDKIM)
	for name, files := range map[string]map[string]string{"patterns": tables, "flat": flat, "single": single} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			os.Chmod(dir, 0o700)
			for _, key := range []string{"a.pem", "b.pem", "example.org.pem"} {
				k, err := rsa.GenerateKey(rand.Reader, 2048)
				if err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, key), string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})))
			}
			for file, text := range files {
				write(t, filepath.Join(dir, file), strings.ReplaceAll(text, "DIR", dir))
			}
			conf := strings.ReplaceAll(files["opendkim.conf"], "DIR", dir)
			var messages [][]byte
			for _, author := range authors {
				messages = append(messages, fmt.Appendf(nil, "From: alice@%s\r\nTo: bob@example.edu\r\nSubject: hello\r\n\r\nHello.\r\n", author))
			}
			theirs := startOpenDKIM(t, conf, nil).filter(t, messages)

			m, err := moving.OpenDKIM(filepath.Join(dir, "opendkim.conf"))
			if err != nil {
				t.Fatal(err)
			}
			ring, data := imported(t, m)
			var signed [][]byte
			for i, author := range authors {
				want := ""
				for _, f := range theirs[i] {
					if sig, err := dkim.ParseSignature(f.Value()); f.Is("DKIM-Signature") && err == nil {
						want = sig.Selector + " of " + sig.SDID
					}
				}
				got := ""
				signers := ring.Signers(author)
				if len(signers) > 0 {
					got = signers[0].Selector + " of " + signers[0].Domain
					var out bytes.Buffer
					if err := dkim.Sign(&out, bytes.NewReader(messages[i]), signers...); err != nil {
						t.Fatal(err)
					}
					signed = append(signed, out.Bytes())
				}
				if got != want {
					t.Errorf("%s: we sign with %q, opendkim with %q", author, got, want)
				}
			}
			verifier := startOpenDKIM(t, "Mode v\nAlwaysAddARHeader yes\nTestDNSData file:DIR/dns\n", map[string]string{"dns": data})
			for i, results := range verifier.verify(t, signed) {
				if len(results) != 1 || !slices.ContainsFunc(slices.Collect(values(results)), func(r string) bool { return strings.HasPrefix(r, "pass") }) {
					t.Errorf("opendkim says %v of\n%s", results, signed[i])
				}
			}
			if len(signed) < 4 {
				t.Errorf("only %d messages are signed", len(signed))
			}
		})
	}
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// imported makes a keyring of what was imported, with a DNS that shows all keys, and gives the same DNS in opendkim's form.
func imported(t *testing.T, m *moving.Move) (*signing.Keyring, string) {
	t.Helper()
	file := struct {
		Signing     signing.Config `toml:"signing"`
		OwnNetworks []string       `toml:"own_networks"`
	}{Signing: signing.DefaultConfig()}
	if err := toml.Unmarshal([]byte(m.TOML()), &file); err != nil {
		t.Fatalf("%v\n%s", err, m.TOML())
	}
	if want := []string{"192.0.2.1/32", "198.51.100.0/24"}; !slices.Equal(file.OwnNetworks, want) {
		t.Errorf("own_networks is %v, want %v", file.OwnNetworks, want)
	}
	if file.Signing.Canonicalization != "relaxed/simple" || file.Signing.Expire.String() != "7d" {
		t.Errorf("got %+v", file.Signing)
	}
	settings, _, err := file.Signing.Settings()
	if err != nil {
		t.Fatalf("%v\n%s", err, m.TOML())
	}
	dir, err := signing.OpenDirectory(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	var zone, data strings.Builder
	for _, k := range m.Keys {
		if err := dir.Add(t.Context(), k.Domain, k.Selector, k.Signer, k.Second, time.Now()); err != nil {
			t.Fatal(err)
		}
		record := dkim.Record(k.Signer.Public())
		zone.WriteString(dkim.ZoneRecord(k.Selector, k.Domain, record))
		fmt.Fprintf(&data, "%s._domainkey.%s %s\n", k.Selector, k.Domain, record)
	}
	resolver, err := dns.ParseZone(strings.NewReader(zone.String()), "keys")
	if err != nil {
		t.Fatal(err)
	}
	rotor, err := signing.NewRotor(signing.Options{
		Directory: dir, Settings: settings, Views: signing.Views{Resolvers: []signing.View{{Name: "zone", Resolver: resolver}}},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rotor.Tick(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	return rotor.Keyring(), data.String()
}
