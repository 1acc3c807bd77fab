package notice

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/outbox"
)

// What an answer is.
const (
	Bounce      = "bounce"      // the letter did not arrive, and will not
	Unsubscribe = "unsubscribe" // who got it wants no more
	Passing     = "passing"     // it is late, somebody is on holiday: nothing follows from it
)

// An Answer is what came back to a letter.
type Answer struct {
	Token  string
	Kind   string
	Detail string // "5.1.1: no such user"
}

// MaxAnswer is how much of a message is looked at: the token stands in its header, or in that of the letter that it brings back.
const MaxAnswer = 256 << 10

// mostParts bounds the parts of a message that are looked at, and how deep they lie.
const (
	mostParts = 20
	mostDepth = 4
)

// Read reads a message that arrived, and tells whether it answers a letter of ours: a delivery status notification (RFC 3464), a
// complaint (RFC 5965), or whatever a person wrote to the address that ends the letters. What has no token of ours is none.
func (t *Tokens) Read(r io.Reader) (Answer, bool) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxAnswer))
	if err != nil && len(raw) == 0 {
		return Answer{}, false
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Answer{}, false
	}
	token := t.ofHeader(m.Header)
	kind, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if kind == "multipart/report" {
		p := report{tokens: t}
		p.walk(m.Body, params["boundary"], 0)
		if token == "" {
			token = p.token
		}
		if token == "" {
			return Answer{}, false
		}
		return p.answer(token, params["report-type"]), true
	}
	if token == "" {
		return Answer{}, false
	}
	return Answer{Token: token, Kind: plainKind(m.Header), Detail: outbox.Plain(subjectOf(m.Header), longestDetail)}, true
}

const longestDetail = 200

// ofHeader looks for an address of ours among those that a message was delivered to.
func (t *Tokens) ofHeader(h mail.Header) string {
	for _, name := range []string{"Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"} {
		for _, value := range h[textproto.CanonicalMIMEHeaderKey(name)] {
			if token := t.find(value); token != "" {
				return token
			}
		}
	}
	return ""
}

func subjectOf(h mail.Header) string {
	text, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil {
		return h.Get("Subject")
	}
	return text
}

// plainKind tells what a message is that is no report: what a program sent in somebody's absence says nothing (RFC 3834), and a bounce in
// no standard form is one all the same.
func plainKind(h mail.Header) string {
	automatic := strings.ToLower(strings.TrimSpace(h.Get("Auto-Submitted")))
	from := strings.ToLower(h.Get("From"))
	switch {
	case strings.Contains(from, "mailer-daemon@"), strings.TrimSpace(h.Get("Return-Path")) == "<>" && !strings.HasPrefix(automatic, "auto-replied"),
		h.Get("X-Failed-Recipients") != "":
		return Bounce
	case automatic != "" && automatic != "no", h.Get("X-Autoreply") != "", h.Get("X-Autorespond") != "",
		strings.EqualFold(h.Get("Precedence"), "auto_reply"), strings.EqualFold(h.Get("Precedence"), "bulk"):
		return Passing
	}
	return Unsubscribe
}

// A report is a multipart/report (RFC 6522), as far as it was read.
type report struct {
	tokens *Tokens
	token  string // in what it brings back
	failed bool
	status string
	words  string
	parts  int
}

func (p *report) answer(token, kind string) Answer {
	switch {
	case strings.EqualFold(kind, "feedback-report"):
		return Answer{token, Unsubscribe, "a complaint"}
	case p.failed:
		return Answer{token, Bounce, outbox.Plain(strings.TrimSuffix(p.status+": "+p.words, ": "), longestDetail)}
	}
	return Answer{token, Passing, outbox.Plain(p.status, longestDetail)}
}

func (p *report) walk(body io.Reader, boundary string, depth int) {
	if boundary == "" || depth > mostDepth {
		return
	}
	r := multipart.NewReader(body, boundary)
	for p.parts < mostParts {
		part, err := r.NextRawPart()
		if err != nil {
			return
		}
		p.parts++
		kind, params, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		switch {
		case strings.HasPrefix(kind, "multipart/"):
			p.walk(part, params["boundary"], depth+1)
		case kind == "message/delivery-status", kind == "message/global-delivery-status":
			p.status3464(decoded(part))
		case kind == "message/rfc822", kind == "text/rfc822-headers", kind == "message/global", kind == "message/global-headers":
			p.returned(decoded(part))
		}
	}
}

func decoded(part *multipart.Part) io.Reader {
	switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, part)
	case "quoted-printable":
		return quotedprintable.NewReader(part)
	}
	return part
}

// returned looks for the token in the letter that came back: its List-Unsubscribe has it.
func (p *report) returned(r io.Reader) {
	text, _ := io.ReadAll(io.LimitReader(r, MaxAnswer))
	head, _, found := bytes.Cut(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	if !found {
		head = text
	}
	if p.token == "" {
		p.token = p.tokens.find(string(head))
	}
}

// status3464 reads the groups of fields of a delivery status (RFC 3464 2.1): of the message, and then of each recipient.
func (p *report) status3464(r io.Reader) {
	text, err := io.ReadAll(io.LimitReader(r, MaxAnswer))
	if err != nil && len(text) == 0 {
		return
	}
	const mostGroups = 20
	groups := strings.SplitN(strings.ReplaceAll(strings.TrimLeft(string(text), "\r\n"), "\r\n", "\n"), "\n\n", mostGroups)
	for _, group := range groups {
		m, err := mail.ReadMessage(strings.NewReader(strings.TrimLeft(group, "\n") + "\n\n"))
		if err != nil && !errors.Is(err, io.EOF) || m == nil {
			continue
		}
		action := strings.ToLower(strings.TrimSpace(m.Header.Get("Action")))
		if action == "" {
			continue
		}
		status := strings.TrimSpace(m.Header.Get("Status"))
		_, words, _ := strings.Cut(m.Header.Get("Diagnostic-Code"), ";")
		if p.status == "" || action == "failed" {
			p.status, p.words = status, strings.TrimSpace(words)
		}
		// RFC 3464 2.3.3: only "failed" is the end. One that is delayed may still arrive.
		p.failed = p.failed || action == "failed"
	}
}
