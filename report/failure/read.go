package failure

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"

	"github.com/emersion/go-message/charset"

	"github.com/gatepost-mail/gatepost/message"
)

// top is the place of the report's mail itself.
const top = "the mail"

// A reader gathers a report from the parts of a mail.
type reader struct {
	o        Options
	report   *Report
	left     int               // parts that may still be looked at
	seen     map[string]string // of the fields that come once: what they said
	texts    []string          // for people
	feedback bool              // fields for programs were there
	original *entity
}

// Read reads the mail of a failure report. The error is [ErrNoReport], or what src returned.
//
// A mail longer than [Options] lets is read up to there: the original message is its last part. Where there is no part for programs,
// what a text says in a common form is taken for it.
func Read(src io.Reader, o Options) (*Report, error) {
	o = o.withDefaults()
	data, err := io.ReadAll(io.LimitReader(src, int64(o.Bytes)+1))
	if err != nil {
		return nil, fmt.Errorf("failure report: %w", err)
	}
	r := &reader{o: o, report: &Report{}, left: o.Parts, seen: map[string]string{}}
	if len(data) > o.Bytes {
		data = data[:o.Bytes]
		r.warn("%s has more than %d bytes: the rest of it is left out", top, o.Bytes)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	data = bytes.TrimLeft(data, "\r\n")

	root := entity{data: data, place: top}
	for forwarded := 0; ; forwarded++ {
		r.walk(root)
		if r.feedback || r.original == nil || forwarded == 4 || !r.isMultipart(r.original) {
			break
		}
		r.warn("the report is within a message that was forwarded: %s", r.original.place)
		root = entity{data: bytes.TrimLeft(r.original.content, "\r\n"), place: top, depth: r.original.depth + 1}
		r.original, r.texts = nil, nil
		r.report.Reporter, r.report.ReporterEmail, r.report.ReportID = "", "", ""
	}
	if !r.feedback && !r.fromText() {
		return nil, ErrNoReport
	}
	r.readOriginal()
	r.judge()
	return r.report, nil
}

// isMultipart tells whether a message is one that may hold a report.
func (r *reader) isMultipart(e *entity) bool {
	quiet := &reader{o: r.o, report: &Report{}}
	inner := entity{data: bytes.TrimLeft(e.content, "\r\n"), place: top}
	inner.parse(quiet)
	return strings.HasPrefix(inner.media, "multipart/") || inner.media == "message/feedback-report"
}

func (r *reader) warn(format string, args ...any) {
	switch n := len(r.report.Warnings); {
	case n < r.o.Warnings:
		r.report.Warnings = append(r.report.Warnings, clean(fmt.Sprintf(format, args...)))
	case n == r.o.Warnings:
		r.report.Warnings = append(r.report.Warnings, "more warnings are left out")
	}
}

// walk looks at every part of a mail, in their order.
func (r *reader) walk(root entity) {
	stack := []entity{root}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if r.left--; r.left < 0 {
			r.warn("more than %d parts: the rest of them is left out", r.o.Parts)
			return
		}
		e.parse(r)
		if e.place == top {
			r.reporter(e.header)
			if _, ok := e.header.First("Feedback-Type"); ok && !strings.HasPrefix(e.media, "multipart/") && e.media != "message/feedback-report" {
				r.warn("the fields of the report are those of the mail")
				r.takeFeedback(e.data)
				continue
			}
		}
		if strings.HasPrefix(e.media, "multipart/") {
			if e.depth >= r.o.Depth {
				r.warn("%s: more than %d parts within parts: left out", e.place, r.o.Depth)
				continue
			}
			if e.place == top && (e.media != "multipart/report" || !strings.EqualFold(e.params["report-type"], "feedback-report")) {
				r.warn("the mail's type is %q, where RFC 5965 2 wants multipart/report; report-type=feedback-report", clip(e.media, 100))
			}
			parts := r.parts(&e)
			if len(parts) > 0 {
				slices.Reverse(parts)
				stack = append(stack, parts...)
				continue
			}
			r.warn("%s: a %q without parts: taken as text", e.place, clip(e.media, 100))
			e.media = "text/plain"
		}
		e.content = r.decode(&e)
		r.take(&e)
	}
}

// take finds out what a part is: by its type, and then by what it holds.
func (r *reader) take(e *entity) {
	switch e.media {
	case "message/feedback-report":
		r.takeFeedback(e.content)
		return
	case "message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers":
		r.takeOriginal(e)
		return
	}
	switch {
	case !r.feedback && beginsWithFeedbackType(e.content):
		r.warn("%s: the fields of the report are in a part of type %q", e.place, clip(e.media, 100))
		r.takeFeedback(e.content)
	case r.feedback && r.original == nil && looksLikeHeader(e.content):
		r.warn("%s: the original header is in a part of type %q", e.place, clip(e.media, 100))
		r.takeOriginal(e)
	case e.media == "text/html":
		r.texts = append(r.texts, withoutTags(e.content))
	case strings.HasPrefix(e.media, "text/"):
		r.texts = append(r.texts, string(e.content))
	}
}

func (r *reader) takeOriginal(e *entity) {
	if r.original != nil {
		r.warn("%s: a second message: left out", e.place)
		return
	}
	r.original = e
}

func (r *reader) takeFeedback(content []byte) {
	if r.feedback {
		r.warn("a second message/feedback-report: left out")
		return
	}
	r.feedback = true
	if !bytes.Contains(content, []byte(":")) {
		if out, ok := fromBase64(content); ok && beginsWithFeedbackType(out) {
			r.warn("the fields of the report are in base64, which is not declared")
			content = out
		}
	}
	r.fields(content)
}

func beginsWithFeedbackType(content []byte) bool {
	content = bytes.TrimLeft(content, " \t\r\n")
	const name = "feedback-type"
	return len(content) > len(name) && strings.EqualFold(string(content[:len(name)]), name) && bytes.HasPrefix(bytes.TrimLeft(content[len(name):], " \t"), []byte(":"))
}

// looksLikeHeader tells whether content begins with a message's header.
func looksLikeHeader(content []byte) bool {
	content = bytes.TrimLeft(content, "\r\n")
	m, err := message.Read(bytes.NewReader(content[:min(len(content), 64<<10)]), message.Limits{})
	if err != nil {
		return false
	}
	known := 0
	for _, name := range []string{"From", "To", "Date", "Subject", "Received", "Message-ID", "Return-Path", "MIME-Version", "DKIM-Signature"} {
		if m.Header.Count(name) > 0 {
			known++
		}
	}
	return known >= 2
}

// reporter reads the header of the report itself.
func (r *reader) reporter(h message.Header) {
	p := r.report
	if f, ok := h.First("From"); ok {
		p.Reporter, p.ReporterEmail = r.mailbox(f.Value())
	} else {
		r.warn("the mail has no From field")
	}
	if f, ok := h.First("Message-ID"); ok {
		p.ReportID = r.text("Message-ID", messageID(f.Value()))
	}
	if f, ok := h.First("Date"); ok {
		p.Date = r.date("Date", f.Value())
	}
}

// mailbox reads a From field: the name, and the address.
func (r *reader) mailbox(value string) (name, address string) {
	value = strings.Trim(unfold(clip(value, 16<<10)), "; ")
	parser := mail.AddressParser{WordDecoder: &decoder}
	if list, err := parser.ParseList(value); err == nil && len(list) > 0 {
		return r.text("From", list[0].Name), r.text("From", list[0].Address)
	}
	name, rest, ok := strings.Cut(value, "<")
	if !ok {
		for _, word := range strings.Fields(value) {
			if strings.Contains(word, "@") {
				return "", r.text("From", strings.Trim(word, `"(),;<>`))
			}
		}
		return r.text("From", decodeWords(value)), ""
	}
	rest, _, _ = strings.Cut(rest, ">")
	return r.text("From", decodeWords(strings.Trim(name, ` "`))), r.text("From", strings.TrimSpace(rest))
}

var decoder = mime.WordDecoder{CharsetReader: charset.Reader}

// decodeWords decodes encoded words (RFC 2047), or leaves the text alone.
func decodeWords(s string) string {
	if out, err := decoder.DecodeHeader(s); err == nil {
		return out
	}
	return s
}

// readOriginal reads the message that the report is about.
func (r *reader) readOriginal() {
	p := r.report
	if r.original == nil {
		r.warn("no part with the original header (RFC 5965 2)")
		return
	}
	content := bytes.TrimLeft(r.original.content, "\r\n")
	if n := r.o.HeaderBytes; len(content) > n {
		if at, _ := emptyLine(content); at < 0 || at > n {
			r.warn("the original header has more than %d bytes: the rest of it is left out", n)
			content = content[:bytes.LastIndexByte(content[:n], '\n')+1]
		}
	}
	m, err := message.Read(bytes.NewReader(content), message.Limits{HeaderBytes: len(content) + 1, Fields: len(content) + 1})
	if err != nil || len(m.Header) == 0 {
		r.warn("%s: the original has no header: left out", r.original.place)
		return
	}
	p.setOriginalHeader(m.Header)
	if p.AuthorDomain == "" {
		r.warn("the original header: %s", m.Header.Author().Err)
	}
	if body := readAll(m.Body); len(body) > 0 {
		if len(body) > r.o.BodyBytes {
			r.warn("the original body has %d bytes: the first %d of them are kept", len(body), r.o.BodyBytes)
			body = body[:r.o.BodyBytes]
		}
		if len(body) > 0 {
			p.OriginalBody = bytes.Clone(body)
		}
	}
}

// setOriginalHeader takes a header, and what it says.
func (r *Report) setOriginalHeader(h message.Header) {
	var b strings.Builder
	for i, f := range h {
		if i == 0 && strings.HasPrefix(f.Raw, "From ") { // whoever reads it next would take it for the line of an mbox
			f.Raw = f.Name + ":" + f.Raw[strings.IndexByte(f.Raw, ':')+1:]
		}
		b.WriteString(f.Raw)
	}
	r.OriginalHeader = b.String()
	r.AuthorDomain = h.Author().Domain
	r.Subject, r.MessageID = "", ""
	if f, ok := h.First("Subject"); ok {
		r.Subject = clip(clean(decodeWords(unfold(clip(f.Value(), 4<<10)))), 1<<10)
	}
	if f, ok := h.First("Message-ID"); ok {
		r.MessageID = clip(clean(messageID(clip(f.Value(), 4<<10))), 1<<10)
	}
}

func messageID(value string) string {
	value = unfold(value)
	if i := strings.IndexByte(value, '<'); i >= 0 {
		value = value[i+1:]
		if i = strings.IndexByte(value, '>'); i >= 0 {
			value = value[:i]
		}
	}
	return strings.TrimSpace(value)
}

// judge adds warnings about what a report must have and this one has not.
func (r *reader) judge() {
	p := r.report
	if p.FeedbackType == "" {
		r.warn("no Feedback-Type (RFC 5965 3.1)")
	}
	if p.FeedbackType != "auth-failure" {
		return
	}
	if p.AuthFailure == "" {
		r.warn("no Auth-Failure (RFC 6591 3.1)")
	}
	if len(p.ReportedDomains) == 0 {
		r.warn("no Reported-Domain (RFC 6591 3.1)")
	}
	if len(p.IdentityAlignment) == 0 && p.AuthFailure == "dmarc" {
		r.warn("no Identity-Alignment (RFC 9991 4): it is not known what failed")
	}
}

// readAll reads to the end of what lies in memory.
func readAll(src io.Reader) []byte {
	var b bytes.Buffer
	io.Copy(&b, src) // what lies in memory does not fail
	return b.Bytes()
}
