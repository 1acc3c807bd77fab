package dkim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Signature is what a DKIM-Signature field says (RFC 6376 3.5), or one of ARC's two that are made like it (RFC 8617 4.1).
type Signature struct {
	Algorithm        string // a=, as written
	Canonicalization Canonicalization
	SDID             string   // d=, A-labels, lower case
	Selector         string   // s=, A-labels, lower case
	AUID             string   // i=, its domain as A-labels in lower case; "@" and d= if absent, and for ARC
	Instance         int      // i= of ARC; 0 for DKIM
	Headers          []string // h=, lower case
	BodyHash         []byte   // bh=
	Value            []byte   // b=
	BodyLength       int64    // l=, or -1 if absent
	Time             int64    // t=, or -1 if absent
	Expiration       int64    // x=, or -1 if absent

	raw          string // the field's value
	bStart, bEnd int    // where in raw the value of b= stands, with the white space around it
}

// The bounds of a signature. What people sign with stays far below them.
const (
	maxSignedHeaders = 512  // names in h=
	maxBase64        = 2048 // characters of b= and bh=: 1368 are RSA with 8192 bits
	maxInstance      = 50   // RFC 8617 4.2.1
)

// ParseSignature reads the value of a DKIM-Signature field. Beside an error stands what could be read all the same, for reports
// only; every error is a permerror (RFC 6376 6.1.1).
func ParseSignature(value string) (*Signature, error) {
	s := new(Signature)
	return s, s.parse(value, dkimSignature)
}

// ParseMessageSignature reads the value of an ARC-Message-Signature field: a DKIM-Signature whose i= is the instance, and without
// v= (RFC 8617 4.1.2).
func ParseMessageSignature(value string) (*Signature, error) {
	s := new(Signature)
	return s, s.parse(value, arcMessageSignature)
}

// ParseSeal reads the value of an ARC-Seal field, which has neither bh= nor h=, and is always relaxed (RFC 8617 4.1.3). See
// [Signature.Tag] for cv=.
func ParseSeal(value string) (*Signature, error) {
	s := new(Signature)
	return s, s.parse(value, arcSeal)
}

// Tag returns the value of any tag as it was written, and whether the signature has it.
func (s *Signature) Tag(name string) (string, bool) {
	var few [16]Tag
	tags, err := appendTags(few[:0], s.raw)
	if err != nil {
		return "", false
	}
	return tags.Get(name)
}

// A kind is one of the fields that are made alike.
type kind uint8

const (
	dkimSignature kind = iota
	arcMessageSignature
	arcSeal
)

// parse goes on after an error, so that a report can name the domain, and returns the first one.
func (s *Signature) parse(value string, k kind) error {
	var few [16]Tag
	*s = Signature{raw: value, BodyLength: -1, Time: -1, Expiration: -1, Canonicalization: Canonicalization{Simple, Simple}}
	tags, first := appendTags(few[:0], value)
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	if k == dkimSignature {
		keep(checkVersion(tags))
	}
	keep(s.parseIdentity(tags, k))
	keep(s.parseNumbers(tags))
	keep(s.parseValue(tags))
	if k == arcSeal {
		s.Canonicalization = Canonicalization{Relaxed, Relaxed}
		return first
	}
	if c, ok := tags.Get("c"); ok {
		var err error
		s.Canonicalization, err = ParseCanonicalization(c)
		keep(err)
	}
	keep(s.parseBodyHash(tags))
	keep(s.parseHeaders(tags))
	keep(checkQuery(tags))
	return first
}

// checkVersion holds v= to be there and to be 1, compared as a string (RFC 6376 3.5, 6.1.1).
func checkVersion(tags Tags) error {
	v, ok := tags.Get("v")
	switch {
	case !ok:
		return missing("v")
	case v != "1":
		return fmt.Errorf("v=%s: no such version of DKIM; it is 1", quote(v))
	}
	return nil
}

// parseIdentity reads who signed, and how: a=, d=, s= and i=.
func (s *Signature) parseIdentity(tags Tags, k kind) (first error) {
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	var err error
	if s.Algorithm, err = required(tags, "a"); err != nil {
		keep(err)
	}
	d, err := required(tags, "d")
	if err == nil {
		s.SDID, err = domainName(d)
		if err == nil && strings.IndexByte(s.SDID, '.') < 0 { // the grammar of d= wants two labels at least
			err = errors.New("it is a top-level domain")
		}
		if err != nil {
			err = fmt.Errorf("d=%s: not a domain: %w", quote(d), err)
		}
	}
	keep(err)
	sel, err := required(tags, "s")
	if err == nil {
		if s.Selector, err = domainName(sel); err != nil {
			err = fmt.Errorf("s=%s: not a selector: %w", quote(sel), err)
		}
	}
	keep(err)
	if k != dkimSignature {
		s.AUID = "@" + s.SDID
		keep(s.parseInstance(tags))
		return first
	}
	keep(s.parseAUID(tags))
	return first
}

// parseAUID reads i=, whose domain lies within d= (RFC 6376 3.5).
func (s *Signature) parseAUID(tags Tags) error {
	i, ok := tags.Get("i")
	if !ok {
		s.AUID = "@" + s.SDID // RFC 6376 6.1.1
		return nil
	}
	if strings.ContainsAny(i, " \t\r\n") {
		i = string(appendWithoutFWS(nil, i)) // RFC 6376 2.11: white space is not part of dkim-quoted-printable
	}
	at := strings.LastIndexByte(i, '@')
	if at < 0 {
		return fmt.Errorf("i=%s: there is no @ in it", quote(i))
	}
	domain, err := domainName(i[at+1:])
	if err != nil {
		return fmt.Errorf("i=%s: not a domain after the @: %w", quote(i), err)
	}
	s.AUID = i
	if domain != i[at+1:] {
		s.AUID = i[:at+1] + domain
	}
	if s.SDID != "" && !within(domain, s.SDID) {
		return fmt.Errorf("i=%s does not lie within d=%s", quote(i), s.SDID)
	}
	return nil
}

// within tells whether domain is parent or lies below it, at a label boundary.
func within(domain, parent string) bool {
	rest, ok := strings.CutSuffix(domain, parent)
	return ok && (rest == "" || rest[len(rest)-1] == '.')
}

// parseInstance reads i= of ARC (RFC 8617 4.2.1).
func (s *Signature) parseInstance(tags Tags) error {
	i, err := required(tags, "i")
	if err != nil {
		return err
	}
	n, err := number(i)
	if err != nil || n < 1 || n > maxInstance {
		return fmt.Errorf("i=%s: an instance is a number from 1 to %d", quote(i), maxInstance)
	}
	s.Instance = int(n)
	return nil
}

// parseNumbers reads l=, t= and x=.
func (s *Signature) parseNumbers(tags Tags) error {
	for _, t := range tags {
		var to *int64
		switch t.Name {
		case "l":
			to = &s.BodyLength
		case "t":
			to = &s.Time
		case "x":
			to = &s.Expiration
		default:
			continue
		}
		n, err := number(t.Value)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", t.Name, quote(t.Value), err)
		}
		*to = n
	}
	if s.Time >= 0 && s.Expiration >= 0 && s.Expiration <= s.Time { // RFC 6376 3.5
		return fmt.Errorf("it expired before it was made: x=%d is not after t=%d", s.Expiration, s.Time)
	}
	return nil
}

// number reads an unsigned decimal number. Those that are too large for us are as good as infinite (RFC 6376 3.5).
func number(s string) (int64, error) {
	const mostDigits = 76 // of l=
	if s == "" || len(s) > mostDigits {
		return -1, errors.New("not a number")
	}
	n := int64(0)
	for i := range len(s) {
		d := s[i] - '0'
		switch {
		case d > 9:
			return -1, errors.New("not a number")
		case n > (math.MaxInt64-9)/10:
			n = math.MaxInt64
		default:
			n = n*10 + int64(d)
		}
	}
	return n, nil
}

// parseValue reads b=, and remembers where it stands, for it is no part of what was signed.
func (s *Signature) parseValue(tags Tags) error {
	for _, t := range tags {
		if t.Name == "b" {
			s.bStart, s.bEnd = t.start, t.end
		}
	}
	b, err := required(tags, "b")
	if err != nil {
		return err
	}
	s.Value, err = decodeBase64(b, maxBase64)
	if err != nil {
		return fmt.Errorf("b=: %w", err)
	}
	return nil
}

func (s *Signature) parseBodyHash(tags Tags) error {
	bh, err := required(tags, "bh")
	if err != nil {
		return err
	}
	if s.BodyHash, err = decodeBase64(bh, maxBase64); err != nil {
		return fmt.Errorf("bh=: %w", err)
	}
	return nil
}

// parseHeaders reads h=, in which From must stand (RFC 6376 5.4).
func (s *Signature) parseHeaders(tags Tags) error {
	list, err := required(tags, "h")
	if err != nil {
		return err
	}
	n := strings.Count(list, ":") + 1
	if n > maxSignedHeaders {
		return fmt.Errorf("h= names %d header fields; %d are looked at", n, maxSignedHeaders)
	}
	s.Headers = make([]string, 0, n)
	from := false
	for name := range strings.SplitSeq(strings.ToLower(list), ":") {
		name = trimFWS(name)
		if !isFieldName(name) {
			return fmt.Errorf("h=: %s is not the name of a header field", quote(name))
		}
		from = from || name == "from"
		s.Headers = append(s.Headers, name)
	}
	if !from {
		return errors.New("h= does not sign the From field")
	}
	return nil
}

// isFieldName follows RFC 5322 2.2: printable ASCII without the colon.
func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' || s[i] == ';' {
			return false
		}
	}
	return s != ""
}

// checkQuery holds q=, where there is one, to name the one way to get a key (RFC 6376 3.5).
func checkQuery(tags Tags) error {
	q, ok := tags.Get("q")
	if !ok || hasWord(q, "dns/txt") {
		return nil
	}
	return fmt.Errorf("q=%s: no such query method; it is dns/txt", quote(q))
}

// hasWord tells whether a word stands in a list with colons, compared without regard to case.
func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ":") {
		if strings.EqualFold(trimFWS(w), word) {
			return true
		}
	}
	return false
}

// trimFWS cuts white space and line ends off both ends.
func trimFWS(s string) string {
	isWhite := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
	for s != "" && isWhite(s[0]) {
		s = s[1:]
	}
	for s != "" && isWhite(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// required is the value of a tag that must be there and say something.
func required(tags Tags, name string) (string, error) {
	v, ok := tags.Get(name)
	switch {
	case !ok:
		return "", missing(name)
	case v == "":
		return "", fmt.Errorf("the tag %s= is empty", name)
	}
	return v, nil
}

func missing(name string) error { return fmt.Errorf("the tag %s= is missing", name) }

// domainName reads a domain as it stands in d=, s= and behind the @ of i=: A-labels, or U-labels that become such (RFC 8616 4).
func domainName(s string) (string, error) {
	if strings.HasSuffix(s, ".") {
		return "", errors.New("it ends in a dot")
	}
	name, err := dns.ToASCII(s)
	if err != nil {
		return "", dns.ErrBadName
	}
	for i := range len(name) {
		c := name[i]
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '-' && c != '_' && c != '.' {
			return "", fmt.Errorf("it holds %s", quote(name[i:i+1]))
		}
	}
	return name, nil
}

// decodeBase64 reads base64 of so many characters at most, with white space anywhere.
func decodeBase64(s string, most int) ([]byte, error) {
	var few [512]byte
	if len(s) > 2*most {
		return nil, fmt.Errorf("it is longer than %d characters", 2*most)
	}
	text := appendWithoutFWS(few[:0], s)
	if len(text) > most {
		return nil, fmt.Errorf("it is longer than %d characters", most)
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(b, text)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return b[:n], nil
}
