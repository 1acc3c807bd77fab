package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

// A Signer makes one DKIM-Signature. Domain, Selector and Key are needed.
type Signer struct {
	Domain           string           // d=
	Selector         string           // s=
	Key              crypto.Signer    // RSA with 1024 bits at least (2048 are asked for, RFC 8301 3.2), or Ed25519
	Canonicalization Canonicalization // c=; relaxed/relaxed if zero
	Headers          []string         // h= to the letter, From among them; nil for a list that suits the message, see [DefaultHeaders]
	AUID             string           // i=; left out if empty
	Expire           time.Duration    // how long after Now the signature ends (x=); never if zero
	BodyLength       bool             // add l=, with all of the body: others may then append to it. Better not (RFC 6376 8.2)
	Now              time.Time        // t=; the present if zero
}

// Check says what is wrong with a Signer, and how to mend it. Signing does so too.
func (s *Signer) Check() error {
	_, err := s.prepare()
	return err
}

// prepare gives the Signer with its defaults and its domains in A-labels (RFC 8616 4).
func (s Signer) prepare() (Signer, error) {
	var err error
	domain, selector := s.Domain, s.Selector
	if s.Domain, err = domainName(domain); err != nil || !strings.Contains(s.Domain, ".") {
		return s, fmt.Errorf("signing: %s is not a domain to sign for", quote(domain))
	}
	if s.Selector, err = domainName(selector); err != nil {
		return s, fmt.Errorf("signing for %s: %s is not a selector", s.Domain, quote(selector))
	}
	if _, err = s.algorithm(); err != nil {
		return s, fmt.Errorf("signing for %s: %w", s.Domain, err)
	}
	if s.AUID != "" {
		if s.AUID, err = checkAUID(s.AUID, s.Domain); err != nil {
			return s, fmt.Errorf("signing for %s: %w", s.Domain, err)
		}
	}
	if s.Headers != nil {
		if err = checkHeaders(s.Headers); err != nil {
			return s, fmt.Errorf("signing for %s: %w", s.Domain, err)
		}
	}
	if s.Expire < 0 || s.Expire > 0 && s.Expire < time.Second {
		return s, fmt.Errorf("signing for %s: a signature cannot expire after %v", s.Domain, s.Expire)
	}
	if s.Now.IsZero() {
		s.Now = time.Now()
	}
	return s, nil
}

// algorithm is a= for the key.
func (s *Signer) algorithm() (string, error) {
	if s.Key == nil {
		return "", errors.New("there is no key")
	}
	switch public := s.Key.Public().(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return "", fmt.Errorf("an RSA key with %d bits: use 2048, or from %d to %d", bits, minRSABits, maxRSABits)
		}
		return "rsa-sha256", nil
	case ed25519.PublicKey:
		return "ed25519-sha256", nil
	default:
		return "", fmt.Errorf("DKIM has no use for a %T: make an RSA or an Ed25519 key", public)
	}
}

// checkAUID holds i= to lie within d= and to need no encoding.
func checkAUID(auid, domain string) (string, error) {
	at := strings.LastIndexByte(auid, '@')
	if at < 0 {
		return "", fmt.Errorf("the AUID %s has no @ in it", quote(auid))
	}
	for i := range at {
		if c := auid[i]; c <= ' ' || c >= 0x7f || c == ';' || c == '=' {
			return "", fmt.Errorf("the AUID %s holds %s", quote(auid), quote(auid[i:i+1]))
		}
	}
	d, err := domainName(auid[at+1:])
	if err != nil || !within(d, domain) {
		return "", fmt.Errorf("the AUID %s does not lie within %s", quote(auid), domain)
	}
	return auid[:at+1] + d, nil
}

// neverSigned are changed on the way of every message (RFC 6376 5.4).
var neverSigned = []string{"return-path", "received", "authentication-results"}

func checkHeaders(names []string) error {
	from := false
	for _, name := range names {
		lower := strings.ToLower(name)
		switch {
		case !isFieldName(name):
			return fmt.Errorf("%s is not the name of a header field", quote(name))
		case slices.Contains(neverSigned, lower):
			return fmt.Errorf("%s cannot be signed: it changes in transit", name)
		}
		from = from || lower == "from"
	}
	switch {
	case !from:
		return errors.New("the From field must be signed (RFC 6376 5.4)")
	case len(names) > maxSignedHeaders:
		return fmt.Errorf("%d header fields cannot be signed; %d are the most", len(names), maxSignedHeaders)
	}
	return nil
}

// oversigned are signed once more often than they stand in the message, so that none can be added (RFC 6376 5.4.2, 8.15). They
// make up what a reader sees and does.
var oversigned = []string{
	"from", "reply-to", "subject", "to", "cc", "in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding",
}

// completed are so where they stand in the message. Where one is missing, a mail server on the way may well add it (RFC 6409 8).
var completed = []string{"date", "message-id"}

// signed are signed as often as they stand in the message. Mailing lists and forwarders add them for good reason (RFC 6376 5.4.1).
var signed = []string{
	"sender", "resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id", "content-id",
	"content-description", "content-disposition", "list-id", "list-help", "list-subscribe", "list-post", "list-owner",
	"list-archive", "auto-submitted", "feedback-id", "cfbl-address", "cfbl-feedback-id",
}

// unsubscribe are two that stand for one act: where there is one of them, neither may be added (RFC 8058 4).
var unsubscribe = []string{"list-unsubscribe", "list-unsubscribe-post"}

// DefaultHeaders is the list h= that suits a message: From and whatever else a reader sees and does by is signed once more than it
// stands there, so that nobody can add one; other fields of meaning are signed where they are.
func DefaultHeaders(h message.Header) []string {
	names := make([]string, 0, 2*(len(oversigned)+len(completed))+8)
	add := func(name string, times int) {
		for range times {
			names = append(names, name)
		}
	}
	for _, name := range oversigned {
		add(name, h.Count(name)+1)
	}
	for _, name := range completed {
		if n := h.Count(name); n > 0 {
			add(name, n+1)
		}
	}
	for _, name := range signed {
		add(name, h.Count(name))
	}
	if h.Count(unsubscribe[0])+h.Count(unsubscribe[1]) > 0 {
		for _, name := range unsubscribe {
			add(name, h.Count(name)+1)
		}
	}
	return names
}
