package notice

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/inbox/address"
)

// Tokens make the addresses by which what comes back is known as an answer to one letter. A token is a random number and its HMAC: that
// nobody guessed it is known before the store is asked, and whoever forges a bounce without it has us be silent towards nobody.
type Tokens struct {
	address string
	secrets []address.Secret
}

// SecretFile is the name in the state directory of the file with the secrets of tokens.
const SecretFile = "notices.secret"

// NewTokens makes those of a return address: notices@example.org. The first secret makes tokens, all of them open them.
func NewTokens(returnAddress string, secrets []address.Secret) *Tokens {
	return &Tokens{address: returnAddress, secrets: secrets}
}

const (
	nonceBytes  = 10
	proofBytes  = 15
	tokenLength = (nonceBytes + proofBytes) * 8 / 5
	separator   = "+"
	mostLocal   = 64 - tokenLength - len(separator) // RFC 5321 4.5.3.1.1
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New makes a token.
func (t *Tokens) New() string {
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce)
	return encoding.EncodeToString(append(nonce, prove(t.secrets[0], nonce)...))
}

func prove(s address.Secret, nonce []byte) []byte {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("gatepost notice 1\x00"))
	mac.Write(nonce)
	return mac.Sum(nil)[:proofBytes]
}

// Address is where what comes back to a letter goes.
func (t *Tokens) Address(token string) string {
	local, domain, _ := strings.Cut(t.address, "@")
	return local + separator + token + "@" + domain
}

// Recipient tells whether an address is one of ours, as the receiver of reports asks.
func (t *Tokens) Recipient(to string) bool { return t.open(to) != "" }

// open is the token in an address; empty where there is none that we made.
func (t *Tokens) open(to string) string {
	local, domain, _ := strings.Cut(strings.ToLower(to), "@")
	ours, host, _ := strings.Cut(strings.ToLower(t.address), "@")
	token, ok := strings.CutPrefix(local, ours+separator)
	if !ok || domain != host || len(token) != tokenLength {
		return ""
	}
	raw, err := encoding.DecodeString(token)
	if err != nil {
		return ""
	}
	for _, s := range t.secrets {
		if hmac.Equal(prove(s, raw[:nonceBytes]), raw[nonceBytes:]) {
			return token
		}
	}
	return ""
}

// find looks for an address of ours in a text, which a stranger wrote: no more than so many are tried.
func (t *Tokens) find(text string) string {
	const most = 50
	text = strings.ToLower(text)
	local, domain, _ := strings.Cut(strings.ToLower(t.address), "@")
	before, after := local+separator, "@"+domain
	for range most {
		i := strings.Index(text, before)
		if i < 0 {
			return ""
		}
		text = text[i+len(before):]
		if len(text) >= tokenLength && strings.HasPrefix(text[tokenLength:], after) {
			if token := t.open(before + text[:tokenLength] + after); token != "" {
				return token
			}
		}
	}
	return ""
}
