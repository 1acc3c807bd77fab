package signing

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

// A tsigSecret is what we share with a name server (RFC 8945).
type tsigSecret struct {
	file      string
	name      string // with its final dot, in lower case
	algorithm string
	secret    string // base64
}

// tsigAlgorithms are those that are offered; RFC 8945 6 asks for the first.
var tsigAlgorithms = map[string]string{"hmac-sha256": dns.HmacSHA256, "hmac-sha512": dns.HmacSHA512}

const maxSecretFile = 16 << 10

// readSecret reads a secret that nobody but the file's owner may read.
func readSecret(c UpdateConfig) (tsigSecret, error) {
	text, err := secretfile.Own(c.SecretFile, maxSecretFile)
	if err != nil {
		return tsigSecret{}, fmt.Errorf("reading the secret: %w", err)
	}
	s, err := parseSecret(string(text))
	if err != nil {
		return tsigSecret{}, fmt.Errorf("reading the secret: %s: %w", c.SecretFile, err)
	}
	s.file = c.SecretFile
	if c.KeyName != "" {
		s.name = strings.ToLower(dns.Fqdn(c.KeyName))
	}
	if c.Algorithm != "" {
		s.algorithm = tsigAlgorithms[strings.ToLower(c.Algorithm)]
	}
	if s.name == "" {
		return tsigSecret{}, fmt.Errorf("reading the secret: %s does not say what the key is called; set key_name", c.SecretFile)
	}
	if s.algorithm == "" {
		s.algorithm = dns.HmacSHA256
	}
	return s, nil
}

// parseSecret reads what tsig-keygen writes, or a secret alone. Error texts never hold any of it.
func parseSecret(text string) (tsigSecret, error) {
	var s tsigSecret
	if len(text) > maxSecretFile {
		return s, errors.New("too large to be a secret")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n{};\"", r) })
	switch {
	case len(words) == 1:
		s.secret = words[0]
	case len(words) == 6 && words[0] == "key":
		s.name = strings.ToLower(dns.Fqdn(words[1]))
		for i := 2; i < 6; i += 2 {
			switch words[i] {
			case "algorithm":
				if s.algorithm = tsigAlgorithms[strings.ToLower(words[i+1])]; s.algorithm == "" {
					return tsigSecret{}, errors.New("its algorithm is neither hmac-sha256 nor hmac-sha512")
				}
			case "secret":
				s.secret = words[i+1]
			}
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(s.secret); err != nil || len(raw) < 16 {
		return tsigSecret{}, errors.New("there is no secret in it: write it as tsig-keygen does, or as base64 of 16 octets at least")
	}
	if s.name != "" {
		if _, ok := dns.IsDomainName(s.name); !ok {
			return tsigSecret{}, errors.New("the name of the key is none")
		}
	}
	return s, nil
}
