package examine

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// A ClientError says why a header does not tell who handed the message over.
type ClientError struct {
	Text string
	Path bool // it does, but not MAIL FROM
}

func (e *ClientError) Error() string { return e.Text }

var (
	errNoReceived   = &ClientError{Text: "no Received field says who the client was"}
	errNoClient     = &ClientError{Text: "the topmost Received field names no client's address"}
	errManyClients  = &ClientError{Text: "the topmost Received field names several clients"}
	errReceivedForm = &ClientError{Text: "the topmost Received field is of no known form"}
)

// clientOf reads who handed a message to our own server out of the field that the server wrote on top: RFC 5321 4.4, in the forms of
// Postfix, sendmail, Exim, Exchange, Gmail and qmail. MAIL FROM is Return-Path's.
//
// The client chose its HELO and perhaps its reverse name, and may have tried to make them look like an address. So everything must
// stand where the server puts it, and a field with two addresses tells nothing.
func clientOf(h message.Header) (verify.Client, error) {
	field, ok := h.First("Received")
	if !ok {
		return verify.Client{}, errNoReceived
	}
	c, err := parseReceived(Unfold(field.Value()))
	if err != nil {
		return verify.Client{}, err
	}
	if path, ok := h.First("Return-Path"); ok {
		c.MailFrom, err = parseReturnPath(Unfold(path.Value()))
	}
	return c, err
}

// parseReceived reads "from NAME (…) (…) by …".
func parseReceived(s string) (verify.Client, error) {
	var c verify.Client
	rest, ok := cutWord(s, "from")
	if !ok {
		return c, errNoClient // a server's own message to itself
	}
	end := strings.IndexAny(rest, " \t(")
	if end <= 0 {
		return c, errReceivedForm
	}
	from, rest := rest[:end], strings.TrimLeft(rest[end:], " \t")
	c.Helo = from
	fromAddr, fromIsAddr := literal(from)
	for strings.HasPrefix(rest, "(") {
		comment, after, err := cutComment(rest)
		if err != nil {
			return c, err
		}
		rest = strings.TrimLeft(after, " \t")
		ip, helo := parseClient(comment)
		if helo != "" {
			c.Helo = helo
			if fromIsAddr && !ip.IsValid() && !c.IP.IsValid() {
				ip = fromAddr // Exim: from [192.0.2.1] (helo=mx.example.net)
			}
		}
		if !ip.IsValid() {
			continue
		}
		if c.IP.IsValid() {
			return verify.Client{}, errManyClients
		}
		c.IP = ip
	}
	if _, ok := cutWord(rest, "by"); !ok {
		return verify.Client{}, errReceivedForm
	}
	if !c.IP.IsValid() {
		return verify.Client{}, errNoClient
	}
	return c, nil
}

// parseClient reads what a server writes about the client in one comment. There is nothing in most.
func parseClient(comment string) (ip netip.Addr, helo string) {
	words := strings.Fields(comment)
	if len(words) == 0 {
		return
	}
	if len(words) == 1 { // Exchange: (192.0.2.1); qmail: (ident@192.0.2.1)
		bare := words[0]
		if at := strings.LastIndexByte(bare, '@'); at >= 0 {
			bare = bare[at+1:]
		}
		if ip, err := netip.ParseAddr(strings.TrimPrefix(bare, "IPv6:")); err == nil {
			return ip.Unmap().WithZone(""), ""
		}
	}
	if len(words) == 2 && words[0] == "HELO" { // qmail
		return netip.Addr{}, words[1]
	}
	if addr, ok := literal(words[0]); ok { // Exim: ([192.0.2.1]:25 helo=mx.example.net), Exchange: ([192.0.2.1])
		return addr, eximHelo(words[1:])
	}
	if helo := eximHelo(words); helo != "" { // Exim: (helo=mx.example.net), (port=25 helo=mx.example.net)
		return netip.Addr{}, helo
	}
	if len(words) > 1 && !strings.ContainsAny(words[0], "[]=") { // Postfix, sendmail, Gmail: (mx.example.net [192.0.2.1])
		if addr, ok := literal(words[1]); ok && (len(words) == 2 || strings.HasPrefix(words[2], "(")) {
			return addr, ""
		}
	}
	return
}

// eximHelo finds helo= among words that are all of the form key=value.
func eximHelo(words []string) string {
	helo := ""
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			return ""
		case key == "helo":
			helo = value
		}
	}
	return helo
}

// literal reads an address literal, as servers write it: with or without the tag of RFC 5321 4.1.3, perhaps with Exim's port.
func literal(s string) (netip.Addr, bool) {
	if !strings.HasPrefix(s, "[") {
		return netip.Addr{}, false
	}
	inside, port, ok := strings.Cut(s[1:], "]")
	if !ok || port != "" && !strings.HasPrefix(port, ":") {
		return netip.Addr{}, false
	}
	if len(inside) > 5 && strings.EqualFold(inside[:5], "IPv6:") {
		inside = inside[5:]
	}
	ip, err := netip.ParseAddr(inside)
	return ip.Unmap().WithZone(""), err == nil
}

// cutWord takes a word off the front.
func cutWord(s, word string) (rest string, ok bool) {
	if len(s) <= len(word) || !strings.EqualFold(s[:len(word)], word) || s[len(word)] != ' ' && s[len(word)] != '\t' {
		return s, false
	}
	return strings.TrimLeft(s[len(word):], " \t"), true
}

// cutComment takes a comment off the front, which may hold others (RFC 5322 3.2.2).
func cutComment(s string) (comment, rest string, err error) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[1:i], s[i+1:], nil
			}
		}
	}
	return "", "", errReceivedForm
}

// parseReturnPath gives the address between the angle brackets, which is empty for the null reverse-path.
func parseReturnPath(s string) (string, error) {
	if len(s) < 2 || s[0] != '<' || s[len(s)-1] != '>' {
		return "", &ClientError{Text: fmt.Sprintf("Return-Path %q is no path", s), Path: true}
	}
	return s[1 : len(s)-1], nil
}
