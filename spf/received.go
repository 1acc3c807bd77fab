package spf

import (
	"strings"
)

// A Received is the value of a Received-SPF field (RFC 7208 9.1).
type Received struct {
	Result  Code
	Comment string // without its parentheses
	Pairs   []Pair
}

// A Pair is one "key=value" of a Received-SPF field: client-ip, envelope-from, helo, mechanism, problem, receiver, identity, or a key
// of the verifier's own.
type Pair struct {
	Key   string // in lower case
	Value string // without its quotes
}

// Get is the value of a key, of the first where it stands there twice; empty if it is missing.
func (r Received) Get(key string) string {
	for _, p := range r.Pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// ReceivedSPF is the value of the Received-SPF field that records the result, folded as [Received.String] folds it.
func (r Result) ReceivedSPF(q Query) string {
	receiver := q.Receiver
	if receiver == "" {
		receiver = "unknown"
	}
	ip := "unknown"
	if q.IP.IsValid() {
		ip = q.IP.Unmap().String()
	}
	identity, sender := "mailfrom", q.MailFrom
	if sender == "" {
		identity, sender = "helo", q.Helo
	}
	f := Received{Result: r.Code, Comment: receiver + ": " + r.sentence(sender, ip)}
	f.add("receiver", receiver)
	f.add("identity", identity)
	f.add("client-ip", ip)
	f.add("envelope-from", q.MailFrom)
	f.add("helo", q.Helo)
	switch r.Code {
	case Pass, Fail, SoftFail, Neutral:
		mechanism := "default"
		if r.Term != "" {
			mechanism = r.Term[qualifierLen(r.Term):]
		}
		f.add("mechanism", mechanism)
	case TempError, PermError:
		if r.Err != nil {
			f.add("problem", r.Err.Error())
		}
	}
	return f.String()
}

func (r *Received) add(key, value string) {
	if value != "" {
		r.Pairs = append(r.Pairs, Pair{key, value})
	}
}

// sentence says in the words of RFC 7208's examples what the result means.
func (r Result) sentence(sender, ip string) string {
	switch r.Code {
	case Pass:
		return "domain of " + sender + " designates " + ip + " as permitted sender"
	case Fail:
		return "domain of " + sender + " does not designate " + ip + " as permitted sender"
	case SoftFail:
		return "transitioning domain of " + sender + " does not designate " + ip + " as permitted sender"
	case Neutral:
		return ip + " is neither permitted nor denied by domain of " + sender
	case None:
		return "domain of " + sender + " has no policy"
	}
	return "the policy of " + sender + " could not be evaluated"
}

// The lengths that a field stays within: lines where it can be folded, and pieces where it cannot (RFC 5322 2.1.1).
const (
	lineWidth = 78
	maxPiece  = 320
	fieldName = "Received-SPF: "
	fold      = "\r\n "
)

// String writes the field's value, folded into lines with CRLF and a space. Nothing that is in it can break out of its place: what
// is not printable ASCII becomes "?", a longer piece than any address is cut, and the rest is quoted.
func (r Received) String() string {
	pieces := []string{token(string(r.Result))}
	if comment := strings.Fields(r.Comment); len(comment) > 0 {
		for i, word := range comment {
			comment[i] = escape(clean(word), `()\`)
		}
		comment[0] = "(" + comment[0]
		comment[len(comment)-1] += ")"
		pieces = append(pieces, comment...)
	}
	for i, p := range r.Pairs {
		end := ";"
		if i == len(r.Pairs)-1 {
			end = ""
		}
		pieces = append(pieces, token(p.Key)+"="+value(p.Value)+end)
	}
	var b strings.Builder
	width := len(fieldName)
	for i, piece := range pieces {
		switch {
		case i == 0:
		case width+1+len(piece) > lineWidth:
			b.WriteString(fold)
			width = 1
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(piece)
		width += len(piece)
	}
	return b.String()
}

// value writes a dot-atom, or else a quoted-string.
func value(s string) string {
	s = clean(s)
	if isDotAtom(s) {
		return s
	}
	return `"` + escape(s, `"\`) + `"`
}

// token leaves nothing but what a key consists of.
func token(s string) string {
	b := []byte(s[:min(len(s), maxPiece)])
	for i, c := range b {
		if !isKeyByte(c) {
			b[i] = '-'
		}
	}
	return string(b)
}

// clean leaves nothing but printable ASCII, and not too much of it.
func clean(s string) string {
	b := []byte(s[:min(len(s), maxPiece)])
	for i, c := range b {
		if c < ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// escape puts a backslash before each of the special characters.
func escape(s, special string) string {
	if !strings.ContainsAny(s, special) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if strings.IndexByte(special, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isDotAtom tells whether s is a dot-atom (RFC 5322 3.2.3).
func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '.' && !isAtext(c) {
			return false
		}
	}
	return true
}

func isAtext(c byte) bool {
	return isAlpha(c) || isDigit(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0
}
