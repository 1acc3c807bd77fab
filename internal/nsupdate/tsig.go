package nsupdate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

// A Secret is what we share with a name server (RFC 8945).
type Secret struct {
	File      string // where it was read
	Name      string // of the key, with its final dot, in lower case
	Algorithm string // as on the wire: "hmac-sha256."
	secret    string // base64
}

// A SecretFile says where a secret is. What the file does not say, or what is to go before it, can be given.
type SecretFile struct {
	Path      string // as tsig-keygen writes it, or the bare secret
	KeyName   string
	Algorithm string // hmac-sha256 or hmac-sha512
}

// KnowsAlgorithm tells whether an algorithm is one of those that are offered.
func KnowsAlgorithm(name string) bool { return algorithms[strings.ToLower(name)] != "" }

// algorithms are those that are offered; RFC 8945 6 asks for the first.
var algorithms = map[string]string{"hmac-sha256": dns.HmacSHA256, "hmac-sha512": dns.HmacSHA512}

const maxSecretFile = 16 << 10

// ReadSecret reads a secret that nobody but the file's owner may read.
func ReadSecret(f SecretFile) (*Secret, error) {
	text, err := secretfile.Own(f.Path, maxSecretFile)
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %w", err)
	}
	s, err := parseSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("reading the secret: %s: %w", f.Path, err)
	}
	s.File = f.Path
	if f.KeyName != "" {
		s.Name = strings.ToLower(dns.Fqdn(f.KeyName))
	}
	if f.Algorithm != "" {
		s.Algorithm = algorithms[strings.ToLower(f.Algorithm)]
	}
	if s.Name == "" {
		return nil, fmt.Errorf("reading the secret: %s does not say what the key is called; set key_name", f.Path)
	}
	if s.Algorithm == "" {
		s.Algorithm = dns.HmacSHA256
	}
	return &s, nil
}

// parseSecret reads what tsig-keygen writes, or a secret alone. Error texts never hold any of it.
func parseSecret(text string) (Secret, error) {
	var s Secret
	if len(text) > maxSecretFile {
		return s, errors.New("too large to be a secret")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n{};\"", r) })
	switch {
	case len(words) == 1:
		s.secret = words[0]
	case len(words) == 6 && words[0] == "key":
		s.Name = strings.ToLower(dns.Fqdn(words[1]))
		for i := 2; i < 6; i += 2 {
			switch words[i] {
			case "algorithm":
				if s.Algorithm = algorithms[strings.ToLower(words[i+1])]; s.Algorithm == "" {
					return Secret{}, errors.New("its algorithm is neither hmac-sha256 nor hmac-sha512")
				}
			case "secret":
				s.secret = words[i+1]
			}
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(s.secret); err != nil || len(raw) < 16 {
		return Secret{}, errors.New("there is no secret in it: write it as tsig-keygen does, or as base64 of 16 octets at least")
	}
	if s.Name != "" {
		if _, ok := dns.IsDomainName(s.Name); !ok {
			return Secret{}, errors.New("the name of the key is none")
		}
	}
	return s, nil
}
