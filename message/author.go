package message

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// An Author is what the From field says about who wrote the message (RFC 5322 3.6.2, 4.4; RFC 6532).
type Author struct {
	Domain  string   // the Author Domain; empty unless there is exactly one
	Domains []string // every domain that can be made out, in order, each once: at most 20
	Err     error    // why there is no Author Domain
}

// What a From field can make a receiver look at, and remember meanwhile.
const (
	maxAuthorDomains = 20
	maxFrom          = 16 << 10
)

// Author reads the From field.
//
// It looks at addresses alone, never at display names, comments or encoded words, where a forger puts the decoy. Where the syntax is
// broken it errs on the side of finding a domain: an odd From is no way around a policy (RFC 9989 11.5).
func (h Header) Author() Author {
	var a Author
	fields := 0
	for _, f := range h {
		if f.Is("From") {
			fields++
			a.read(f.Value())
		}
	}
	switch {
	case fields == 0:
		a.Err = errors.New("no From field (RFC 5322 3.6)")
	case fields > 1:
		a.Err = fmt.Errorf("%d From fields, where RFC 5322 3.6 allows one", fields)
	case a.Err != nil:
	case len(a.Domains) == 0:
		a.Err = errors.New("the From field holds no address with a domain (RFC 5322 3.6.2)")
	case len(a.Domains) > 1:
		a.Err = fmt.Errorf("the From field holds %d domains: %s", len(a.Domains), strings.Join(a.Domains, ", "))
	default:
		a.Domain = a.Domains[0]
	}
	return a
}

// read adds the domains of one From field.
func (a *Author) read(value string) {
	if len(value) > maxFrom {
		value = value[:maxFrom]
		a.Err = fmt.Errorf("the From field has more than %d bytes", maxFrom)
	}
	l := lexer{text: value}
	var mailbox []token
	for {
		t := l.next()
		switch t.kind {
		case end:
			a.mailbox(mailbox)
			if l.unclosed {
				a.anywhere(value)
			}
			return
		case ':': // the name of a group, or of nothing we know
			if slices.ContainsFunc(mailbox, token.isAt) {
				a.mailbox(mailbox)
			}
			mailbox = mailbox[:0]
		case ',', ';':
			a.mailbox(mailbox)
			mailbox = mailbox[:0]
		case '<':
			mailbox = l.angle(append(mailbox, t))
		default:
			mailbox = append(mailbox, t)
		}
	}
}

// mailbox adds the domains of one mailbox: of its angle brackets where these hold an address, and otherwise of what stands there.
func (a *Author) mailbox(tokens []token) {
	if i := slices.IndexFunc(tokens, func(t token) bool { return t.kind == '<' }); i >= 0 {
		angle := withoutRoute(tokens[i+1:])
		if slices.ContainsFunc(angle, token.isAt) {
			tokens = angle
		}
	}
	for i, t := range tokens {
		if t.isAt() {
			a.add(domainOf(tokens[i+1:]))
		}
	}
}

// withoutRoute cuts the obsolete source route off (RFC 5322 4.4): @relay.example,@other.example:
func withoutRoute(angle []token) []token {
	if len(angle) > 0 && angle[0].isAt() {
		if i := slices.IndexFunc(angle, func(t token) bool { return t.kind == ':' }); i >= 0 {
			return angle[i+1:]
		}
	}
	return angle
}

// domainOf joins the atoms and dots that follow an @; white space and comments may stand between them (RFC 5322 4.4).
func domainOf(tokens []token) string {
	var b strings.Builder
	wantAtom := true
	for _, t := range tokens {
		if t.kind == literal && b.Len() == 0 {
			return t.text
		}
		if wantAtom && t.kind != atom || !wantAtom && t.kind != '.' {
			break
		}
		b.WriteString(t.text)
		wantAtom = !wantAtom
	}
	return b.String()
}

func (a *Author) add(domain string) {
	name, err := dns.ToASCII(domain)
	if err == nil && domain[0] != '[' {
		if len(a.Domains) < maxAuthorDomains && !slices.Contains(a.Domains, name) {
			a.Domains = append(a.Domains, name)
		}
		return
	}
	if a.Err == nil {
		a.Err = fmt.Errorf("the From field holds an address at %.100q, which is no domain name", domain)
	}
	if n := domainPrefix(domain); n > 0 && n < len(domain) {
		a.add(domain[:n]) // what a careless reader would take it for
	}
}

// anywhere adds whatever looks like a domain after an @: the last resort, where a quote or a comment has no end.
func (a *Author) anywhere(text string) {
	for range maxAuthorDomains {
		i := strings.IndexByte(text, '@')
		if i < 0 {
			return
		}
		text = text[i+1:]
		if n := domainPrefix(text); n > 0 {
			a.add(text[:n])
		}
	}
}

// domainPrefix is the length of the longest beginning that is made of what domains are made of, without a dot at its end.
func domainPrefix(s string) int {
	n := 0
	for n < len(s) && (isAlphanumeric(s[n]) || s[n] == '-' || s[n] == '.' || s[n] == '_' || s[n] >= 0x80) {
		n++
	}
	for n > 0 && s[n-1] == '.' {
		n--
	}
	return n
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
