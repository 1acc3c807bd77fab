package arc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/message"
)

const (
	maxInstance = 50 // RFC 8617 4.2.1

	nameAAR = "ARC-Authentication-Results"
	nameAMS = "ARC-Message-Signature"
	nameAS  = "ARC-Seal"
)

// A set is the three fields of one instance, by their places in the header; -1 for one that is missing.
type set struct {
	aar, ams, as int
	signature    *dkim.Signature // of ams
	seal         *dkim.Signature // of as
	cv           string
}

// A chain is the sets of a header, instance 1 first.
type chain struct {
	header message.Header
	sets   []set
	err    error // why its structure is broken
}

// readChain collects the sets (RFC 8617 5.2, steps 1 to 3). It reads every field, so that the highest instance is known of a broken
// chain too.
func readChain(h message.Header) *chain {
	c := &chain{header: h}
	for i, f := range h {
		var place func(*set) *int
		switch {
		case !hasPrefixFold(f.Name, "ARC-"):
			continue
		case f.Is(nameAAR):
			place = func(s *set) *int { return &s.aar }
		case f.Is(nameAMS):
			place = func(s *set) *int { return &s.ams }
		case f.Is(nameAS):
			place = func(s *set) *int { return &s.as }
		default:
			continue
		}
		instance, err := instanceOf(f)
		if err != nil {
			c.fail(fmt.Errorf("%s: %w", f.Name, err))
			continue
		}
		for len(c.sets) < instance {
			c.sets = append(c.sets, set{aar: -1, ams: -1, as: -1})
		}
		if at := place(&c.sets[instance-1]); *at < 0 {
			*at = i
		} else {
			c.fail(fmt.Errorf("instance %d has two %s fields", instance, f.Name))
		}
	}
	for i := range c.sets {
		if c.err == nil {
			c.err = c.sets[i].read(h, i+1)
		}
	}
	return c
}

// isWhole tells whether the chain has so many sets, and each has its three fields.
func (c *chain) isWhole(sets int) bool {
	for _, s := range c.sets {
		if s.aar < 0 || s.ams < 0 || s.as < 0 {
			return false
		}
	}
	return len(c.sets) == sets
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func (c *chain) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// instanceOf reads i=, which comes first in ARC-Authentication-Results and anywhere in the others (RFC 8617 4.1).
func instanceOf(f message.Field) (int, error) {
	var value string
	if f.Is(nameAAR) {
		var ok bool
		if value, _, ok = splitResults(f.Value()); !ok {
			return 0, errors.New("it does not begin with i= and a semicolon after it")
		}
	} else {
		tags, err := dkim.ParseTags(f.Value())
		if err != nil {
			return 0, err
		}
		value, _ = tags.Get("i")
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxInstance || value[0] == '+' { // Atoi takes a sign
		return 0, fmt.Errorf("i=%.20q: an instance is a number from 1 to %d", value, maxInstance)
	}
	return n, nil
}

const fws = " \t\r\n"

// read parses the signatures of a set and checks what needs no key.
func (s *set) read(h message.Header, instance int) (err error) {
	switch {
	case s.aar < 0:
		return fmt.Errorf("instance %d has no %s field", instance, nameAAR)
	case s.ams < 0:
		return fmt.Errorf("instance %d has no %s field", instance, nameAMS)
	case s.as < 0:
		return fmt.Errorf("instance %d has no %s field", instance, nameAS)
	}
	if s.seal, err = dkim.ParseSeal(h[s.as].Value()); err != nil {
		return fmt.Errorf("the seal of instance %d: %w", instance, err)
	}
	if _, has := s.seal.Tag("h"); has { // RFC 8617 4.1.3
		return fmt.Errorf("the seal of instance %d has an h= tag", instance)
	}
	s.cv, _ = s.seal.Tag("cv")
	s.cv = strings.ToLower(s.cv)
	if s.signature, err = dkim.ParseMessageSignature(h[s.ams].Value()); err != nil {
		return fmt.Errorf("the message signature of instance %d: %w", instance, err)
	}
	for _, name := range s.signature.Headers {
		if strings.EqualFold(name, nameAS) { // RFC 8617 4.1.2
			return fmt.Errorf("the message signature of instance %d signs %s", instance, nameAS)
		}
	}
	want := "pass"
	if instance == 1 {
		want = "none"
	}
	switch {
	case s.cv == "fail":
		return fmt.Errorf("the sealer of instance %d, %s, found the chain broken (cv=fail)", instance, s.seal.SDID)
	case s.cv != want:
		return fmt.Errorf("the seal of instance %d says cv=%.20q, where only %s can stand", instance, s.cv, want)
	}
	return nil
}

// splitResults takes the instance off an ARC-Authentication-Results field (RFC 8617 4.1.1, 4.2.1).
func splitResults(value string) (instance, results string, ok bool) {
	rest, ok := strings.CutPrefix(skipCFWS(value), "i")
	if !ok {
		return "", "", false
	}
	if rest, ok = strings.CutPrefix(skipCFWS(rest), "="); !ok {
		return "", "", false
	}
	rest = skipCFWS(rest)
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	instance = rest[:end]
	results, ok = strings.CutPrefix(skipCFWS(rest[end:]), ";")
	return instance, strings.Trim(results, fws), ok
}

// skipCFWS goes over white space and comments, which nest (RFC 5322 3.2.2).
func skipCFWS(s string) string {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case depth == 0 && strings.IndexByte(fws, c) < 0:
			return s[i:]
		case c == ')':
			depth--
		case c == '\\':
			i++
		}
	}
	return ""
}

// payload is what an ARC-Authentication-Results field says after its instance.
func payload(f message.Field) string {
	_, results, _ := splitResults(f.Value())
	return results
}
