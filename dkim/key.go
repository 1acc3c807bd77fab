package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Key is what a key record publishes (RFC 6376 3.6.1).
type Key struct {
	Type     string           // k=: "rsa" or "ed25519"
	Public   crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey; nil if the key was revoked
	Bits     int              // of Public
	Hashes   []string         // h=: the hash algorithms it may be used with; nil means all
	Services []string         // s=: nil means all
	Testing  bool             // t=y
	Strict   bool             // t=s: i= must name d= itself, not a domain below it
	Notes    string           // n=
}

// ErrRevoked is the error of a key record whose p= is empty.
var ErrRevoked = errors.New("the key was revoked (its p= is empty)")

const (
	minRSABits = 1024    // RFC 8301 3.2
	maxRSABits = 8192    // bounds the time that a stranger's key takes; RFC 8301 3.2 asks for 4096
	maxKeyText = 4 << 10 // characters of p=
)

// ParseKey reads a key record. For a revoked key it returns both the Key and [ErrRevoked].
func ParseKey(txt string) (*Key, error) {
	var few [16]Tag
	tags, err := appendTags(few[:0], txt)
	if err != nil {
		return nil, err
	}
	// RFC 6376 3.6.1: v= comes first if it is there, and is compared as a string.
	if v, ok := tags.Get("v"); ok && (tags[0].Name != "v" || v != "DKIM1") {
		if v != "DKIM1" {
			return nil, fmt.Errorf("v=%s: not a DKIM key; they say v=DKIM1", quote(v))
		}
		return nil, errors.New("v=DKIM1 is not the first tag")
	}
	k := &Key{Type: "rsa"}
	for _, t := range tags {
		switch t.Name {
		case "k":
			k.Type = strings.ToLower(t.Value)
		case "h":
			k.Hashes = words(t.Value)
		case "s":
			k.Services = words(t.Value)
		case "t":
			k.Testing = hasWord(t.Value, "y")
			k.Strict = hasWord(t.Value, "s")
		case "n":
			k.Notes = t.Value
		}
	}
	if k.Type != "rsa" && k.Type != "ed25519" {
		return nil, fmt.Errorf("k=%s: no such type of key; there are rsa and ed25519", quote(k.Type))
	}
	p, ok := tags.Get("p")
	switch {
	case !ok:
		return nil, missing("p")
	case p == "":
		return k, ErrRevoked
	}
	if err := k.parsePublic(p); err != nil {
		return nil, fmt.Errorf("p=: %w", err)
	}
	return k, nil
}

// parsePublic reads p=. An RSA key is a SubjectPublicKeyInfo, as everyone publishes it, or an RSAPublicKey, as RFC 6376 3.6.1
// says; an Ed25519 key is its 32 octets (RFC 8463 4.2).
func (k *Key) parsePublic(p string) error {
	der, err := decodeBase64(p, maxKeyText)
	if err != nil {
		return err
	}
	if k.Type == "ed25519" {
		if len(der) != ed25519.PublicKeySize {
			return fmt.Errorf("an Ed25519 key has %d octets, not %d", ed25519.PublicKeySize, len(der))
		}
		k.Public, k.Bits = ed25519.PublicKey(der), 8*ed25519.PublicKeySize
		return nil
	}
	public, err := parseRSA(der)
	if err != nil {
		return err
	}
	k.Public, k.Bits = public, public.N.BitLen()
	return nil
}

func parseRSA(der []byte) (*rsa.PublicKey, error) {
	var public *rsa.PublicKey
	if parsed, err := x509.ParsePKIXPublicKey(der); err == nil {
		var ok bool
		if public, ok = parsed.(*rsa.PublicKey); !ok {
			return nil, fmt.Errorf("it is not an RSA key but a %T", parsed)
		}
	} else if public, err = x509.ParsePKCS1PublicKey(der); err != nil {
		return nil, errors.New("it is not an RSA key")
	}
	switch bits := public.N.BitLen(); {
	case public.N.Sign() <= 0 || public.N.Bit(0) == 0:
		return nil, errors.New("its RSA modulus is even")
	case public.E < 3 || public.E%2 == 0 || int64(public.E) > 1<<31-1:
		return nil, fmt.Errorf("its RSA exponent is %d", public.E)
	case bits > maxRSABits:
		return nil, fmt.Errorf("it is an RSA key with %d bits; %d are the most that is taken", bits, maxRSABits)
	}
	return public, nil
}

// words splits a list with colons, in lower case.
func words(list string) []string {
	var out []string
	for w := range strings.SplitSeq(strings.ToLower(list), ":") {
		if w = trimFWS(w); w != "" {
			out = append(out, w)
		}
	}
	if out == nil {
		out = []string{} // an empty list is not the same as none: it allows nothing
	}
	return out
}

// An algorithm is what a= names: the type of the key, and a hash.
type algorithm struct{ key, hash string }

func parseAlgorithm(a string) (algorithm, bool) {
	switch {
	case strings.EqualFold(a, "rsa-sha256"):
		return algorithm{"rsa", "sha256"}, true
	case strings.EqualFold(a, "ed25519-sha256"):
		return algorithm{"ed25519", "sha256"}, true
	case strings.EqualFold(a, "rsa-sha1"):
		return algorithm{"rsa", "sha1"}, true
	}
	return algorithm{}, false
}

// The ways in which [Key.Verify] says no, told apart with [errors.Is].
var (
	ErrSignature = errors.New("the signature does not match the header")   // it, or what it signs, was changed
	ErrAlgorithm = errors.New("the algorithm is not used any more")        // RFC 8301 3.1
	ErrKeyUse    = errors.New("the key is not for this signature")         // by its type, h=, s= or t=
	ErrWeakKey   = errors.New("the key is too short to be worth anything") // RFC 8301 3.2
)

// Verify tells whether sig is this key's signature over what hashed is the SHA-256 of, by the algorithm that a= names. It also holds
// the signature to what the key record allows, and an RSA key to 1024 bits at least.
func (k *Key) Verify(a string, hashed, sig []byte) error {
	alg, ok := parseAlgorithm(a)
	if err := k.mayVerify(alg, ok, a); err != nil {
		return err
	}
	switch public := k.Public.(type) {
	case *rsa.PublicKey:
		if k.Bits < minRSABits {
			return fmt.Errorf("%w: %d bits", ErrWeakKey, k.Bits)
		}
		if rsa.VerifyPKCS1v15(public, crypto.SHA256, hashed, sig) != nil {
			return ErrSignature
		}
	case ed25519.PublicKey:
		if !ed25519.Verify(public, hashed, sig) { // RFC 8463 3: PureEdDSA, over the hash
			return ErrSignature
		}
	default:
		return ErrRevoked
	}
	return nil
}

// mayVerify holds an algorithm to what the key record says (RFC 6376 6.1.2, steps 6 and 8).
func (k *Key) mayVerify(alg algorithm, known bool, a string) error {
	switch {
	case !known:
		return fmt.Errorf("a=%s: no such algorithm; there are rsa-sha256 and ed25519-sha256", quote(a))
	case alg.hash == "sha1":
		return errSHA1
	case k.Type != alg.key:
		return fmt.Errorf("%w: a=%s, but the key is k=%s", ErrKeyUse, a, k.Type)
	case k.Hashes != nil && !slices.Contains(k.Hashes, alg.hash):
		return fmt.Errorf("%w: a=%s, but the key is h=%s", ErrKeyUse, a, quote(strings.Join(k.Hashes, ":")))
	case k.Services != nil && !slices.Contains(k.Services, "email") && !slices.Contains(k.Services, "*"):
		return fmt.Errorf("%w: the key is s=%s, not for email", ErrKeyUse, quote(strings.Join(k.Services, ":")))
	}
	return nil
}

var errSHA1 = fmt.Errorf("a=rsa-sha1: %w (RFC 8301 3.1)", ErrAlgorithm)
