package dkim

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// futureTolerance is how far ahead of ours a signer's clock may be (RFC 6376 3.5, t=).
const futureTolerance = 5 * time.Minute

// judgeField finds what settles a signature before its key is known. The code is empty where nothing does.
//
// RFC 8601 2.7.1 has permerror for what RFC 6376 calls PERMFAIL for any other reason than a hash or signature that does not match.
func (v *Verifier) judgeField(s *Signature) (Code, error) {
	alg, known := parseAlgorithm(s.Algorithm)
	switch now := v.o.Now.Unix(); {
	case !known:
		return PermError, fmt.Errorf("a=%s: no such algorithm; there are rsa-sha256 and ed25519-sha256", quote(s.Algorithm))
	case alg.hash == "sha1":
		return PermError, errSHA1 // RFC 8301 3.1: it "permanently failed evaluation"
	case len(s.BodyHash) != sha256.Size:
		return PermError, fmt.Errorf("bh= has %d octets; SHA-256 makes %d", len(s.BodyHash), sha256.Size)
	case s.Expiration >= 0 && now > s.Expiration: // RFC 6376 6.1.1
		return PermError, fmt.Errorf("the signature expired at %s (x=%d)", formatTime(s.Expiration), s.Expiration)
	case s.Time >= 0 && s.Time-int64(futureTolerance/time.Second) > now: // RFC 6376 3.5: it may be ignored, which is our policy
		return Policy, fmt.Errorf("the signature was made in the future, at %s (t=%d)", formatTime(s.Time), s.Time)
	}
	return "", nil
}

func formatTime(unix int64) string {
	const year10000 = 253402300800
	if unix >= year10000 {
		return "the end of time"
	}
	return time.Unix(unix, 0).UTC().Format(time.RFC3339)
}

// judge says what became of a signature, when body and key are known.
func (v *Verifier) judge(c *check) Result {
	s := &c.sig
	r := Result{
		Code: c.code, Err: c.err, SDID: s.SDID, AUID: s.AUID, Selector: s.Selector, Algorithm: s.Algorithm,
		Canonicalization: s.Canonicalization.String(), SignedHeaders: s.Headers, BodyLength: s.BodyLength,
		SignatureTail: base64.StdEncoding.EncodeToString(s.Value[:min(6, len(s.Value))]),
	}
	if r.Code != "" {
		return r
	}
	if s.BodyLength >= 0 {
		r.Unsigned = max(0, c.body.Length()-s.BodyLength)
	}
	if key := c.query.key; key != nil {
		r.KeyBits, r.Testing = key.Bits, key.Testing
	}
	r.Code, r.Err = v.judgeKey(c)
	if r.Code == "" || r.Code == TempError {
		// A body that was changed fails under every key, so there is no need to ask again for this one.
		if code, err := c.judgeBody(); code != "" {
			r.Code, r.Err = code, err
		}
	}
	if r.Code == "" {
		r.Code, r.Err = c.judgeSignature()
	}
	if v.o.Diagnose && r.Code == Fail {
		r.Diagnosis = v.diagnose(c)
	}
	return r
}

// judgeKey finds what keeps the key from being used for this signature (RFC 6376 6.1.2).
func (v *Verifier) judgeKey(c *check) (Code, error) {
	if err := c.query.err; err != nil {
		if e := (*KeyError)(nil); errors.As(err, &e) {
			return e.Code, err
		}
		return PermError, err
	}
	key, s := c.query.key, &c.sig
	alg, known := parseAlgorithm(s.Algorithm)
	if err := key.mayVerify(alg, known, s.Algorithm); err != nil {
		return PermError, err
	}
	if domain := s.AUID[strings.LastIndexByte(s.AUID, '@')+1:]; key.Strict && domain != s.SDID {
		return PermError, fmt.Errorf("%w: it is t=s, and i= names %s instead of %s", ErrKeyUse, domain, s.SDID) // RFC 6376 3.6.1
	}
	switch {
	case key.Type != "rsa":
	case key.Bits < minRSABits: // RFC 8301 3.2: it "permanently failed evaluation"
		return PermError, fmt.Errorf("%w: %d bits, and RFC 8301 asks for %d", ErrWeakKey, key.Bits, minRSABits)
	case key.Bits < v.o.MinRSABits: // RFC 8301 3.2 leaves more to the verifier's policy
		return Policy, fmt.Errorf("the key has %d bits; %d are asked for here", key.Bits, v.o.MinRSABits)
	}
	return "", nil
}

// judgeBody compares the body's hash with bh= (RFC 6376 6.1.3, step 3).
func (c *check) judgeBody() (Code, error) {
	switch s := &c.sig; {
	case s.BodyLength > c.body.Length(): // RFC 6376 3.5, l=
		return Fail, fmt.Errorf("the signature is over l=%d octets of body; there are only %d", s.BodyLength, c.body.Length())
	case !bytes.Equal(c.body.Sum(), s.BodyHash):
		return Fail, ErrBodyHash
	}
	return "", nil
}

// ErrBodyHash is the error of a signature whose message has another body than when it was signed.
var ErrBodyHash = errors.New("the body hash does not match")

// judgeSignature is step 4 of RFC 6376 6.1.3.
func (c *check) judgeSignature() (Code, error) {
	err := c.query.key.Verify(c.sig.Algorithm, c.hashed[:], c.sig.Value)
	switch {
	case err == nil:
		return Pass, nil
	case errors.Is(err, ErrSignature):
		return Fail, err
	}
	return PermError, err
}
