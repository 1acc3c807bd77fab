package failure

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// Redact gives a copy of a report without what is personal in it (RFC 6590), fit to be kept or sent.
//
// Local parts, the subject and identifiers stand as a keyed hash: whoever has the same key gets the same word for the same local part,
// and so can count, but not name. Domains, addresses of hosts, results and dates stay. Of the header only fields that are known to be
// about transport or authentication stay, each written anew of the parts that are known to be harmless; bodies, canonicalized texts,
// display names, comments and unknown fields go. The reporter's own name and address stay. The key must be secret and should be long.
func (r *Report) Redact(key []byte) *Report {
	x := redactor{key}
	out := *r
	out.UserAgent = x.text(r.UserAgent)
	out.ReportingMTA = x.text(r.ReportingMTA)
	out.FeedbackType = x.word(r.FeedbackType, feedbackTypes)
	out.AuthFailure = x.word(r.AuthFailure, authFailures)
	out.DeliveryResult = x.word(r.DeliveryResult, deliveryResults)
	out.Version = x.text(r.Version)
	out.IdentityAlignment = x.each(r.IdentityAlignment, func(s string) string { return x.word(s, methods) })
	out.OriginalEnvelopeID = x.hash(r.OriginalEnvelopeID)
	out.OriginalMailFrom = x.address(r.OriginalMailFrom)
	out.OriginalRcptTo = x.each(r.OriginalRcptTo, x.address)
	out.ReportedDomains = x.each(r.ReportedDomains, x.domain)
	out.ReportedURIs = x.each(r.ReportedURIs, x.uri)
	out.AuthenticationResults = x.each(r.AuthenticationResults, x.results)
	out.DKIM = DKIM{Domain: x.domain(r.DKIM.Domain), Identity: x.address(r.DKIM.Identity), Selector: x.selector(r.DKIM.Selector),
		SelectorDNS: x.text(r.DKIM.SelectorDNS), ADSPDNS: x.text(r.DKIM.ADSPDNS)}
	out.SPF.DNS = nil
	for _, record := range r.SPF.DNS {
		out.SPF.DNS = append(out.SPF.DNS, SPFRecord{record.Type, record.Domain, x.text(record.Record)})
	}
	out.Extra = nil
	out.OriginalHeader, out.OriginalBody = "", nil
	out.AuthorDomain, out.Subject, out.MessageID = r.AuthorDomain, x.hash(r.Subject), x.identifier(r.MessageID)
	if header := x.header(r.OriginalHeader); len(header) > 0 {
		out.setOriginalHeader(header)
	}
	out.Warnings = x.each(r.Warnings, unquoted)
	return &out
}

type redactor struct{ key []byte }

// hash is the word that stands for another (RFC 6590 3).
func (x redactor) hash(s string) string {
	if s == "" {
		return ""
	}
	mac := hmac.New(sha256.New, x.key)
	mac.Write([]byte(s))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

func (x redactor) each(list []string, f func(string) string) []string {
	var out []string
	for _, s := range list {
		out = append(out, f(s))
	}
	return out
}

// word keeps a word that is known.
func (x redactor) word(s string, known []string) string {
	if s == "" || slices.Contains(known, s) {
		return s
	}
	return x.hash(s)
}

// address keeps the domain of an address, if that is one.
func (x redactor) address(s string) string {
	i := strings.LastIndexByte(s, '@')
	switch {
	case s == "<>":
		return s
	case i < 0:
		return x.hash(s)
	case i == 0:
		return "@" + x.domain(s[1:])
	}
	return x.hash(s[:i]) + "@" + x.domain(s[i+1:])
}

// domain keeps what is a host's name or address.
func (x redactor) domain(s string) string {
	if isHost(s) {
		return s
	}
	return strings.ToLower(x.hash(s))
}

// isHost tells whether s is a domain of two labels at least, or an IP address. A single word might be anything.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(strings.TrimPrefix(strings.Trim(s, "[]"), "IPv6:")); err == nil {
		return true
	}
	dots := 0
	for _, c := range []byte(s) {
		switch {
		case c == '.':
			dots++
		case !isAlphanumeric(c) && c != '-' && c != '_':
			return false
		}
	}
	return dots > 0 && len(s) <= 253
}

func (x redactor) selector(s string) string {
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return x.hash(s)
		}
	}
	return s
}

// uri keeps the scheme and the host, or the address.
func (x redactor) uri(s string) string {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || strings.ContainsFunc(scheme, func(c rune) bool { return c >= 0x80 || !isAlphanumeric(byte(c)) }) {
		return x.hash(s)
	}
	if strings.EqualFold(scheme, "mailto") {
		to, _, _ := strings.Cut(rest, "?")
		return scheme + ":" + x.address(to)
	}
	rest, ok = strings.CutPrefix(rest, "//")
	host := rest
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	if ok && isHost(host) {
		return scheme + "://" + host + "/" + x.hash(rest[len(host):])
	}
	return scheme + ":" + x.hash(rest)
}

// identifier keeps what stands behind the @ of a Message-ID.
func (x redactor) identifier(s string) string { return x.address(s) }

// text keeps the words of a text that hold no address.
func (x redactor) text(s string) string {
	words := strings.Fields(s)
	for i, word := range words {
		if strings.Contains(word, "@") {
			words[i] = x.hash(word)
		}
	}
	return strings.Join(words, " ")
}

// resultProperties are what an Authentication-Results field may say that is about hosts and signatures (RFC 8601 2.7).
var resultProperties = []string{"header.d", "header.s", "header.a", "header.i", "header.from", "smtp.mailfrom", "smtp.helo", "smtp.remote-ip", "policy.iprev", "smtp.rcptto"}

var resultMethods = []string{"spf", "dkim", "dmarc", "arc", "iprev", "auth", "dkim-atps", "sender-id", "bimi"}

// results writes an Authentication-Results field anew: who says it, the results, and the properties that are known.
func (x redactor) results(value string) string {
	var out []string
	for part := range strings.SplitSeq(bare(value), ";") {
		var kept []string
		for i, word := range strings.Fields(part) {
			name, text, ok := strings.Cut(word, "=")
			name = strings.ToLower(name)
			text = strings.Trim(text, `"`)
			switch {
			case !ok && len(out) == 0 && i == 0 && isHost(word):
				kept = append(kept, word)
			case ok && slices.Contains(resultMethods, name) && isWord(text):
				kept = append(kept, name+"="+strings.ToLower(text))
			case ok && slices.Contains(resultProperties, name) && strings.Contains(text, "@"):
				kept = append(kept, name+"="+x.address(text))
			case ok && slices.Contains(resultProperties, name):
				if name == "header.s" || name == "header.a" {
					kept = append(kept, name+"="+x.selector(text))
				} else {
					kept = append(kept, name+"="+x.domain(text))
				}
			}
		}
		if len(kept) > 0 || len(out) == 0 {
			if len(kept) == 0 {
				kept = []string{"redacted"}
			}
			out = append(out, strings.Join(kept, " "))
		}
	}
	return strings.Join(out, "; ")
}

// isWord tells whether s is a result (RFC 8601 2.7).
func isWord(s string) bool {
	return slices.Contains([]string{"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", "policy", "hardfail", "bestguesspass"}, strings.ToLower(s))
}

// header writes those fields anew that may stay.
func (x redactor) header(raw string) message.Header {
	m, err := message.Read(strings.NewReader(raw), message.Limits{HeaderBytes: len(raw) + 1, Fields: len(raw) + 1})
	if err != nil {
		return nil
	}
	var out message.Header
	for _, f := range m.Header {
		value := unfold(f.Value())
		switch name := strings.ToLower(f.Name); name {
		case "from", "to", "cc", "sender", "reply-to", "return-path", "delivered-to", "x-original-to", "resent-from", "resent-to", "resent-sender":
			value = x.mailboxes(value, m.Header, name)
		case "subject":
			value = x.hash(clean(value))
		case "message-id":
			value = "<" + x.identifier(messageID(value)) + ">"
		case "date", "resent-date":
			value = dateOnly(value)
		case "received":
			value = x.received(value)
		case "dkim-signature", "arc-message-signature", "arc-seal":
			value = x.signature(value)
		case "authentication-results", "arc-authentication-results":
			instance, rest, ok := strings.Cut(value, ";")
			if ok && strings.HasPrefix(strings.TrimSpace(instance), "i=") {
				value = strings.TrimSpace(rest)
			}
			value = x.results(value)
		case "mime-version":
			value = "1.0"
		case "content-type":
			media, _ := mediaType(value)
			value = x.selectorWithSlash(media)
		case "content-transfer-encoding", "precedence", "auto-submitted":
			value = x.selector(bare(value))
		case "list-id":
			_, value, _ = strings.Cut(value, "<")
			value, _, _ = strings.Cut(value, ">")
			value = "<" + x.domain(value) + ">"
		default:
			continue
		}
		if value != "" {
			out = append(out, message.NewField(f.Name, " "+value))
		}
	}
	return out
}

func (x redactor) selectorWithSlash(s string) string {
	first, second, _ := strings.Cut(s, "/")
	return x.selector(first) + "/" + x.selector(second)
}

// mailboxes writes the addresses of a field, without names. Of From it is the Author Domain that must stay as it is.
func (x redactor) mailboxes(value string, header message.Header, name string) string {
	var out []string
	for _, word := range strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" ,;<>()\"", c) }) {
		if i := strings.LastIndexByte(word, '@'); i > 0 && isHost(word[i+1:]) {
			out = append(out, "<"+x.address(word)+">")
		}
	}
	if name == "from" {
		domain := header.Author().Domain
		if domain == "" {
			return "redacted"
		}
		local := value
		if len(out) == 1 && strings.HasSuffix(strings.ToLower(out[0]), "@"+domain+">") {
			return out[0]
		}
		return "<" + x.hash(local) + "@" + domain + ">"
	}
	if len(out) == 0 {
		if strings.Contains(value, "<>") {
			return "<>"
		}
		return "redacted"
	}
	return strings.Join(out, ", ")
}

// dateOnly keeps what a date is made of.
func dateOnly(value string) string {
	quiet := &reader{o: Options{}.withDefaults(), report: &Report{}}
	if t := quiet.date("Date", value); !t.IsZero() {
		return t.Format("Mon, 2 Jan 2006 15:04:05 -0700")
	}
	return "redacted"
}

// received keeps from and by, addresses in brackets, with, and the date (RFC 5321 4.4).
func (x redactor) received(value string) string {
	trace, date := value, ""
	if i := strings.LastIndexByte(value, ';'); i >= 0 {
		trace, date = value[:i], value[i+1:]
	}
	var out []string
	var before string
	for _, word := range strings.Fields(trace) {
		plain := strings.Trim(word, "()")
		switch {
		case before == "from" || before == "by":
			out = append(out, before, x.domain(plain))
		case before == "with" && slices.Contains([]string{"SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "LMTP", "UTF8SMTP", "UTF8SMTPS", "HTTP", "HTTPS"}, strings.ToUpper(plain)):
			out = append(out, before, plain)
		case strings.HasPrefix(plain, "[") && strings.HasSuffix(plain, "]") && isHost(plain):
			out = append(out, "("+plain+")")
		}
		before = strings.ToLower(word)
	}
	return strings.Join(out, " ") + "; " + dateOnly(date)
}

// signature keeps the tags that are about the signature; z= is a copy of the header (RFC 6376 3.5).
func (x redactor) signature(value string) string {
	var out []string
	for tag := range strings.SplitSeq(value, ";") {
		name, text, _ := strings.Cut(tag, "=")
		name, text = strings.TrimSpace(name), strings.ReplaceAll(strings.TrimSpace(text), " ", "")
		switch name {
		case "v", "a", "c", "l", "q", "t", "x", "cv", "b", "bh", "h":
			if strings.ContainsFunc(text, func(c rune) bool { return c >= 0x80 || !isAlphanumeric(byte(c)) && !strings.ContainsRune("+/=:-_.", c) }) {
				continue
			}
		case "d":
			text = x.domain(text)
		case "s":
			text = x.selector(text)
		case "i":
			if strings.Contains(text, "@") {
				text = x.address(text)
			} else if len(strings.Trim(text, "0123456789")) > 0 {
				continue
			}
		default:
			continue
		}
		out = append(out, name+"="+text)
	}
	return strings.Join(out, "; ")
}

// unquoted is a warning without what it quotes.
func unquoted(warning string) string {
	first, last := strings.IndexByte(warning, '"'), strings.LastIndexByte(warning, '"')
	if first < 0 || first == last {
		return warning
	}
	return warning[:first] + `"…"` + warning[last+1:]
}
