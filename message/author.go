package message

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// An Author is what the From field says about who wrote the message (RFC 5322 3.6.2, 4.4; RFC 6532).
type Author struct {
	Domain  string   // the Author Domain; empty unless there is exactly one
	Domains []string // every domain that can be made out, in order, each once: at most 20
	Beyond  bool     // there was more than is looked at: a longer field, or more domains
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
// broken there is no Author Domain, and every domain that some reader might take for it is found: an odd From is no way around a
// policy (RFC 9989 11.5).
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
		a.Err = errNoAddress
	case len(a.Domains) > 1:
		a.Err = fmt.Errorf("the From field holds %d domains: %s", len(a.Domains), strings.Join(a.Domains, ", "))
	default:
		a.Domain = a.Domains[0]
	}
	return a
}

var errNoAddress = errors.New("the From field holds no address with a domain (RFC 5322 3.6.2)")

// read adds the domains of one From field.
func (a *Author) read(value string) {
	if len(value) > maxFrom {
		value = value[:maxFrom]
		a.Beyond = true
		a.Err = fmt.Errorf("the From field has more than %d bytes", maxFrom)
	}
	r := fromReader{Author: a, lexer: lexer{text: value}}
	r.list()
	if len(a.Domains) == 0 && a.Err == nil && !r.lexer.unclosed {
		a.Err = errNoAddress
	}
	if a.Err != nil || r.lexer.unclosed {
		a.anywhere(value)
		var d mime.WordDecoder
		if text, err := d.DecodeHeader(value); err == nil && text != value {
			a.anywhere(text)
		}
	}
}

// A fromReader goes through the mailboxes of a From field.
type fromReader struct {
	*Author
	lexer lexer
	last  string // the domain of the mailbox before; empty if it had none
}

// list reads mailboxes and groups (RFC 5322 3.4).
func (r *fromReader) list() {
	var mailbox []token
	for {
		t := r.lexer.next()
		switch t.kind {
		case end:
			r.mailbox(mailbox)
			return
		case ':': // the name of a group, or of nothing we know
			if slices.ContainsFunc(mailbox, token.isAt) {
				r.mailbox(mailbox)
			}
			mailbox = mailbox[:0]
		case ',', ';':
			r.mailbox(mailbox)
			mailbox = mailbox[:0]
		case '<':
			mailbox = r.lexer.angle(append(mailbox, t))
		default:
			mailbox = append(mailbox, t)
		}
	}
}

// mailbox adds the domains of one mailbox: of its angle brackets where these hold an address, and otherwise of what stands there.
func (r *fromReader) mailbox(tokens []token) {
	if i := slices.IndexFunc(tokens, func(t token) bool { return t.kind == '<' }); i >= 0 {
		angle := withoutRoute(tokens[i+1:])
		if slices.ContainsFunc(angle, token.isAt) {
			tokens = angle
		}
	}
	found := false
	for i, t := range tokens {
		if t.isAt() {
			found = true
			r.address(tokens[i+1:])
		}
	}
	if joined := join(tokens); !found && r.last != "" && joined != "" { // alice@example,com
		r.broken(r.last + "." + joined)
		r.add(r.last + "." + joined)
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

// address adds the domain that follows an @. What follows the domain in its turn can be nothing but the end of the address: a reader
// might join the two, or take the second for the domain.
func (r *fromReader) address(tokens []token) {
	domain, n := domainOf(tokens)
	r.last = domain
	r.add(domain)
	rest := tokens[n:]
	if i := slices.IndexFunc(rest, func(t token) bool { return t.kind == '>' || t.isAt() }); i >= 0 && rest[i].kind == '>' {
		rest = rest[:i]
	}
	if !slices.ContainsFunc(rest, func(t token) bool { return t.kind != '<' }) {
		return
	}
	r.broken(domain + "…")
	if joined := join(rest); joined != "" {
		r.add(domain + joined)
		r.add(domain + "." + joined)
		r.add(joined)
	}
}

// domainOf joins the atoms and dots that follow an @, and tells how many tokens these are; white space and comments may stand between
// them (RFC 5322 4.4).
func domainOf(tokens []token) (domain string, n int) {
	if len(tokens) > 0 && tokens[0].kind == literal {
		return tokens[0].text, 1
	}
	var b strings.Builder
	for n < len(tokens) && tokens[n].kind == [...]byte{atom, '.'}[n%2] {
		b.WriteString(tokens[n].text)
		n++
	}
	return b.String(), n
}

// join is what a reader sees who does not mind what stands between atoms, nor too many dots.
func join(tokens []token) string {
	var b strings.Builder
	dot := false
	for _, t := range tokens {
		switch t.kind {
		case '.':
			dot = b.Len() > 0
		case atom:
			if dot {
				b.WriteByte('.')
			}
			b.WriteString(t.text)
			dot = false
		case '@':
			return b.String()
		}
	}
	return b.String()
}

func (a *Author) broken(domain string) {
	if a.Err == nil {
		a.Err = fmt.Errorf("the From field holds an address at %.100q, which is no domain name", domain)
	}
}

// add takes a domain in. One that can be nobody's is an error, and what a careless reader would take it for is taken in instead.
func (a *Author) add(domain string) {
	name, err := dns.ToASCII(domain)
	if err == nil && domainPrefix(name) == len(name) {
		switch {
		case slices.Contains(a.Domains, name):
		case len(a.Domains) == maxAuthorDomains:
			a.Beyond = true
		default:
			a.Domains = append(a.Domains, name)
		}
		return
	}
	a.broken(domain)
	if n := domainPrefix(domain); n > 0 && n < len(domain) {
		a.add(domain[:n])
	}
}

// anywhere adds whatever looks like a domain after an @: the last resort, where the syntax is broken.
func (a *Author) anywhere(text string) {
	for range maxAuthorDomains {
		i := strings.IndexByte(text, '@')
		if i < 0 {
			return
		}
		text = text[i+1:]
		n := domainPrefix(text)
		if n == 0 {
			continue
		}
		if name, err := dns.ToASCII(text[:n]); err == nil {
			a.add(name)
		}
		if bare := strings.TrimRight(text[:n], "_-."); bare != "" && len(bare) < n { // in an encoded word "_" is a space
			a.add(bare)
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
