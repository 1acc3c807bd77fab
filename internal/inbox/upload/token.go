package upload

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

// A Token lets somebody upload.
type Token struct {
	Name   string // what the log calls its owner
	Domain string // whose reports it is for; empty for any
	hash   [sha256.Size]byte
}

const (
	maxTokenFile = 1 << 20
	minToken     = 20 // characters: nobody guesses as many
	hashed       = "sha256:"
)

// ReadTokens reads a file with a token a line: its name, the token itself or the SHA-256 of it, and the domain whose reports it is for,
// if it is for one alone.
//
//	# name   token                                                  domain
//	backup   sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b8…  example.com
//	relay    q8Zk3mW0v1Yb7Rr4Tn2x
//
// A file that others than its owner may read or write is refused on Unix.
func ReadTokens(path string) ([]Token, error) {
	text, err := secretfile.Own(path, maxTokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens for uploads: %w", err)
	}
	tokens, err := parseTokens(text)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens for uploads: %s: %w", path, err)
	}
	return tokens, nil
}

// parseTokens reads the text of a file. An error never holds a token.
func parseTokens(text []byte) ([]Token, error) {
	if len(text) > maxTokenFile {
		return nil, errors.New("the file is too large to hold tokens")
	}
	var tokens []Token
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxTokenFile+1)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		t, err := parseToken(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, other := range tokens {
			if other.hash == t.hash {
				return nil, fmt.Errorf("line %d: the same token as that of %s", n, other.Name)
			}
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func parseToken(words []string) (Token, error) {
	if len(words) < 2 || len(words) > 3 {
		return Token{}, errors.New("write a name, a token, and a domain if the token is for one alone")
	}
	t := Token{Name: words[0]}
	switch digits, isHash := strings.CutPrefix(words[1], hashed); {
	case isHash:
		if n, err := hex.Decode(t.hash[:], []byte(digits[:min(len(digits), 2*sha256.Size)])); err != nil || n != sha256.Size || len(digits) != 2*sha256.Size {
			return Token{}, fmt.Errorf("a SHA-256 has %d hexadecimal digits", 2*sha256.Size)
		}
	case len(words[1]) < minToken:
		return Token{}, fmt.Errorf("a token has %d characters or more; \"openssl rand -hex 20\" makes one", minToken)
	default:
		t.hash = sha256.Sum256([]byte(words[1]))
	}
	if len(words) == 3 {
		domain, err := dns.ToASCII(words[2])
		if err != nil {
			return Token{}, fmt.Errorf("%q is no domain", words[2])
		}
		t.Domain = domain
	}
	return t, nil
}

// find takes as long for a token that is known as for one that is not.
func find(tokens []Token, secret string) (Token, bool) {
	hash := sha256.Sum256([]byte(secret))
	at := -1
	for i := range tokens {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], tokens[i].hash[:]), i, at)
	}
	if at < 0 {
		return Token{}, false
	}
	return tokens[at], true
}
