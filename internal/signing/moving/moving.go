// Package moving reads how other programs sign mail, so that Gatepost can take over: OpenDKIM's configuration, and rspamd's
// dkim_signing.
//
//	m, err := moving.OpenDKIM("/etc/opendkim.conf")
//	fmt.Print(m.TOML())
//
// What is found becomes keys, rules that say who signs for whom, and lines of our own configuration. Whatever has no counterpart
// becomes a [Note]: nothing is left out in silence.
package moving

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// A Move is what was found.
type Move struct {
	Keys  []Key  `json:"keys"`
	Rules []Rule `json:"rules"`
	Lines []Line `json:"lines"`
	Notes []Note `json:"notes"`
}

// A Key is a private key, and where its public half is published.
type Key struct {
	Domain   string        `json:"domain"`
	Selector string        `json:"selector"`
	File     string        `json:"file"`
	Signer   crypto.Signer `json:"-"`
	Second   bool          `json:"second,omitempty"` // another key of its kind signs for the domain; this one is not to
}

// A Rule says that mail from an Author Domain, or from those below it ("*.example.com"), is signed for a domain.
type Rule struct {
	Author string `json:"author"`
	SDID   string `json:"sdid"`
}

// A Line is one of our own configuration.
type Line struct {
	Table string `json:"table,omitempty"` // empty for the top
	Text  string `json:"text"`
}

// A Note is something that a person should know of: a setting without a counterpart, a key that cannot be used.
type Note struct {
	Place string `json:"place"` // FILE:LINE
	Text  string `json:"text"`
	Lost  bool   `json:"lost,omitempty"` // mail that was signed will not be
}

func (m *Move) note(place, format string, args ...any) {
	m.Notes = append(m.Notes, Note{Place: place, Text: fmt.Sprintf(format, args...)})
}

func (m *Move) lost(place, format string, args ...any) {
	m.Notes = append(m.Notes, Note{Place: place, Text: fmt.Sprintf(format, args...), Lost: true})
}

func (m *Move) line(table, format string, args ...any) {
	m.Lines = append(m.Lines, Line{table, fmt.Sprintf(format, args...)})
}

// Lost tells whether there is mail that was signed and will not be.
func (m *Move) Lost() bool { return slices.ContainsFunc(m.Notes, func(n Note) bool { return n.Lost }) }

// rule adds a rule, unless an earlier one decides already, or the signature would not count.
func (m *Move) rule(place, author, sdid string) {
	base := strings.TrimPrefix(author, "*.")
	for _, r := range m.Rules {
		if r.Author == author {
			if r.SDID != sdid {
				m.lost(place, "%s is signed for %s already; it cannot be signed for %s too", author, r.SDID, sdid)
			}
			return
		}
	}
	if organizational(base) != organizational(sdid) {
		m.lost(place, "%s was signed for %s, which does not count for DMARC: they do not share an Organizational Domain", author, sdid)
		return
	}
	m.Rules = append(m.Rules, Rule{author, sdid})
}

func organizational(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain
}

// key adds a key. A second of its kind for a domain is kept, but does not sign.
func (m *Move) key(place string, k Key) {
	for _, other := range m.Keys {
		switch {
		case other.Domain != k.Domain:
		case other.Selector == k.Selector:
			if dkim.Record(other.Signer.Public()) != dkim.Record(k.Signer.Public()) {
				m.lost(place, "%s has two keys with the selector %s; the first is taken, %s is not", k.Domain, k.Selector, k.File)
			}
			return
		case fmt.Sprintf("%T", other.Signer) == fmt.Sprintf("%T", k.Signer) && !other.Second:
			m.note(place, "the key %s of %s is kept but does not sign: %s is of the same kind, and signs", k.Selector, k.Domain, other.Selector)
			k.Second = true
		}
	}
	m.Keys = append(m.Keys, k)
}

// load reads a private key and says what is wrong with it.
func (m *Move) load(place, domain, selector, path string) {
	text, err := m.read(path)
	if err != nil {
		m.lost(place, "the key %s of %s: %v", selector, domain, err)
		return
	}
	m.parse(place, domain, selector, path, text)
}

func (m *Move) parse(place, domain, selector, path string, text []byte) {
	sdid, err := signing.DomainName(domain)
	if err == nil {
		selector, err = signing.SelectorName(selector)
	}
	var key crypto.Signer
	if err == nil {
		if key, err = parseKey(text); err == nil {
			err = (&dkim.Signer{Domain: sdid, Selector: selector, Key: key}).Check()
		}
	}
	if err != nil {
		m.lost(place, "the key %s of %s, %s: %v", selector, domain, path, err)
		return
	}
	if public, ok := key.Public().(*rsa.PublicKey); ok && public.N.BitLen() < 2048 {
		m.note(place, "the key %s of %s has %d bits only: rotate it soon (RFC 8301 3.2)", selector, domain, public.N.BitLen())
	}
	m.key(place, Key{Domain: sdid, Selector: selector, File: path, Signer: key})
}

// read reads a key file. That others may read it too is no reason to refuse it, but one to replace it.
func (m *Move) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		m.note(path, "everybody on this host could use this key (mode %04o): rotate it", info.Mode().Perm())
	}
	return bounded(f, path)
}

const maxFile = 4 << 20

func bounded(r io.Reader, path string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes: this is something else", path, maxFile)
	}
	return text, nil
}

// parseKey reads a key in PEM, or in base64 alone: DER, or an Ed25519 key or its seed, as rspamd writes it.
func parseKey(text []byte) (crypto.Signer, error) {
	if strings.Contains(string(text), "-----BEGIN") {
		return dkim.ParsePrivateKey(text)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		return nil, errors.New("it is neither PEM nor base64")
	}
	switch len(raw) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(raw), nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		if !slices.Equal(key, raw) {
			return nil, errors.New("its two halves do not belong together")
		}
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(raw); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, errors.New("it is no private key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it is no key to sign with")
	}
	return signer, nil
}

// TOML writes the lines of our own configuration.
func (m *Move) TOML() string {
	var b strings.Builder
	for _, l := range m.Lines {
		if l.Table == "" {
			fmt.Fprintln(&b, l.Text)
		}
	}
	for _, table := range []string{"resolver", "limits"} {
		first := true
		for _, l := range m.Lines {
			if l.Table != table {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n[%s]\n", table)
			}
			first = false
			fmt.Fprintln(&b, l.Text)
		}
	}
	b.WriteString("\n[signing]\n")
	var authors []string
	for _, r := range m.Rules {
		authors = append(authors, r.Author)
	}
	fmt.Fprintf(&b, "domains = %s\n", quoteList(authors))
	for _, l := range m.Lines {
		if l.Table == "signing" {
			fmt.Fprintln(&b, l.Text)
		}
	}
	first := true
	for _, r := range m.Rules {
		if strings.TrimPrefix(r.Author, "*.") == r.SDID {
			continue
		}
		if first {
			b.WriteString("\n[signing.sign_as]\n")
		}
		first = false
		fmt.Fprintf(&b, "%q = %q\n", r.Author, r.SDID)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// quote writes a text for TOML, whose strings are JSON's but for DEL.
func quote(s string) string {
	text, err := json.Marshal(strings.ReplaceAll(s, "\x7f", "?"))
	if err != nil {
		return `""` // a string can always be written
	}
	return string(text)
}

// quoteList writes a list of texts for TOML.
func quoteList(list []string) string {
	var quoted []string
	for _, s := range list {
		quoted = append(quoted, quote(s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
