//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// A maker makes up messages, the same each time.
type maker struct{ *rand.Rand }

func newMaker(seed uint64) maker { return maker{rand.New(rand.NewPCG(seed, 2822))} }

func pick[T any](m maker, from ...T) T { return from[m.IntN(len(from))] }

// message makes a message as it goes over the wire. There is no bare CR or LF in it, which SMTP does not carry (RFC 5321 2.3.8).
// Nor is there white space before a colon (RFC 5322 4.5.8): dkimpy does not read such a message.
func (m maker) message(i int) []byte {
	fields := []string{
		"From:" + m.pad(pick(m, "Alice <alice@example.com>", "alice@example.com", "\"A. Lice\"\r\n\t<alice@example.com>")),
		"To:" + m.pad(pick(m, "bob@example.org", "Bob <bob@example.org>,\r\n  Carol <carol@example.org>")),
		pick(m, "Subject", "subject", "SUBJECT") + ":" + m.pad(m.text(5)),
		"Date:" + m.pad("Mon, 23 Nov 2026 10:00:00 +0000"),
		fmt.Sprintf("Message-ID: <%d@example.com>", i),
	}
	for range m.IntN(6) {
		fields = append(fields, m.field())
	}
	m.Shuffle(len(fields), func(a, b int) { fields[a], fields[b] = fields[b], fields[a] })
	return []byte(strings.Join(fields, "\r\n") + "\r\n" + m.body())
}

func (m maker) field() string {
	switch m.IntN(7) {
	case 0:
		return "Received: from mx.example.net\r\n\tby mx.example.org; Mon, 23 Nov 2026 10:00:00 +0000"
	case 1: // names that stand several times
		return pick(m, "X-Twice", "x-twice", "Comments", "Keywords") + ":" + m.text(3)
	case 2:
		return "X-Empty:" + pick(m, "", " ", "\t \t")
	case 3:
		return "X-Long: " + strings.Repeat("y", m.IntN(900))
	case 4: // a fold at the beginning, folds of much white space, a fold that is a line of white space
		return "X-Folded:" + pick(m, "\r\n a", " a\r\n\t \t b\r\n c", " a\r\n \t\r\n b", "\ta\t\r\n\tb \t ")
	case 5:
		return "X-Eight: " + pick(m, "J\xc3\xbcrgen", "caf\xe9", "\xff\xfe\x80", "\x01\x02")
	}
	return "Content-Type: text/plain;" + pick(m, " charset=utf-8", "\r\n\tcharset=\"iso-8859-1\"", "charset=us-ascii ")
}

// pad puts white space around a value.
func (m maker) pad(value string) string {
	return pick(m, " ", " ", "", "  ", "\t", "\r\n ") + value + pick(m, "", "", " ", "\t ")
}

func (m maker) text(words int) string {
	var b strings.Builder
	for i := range 1 + m.IntN(words) {
		if i > 0 {
			b.WriteString(pick(m, " ", " ", "  ", "\t", " \t ", "\r\n ", "\r\n\t"))
		}
		b.WriteString(pick(m, "hello", "b=x;", "=?utf-8?q?=C3=BC?=", "J\xc3\xbcrgen", ":", "a:b", "0"))
	}
	return b.String()
}

// body makes what follows the header: mostly the empty line, and lines.
func (m maker) body() string {
	switch m.IntN(12) {
	case 0:
		return "\r\n"
	case 1:
		return "\r\n" + strings.Repeat("\r\n", 1+m.IntN(4))
	case 2:
		return "\r\n" + pick(m, " \t \r\n", " \r\n\r\n", "\r\n \r\n\r\n", "\t")
	case 3:
		return "\r\nno last line end"
	case 4:
		return "\r\nlast line ends in white space \t"
	case 5: // a header alone
		return ""
	}
	var b strings.Builder
	b.WriteString("\r\n")
	for range m.IntN(20) {
		b.WriteString(pick(m, "", " ", "a", "two  spaces", " leads", "trails ", "trails\t \t", "\ttab\tand\t\ttab", ".", "..",
			"caf\xe9", "\xff", "J\xc3\xbcrgen", "From here", "\x0b\x0c", strings.Repeat("long ", m.IntN(190))))
		b.WriteString("\r\n")
	}
	return b.String() + strings.Repeat("\r\n", pick(m, 0, 0, 1, 3))
}

// overSMTP gives the last line the end without which SMTP does not carry it (RFC 5321 4.1.1.4).
//
// RFC 6376 3.4.3 and 3.4.4 add it to what is hashed, so that a signature made before holds. The peers differ in how they hash a
// body without it, and from the RFC: dkimpy and opendkim under relaxed, Mail::DKIM under simple. None of them meets one in mail.
func overSMTP(message []byte) []byte {
	if bytes.HasSuffix(message, []byte("\r\n")) {
		return message
	}
	return append(message[:len(message):len(message)], "\r\n"...)
}

// transit brings a message on its way, on which it is changed as servers and lists do, or not. The name says what was done.
func (m maker) transit(message []byte) (changed []byte, how string) {
	message = overSMTP(message)
	header, body, ok := strings.Cut(string(message), "\r\n\r\n")
	if !ok {
		return message, "nothing"
	}
	header += "\r\n"
	how = pick(m, "nothing", "nothing", "blank lines", "footer", "white space at a line's end", "white space within a line", "a letter",
		"refolded", "another field on top", "another field below", "a field's case", "a list's tag", "white space in a field",
		"the second half")
	switch how {
	case "blank lines":
		body += "\r\n\r\n"
	case "footer":
		body += "-- \r\na footer\r\n"
	case "white space at a line's end":
		body = strings.Replace(body, "\r\n", " \t\r\n", 1)
	case "white space within a line":
		body = strings.Replace(body, " ", "  ", 1)
	case "a letter":
		body = strings.Replace(body, "a", "b", 1)
	case "refolded":
		header = strings.Replace(header, "; Mon", ";\r\n Mon", 1)
		header = strings.Replace(header, " <alice", "\r\n  <alice", 1)
	case "another field on top":
		header = pick(m, "Received: by mx.example.org", "Subject: another", "X-Twice: another", "X-New: y") + "\r\n" + header
	case "another field below":
		header += pick(m, "Subject: another", "X-Twice: another", "X-New: y") + "\r\n"
	case "a field's case":
		header = strings.Replace(header, "\r\nTo:", "\r\ntO:", 1)
	case "a list's tag":
		header = strings.Replace(header, "ubject:", "ubject: [list]", 1)
	case "white space in a field":
		header = strings.Replace(header, "Mon, 23", "Mon,  23", 1)
	case "the second half":
		body = strings.TrimSuffix(body[:len(body)/2], "\r")
	}
	return overSMTP([]byte(header + "\r\n" + body)), how
}
