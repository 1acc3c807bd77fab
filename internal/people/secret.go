package people

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

const (
	secretBytes = 32
	secretChars = 43 // as it is written, in base64url without padding

	tokenPrefix = "gp_" // by which programs that look for secrets in files know ours
)

var secretText = base64.RawURLEncoding.Strict()

// newSecret makes a secret that nobody guesses, with what is kept of it.
func newSecret(prefix string) (secret string, h Hash) {
	b := make([]byte, secretBytes)
	rand.Read(b) // never fails
	secret = prefix + secretText.EncodeToString(b)
	return secret, sha256.Sum256([]byte(secret))
}

// readSecret gives what is kept of a secret that somebody showed, and tells whether it is written as one of ours.
func readSecret(prefix, secret string) (Hash, bool) {
	rest, ok := strings.CutPrefix(secret, prefix)
	if !ok || len(rest) != secretChars || strings.ContainsAny(rest, "\r\n") { // which base64 passes over
		return Hash{}, false
	}
	if _, err := secretText.DecodeString(rest); err != nil {
		return Hash{}, false
	}
	return sha256.Sum256([]byte(secret)), true
}
