package dkim

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"

	"github.com/gatepost-mail/gatepost/message"
)

// A change is something that a relay may have done to the header, as what undoes it.
type change struct {
	said  string // the signature verifies …
	edits []edit
}

// An edit puts field in place of the field at an index, so many times: none drops it.
type edit struct {
	at    int
	times int
	field message.Field
}

// explainHeader says why the signature does not match the header.
func (d *diagnosis) explainHeader() string {
	if public, ok := d.key.Public.(*rsa.PublicKey); ok {
		var said string
		if d.signed, said = signedHash(public, d.sig.Value); said != "" {
			return fmt.Sprintf(said, quoteName(d.name))
		}
	}
	if found := d.searchHeader(); found != "" {
		return "the signature verifies " + found
	}
	not := "not by a text before or after the Subject, nor a rewritten From, nor a field that was added, nor by the canonicalization"
	if d.short {
		not = tooLong
	}
	if d.signed == nil {
		return "the header was changed, or the signature was made with another key; " + not
	}
	return "the key is the one that signed, and the header was changed since; " + not
}

// signedHash opens an RSA signature: what comes out is the hash that it was made over, or no sense if this is not the key that made it
// (RFC 8017 8.2.2, 9.2). So a guess costs a hash, and a wrong key is told from a changed header.
func signedHash(public *rsa.PublicKey, sig []byte) (hash []byte, said string) {
	const another = "the signature was not made with the key at %s: the key was changed there, or the b= was damaged"
	s := new(big.Int).SetBytes(sig)
	if len(sig) != public.Size() || s.Cmp(public.N) >= 0 {
		return nil, another
	}
	text := s.Exp(s, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size()))
	padding, info, ok := bytes.Cut(text[1:], []byte{0})
	if text[0] != 0 || !ok || len(padding) < 9 || padding[0] != 1 || len(bytes.Trim(padding[1:], "\xff")) > 0 {
		return nil, another
	}
	hash, ok = bytes.CutPrefix(info, []byte("\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"))
	if !ok || len(hash) != sha256.Size {
		return nil, "the signature was made with the key at %s, but over another hash than SHA-256: the signer is at fault"
	}
	return hash, ""
}

// searchHeader tries the changes, those first that need the fewest to come together.
func (d *diagnosis) searchHeader() string {
	if found := d.otherHeaderForm(); found != "" {
		return found
	}
	d.picked = d.places()
	none := []change{{}}
	for _, c := range d.single() {
		if d.holds(c) {
			return c.said
		}
	}
	subjects := append(none, d.subjects()...)
	froms := append(none, d.froms()...)
	others := append(none, d.together()...)
	for changes := 1; changes <= 3; changes++ {
		for _, f := range froms {
			for _, o := range others {
				for _, s := range subjects {
					tried := made(s, f, o)
					if len(tried) == changes && d.holds(tried...) {
						return describeAll(tried)
					}
				}
			}
		}
	}
	return ""
}

// made leaves out the changes that change nothing.
func made(all ...change) []change {
	some := make([]change, 0, len(all))
	for _, c := range all {
		if len(c.edits) > 0 {
			some = append(some, c)
		}
	}
	return some
}

func describeAll(changes []change) string {
	var said []string
	for _, c := range changes {
		said = append(said, c.said)
	}
	if len(said) == 1 {
		return said[0]
	}
	text := said[0]
	for _, s := range said[1:] {
		text += "; and " + s
	}
	return text
}

// otherHeaderForm tries the canonical form that c= does not name.
func (d *diagnosis) otherHeaderForm() string {
	s := *d.sig
	is, other := s.Canonicalization.Header, Simple
	if is == Simple {
		other = Relaxed
	}
	s.Canonicalization.Header = other
	if !d.matches(&s, d.header, d.own) {
		return ""
	}
	return fmt.Sprintf("with the header as %s, though c= says %s: the signer is at fault", other, is)
}

// holds tells whether the signature verifies with these changes undone.
func (d *diagnosis) holds(changes ...change) bool {
	edits := make(map[int]edit)
	for _, c := range changes {
		for _, e := range c.edits {
			edits[e.at] = e
		}
	}
	header, own := make(message.Header, 0, len(d.header)+len(edits)), -1
	for i, f := range d.header {
		e, edited := edits[i]
		switch {
		case i == d.own:
			own = len(header)
			header = append(header, f)
		case !edited:
			header = append(header, f)
		default:
			for range e.times {
				header = append(header, e.field)
			}
		}
	}
	return d.matches(d.sig, header, own)
}

// matches holds a header to the signature and the key.
func (d *diagnosis) matches(s *Signature, header message.Header, own int) bool {
	if !d.spend(len(d.data) + len(header)*(2+len(s.Headers)/8)) { // the last time's size stands for this one's
		return false
	}
	d.data = s.AppendSigned(d.data[:0], header, own)
	sum := sha256.Sum256(d.data)
	if d.signed != nil && !bytes.Equal(sum[:], d.signed) {
		return false
	}
	if d.verifications == 0 {
		d.short = true
		return false
	}
	d.verifications--
	return d.key.Verify(s.Algorithm, sum[:], s.Value) == nil
}

// places gives the indices of the fields that h= picks.
func (d *diagnosis) places() []int {
	var places []int
	if !d.spend(len(d.sig.Headers) * len(d.header) / 4) {
		return nil
	}
	taken := make(map[int]bool)
	for _, name := range d.sig.Headers {
		for i := len(d.header) - 1; i >= 0; i-- {
			if i != d.own && !taken[i] && d.header[i].Is(name) {
				taken[i] = true
				places = append(places, i)
				break
			}
		}
	}
	return places
}
