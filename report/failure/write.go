package failure

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// A Mail is what a report needs to become a mail, besides what is in it.
type Mail struct {
	To string // where it goes, from the policy's ruf=

	// RFC 9991 4 wants the signature of an aligned identifier named, and its SPF record, where Identity-Alignment says that DKIM or SPF
	// failed. These say that there was none to name: no signature of an aligned domain, or no aligned MAIL FROM with a record.
	NoAlignedSignature bool
	NoAlignedSPF       bool
}

// Check tells everything that keeps a report from being written as RFC 9991 4, RFC 6591 3 and RFC 5965 3 want it.
func (r *Report) Check(m Mail) error {
	var wrong []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	need(isAddress(r.ReporterEmail), "the reporter's address %.100q is none", r.ReporterEmail)
	need(isAddress(m.To), "the address %.100q to write to is none", m.To)
	need(isMessageID(r.ReportID), "the report's id %.100q is no Message-ID", r.ReportID)
	need(!r.Date.IsZero(), "no date")
	need(slices.Contains(feedbackTypes, r.FeedbackType), "Feedback-Type %.40q is not known", r.FeedbackType)
	need(r.UserAgent != "", "no User-Agent (RFC 5965 3.1)")
	need(r.OriginalHeader != "", "no original header (RFC 5965 2)")
	for _, domain := range append(slices.Clone(r.ReportedDomains), r.DKIM.Domain) {
		if domain != "" {
			_, err := dns.ToASCII(domain)
			need(err == nil, "%.100q is no domain", domain)
		}
	}
	for _, f := range r.Extra {
		need(isFieldName(f.Name), "%.100q is no name of a field", f.Name)
	}
	if r.FeedbackType == "auth-failure" {
		need(slices.Contains(authFailures, r.AuthFailure), "Auth-Failure %.40q is not known (RFC 6591 3.3)", r.AuthFailure)
		need(len(r.ReportedDomains) == 1, "%d reported domains, where RFC 6591 3.1 wants one", len(r.ReportedDomains))
		need(len(r.AuthenticationResults) > 0, "no Authentication-Results (RFC 6591 3.1)")
		need(r.DeliveryResult == "" || slices.Contains(deliveryResults, r.DeliveryResult), "Delivery-Result %.40q is not known (RFC 6591 3.2.2)", r.DeliveryResult)
		need(r.AuthFailure != "dmarc" || len(r.IdentityAlignment) > 0, "no Identity-Alignment (RFC 9991 4)")
		for i, method := range r.IdentityAlignment {
			need(slices.Contains(methods, method) && !slices.Contains(r.IdentityAlignment[:i], method) && (method != "none" || len(r.IdentityAlignment) == 1),
				"Identity-Alignment %.100q is none (RFC 9991 4)", r.IdentityAlignment)
		}
		named := r.DKIM.Domain != "" && r.DKIM.Identity != "" && r.DKIM.Selector != ""
		failed := slices.Contains(r.IdentityAlignment, "dkim") || slices.Contains([]string{"bodyhash", "revoked", "signature"}, r.AuthFailure)
		need(named || !failed || m.NoAlignedSignature, "DKIM failed, and DKIM-Domain, -Identity and -Selector do not all say which signature (RFC 9991 4)")
		failed = slices.Contains(r.IdentityAlignment, "spf") || r.AuthFailure == "spf"
		need(len(r.SPF.DNS) > 0 || !failed || m.NoAlignedSPF, "SPF failed, and no SPF-DNS says by which record (RFC 9991 4)")
	}
	if len(wrong) > 0 {
		return errors.New("failure report: " + strings.Join(wrong, "; "))
	}
	return nil
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 320 && isPrintable(s)
}

func isMessageID(s string) bool {
	return strings.Contains(s, "@") && len(s) <= 900 && !strings.ContainsAny(s, "<> ") && isPrintable(s)
}

func isFieldName(s string) bool {
	return s != "" && len(s) <= 200 && !strings.ContainsAny(s, ": ") && isPrintable(s)
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Write writes a report as a mail, with all that RFC 9991 4 requires, or an error of [Report.Check]. What Read gave reads back equal; other
// text is first made as Read would give it, so that no value can end its line.
//
// The mail is complete but for a DKIM signature. It is in 8bit (RFC 6152) where the original message is, and in 7bit otherwise.
func (r *Report) Write(w io.Writer, m Mail) error {
	if err := r.Check(m); err != nil {
		return err
	}
	original, err := r.original()
	if err != nil {
		return err
	}
	fields := r.feedbackFields()
	text := r.people()

	hash := sha256.New() // so that no part can hold the boundary
	for _, part := range [][]byte{fields, original.content, []byte(text), []byte(r.ReportID)} {
		hash.Write(part)
	}
	boundary := fmt.Sprintf("=_%x", hash.Sum(nil)[:16])

	var b bytes.Buffer
	from := mail.Address{Name: canonical(clip(r.Reporter, 200)), Address: r.ReporterEmail}
	subject := canonical(r.Subject)
	if subject == "" {
		subject = "message of " + r.ReportedDomain()
	}
	field(&b, "From", from.String())
	field(&b, "To", "<"+m.To+">")
	field(&b, "Date", r.Date.UTC().Format(time.RFC1123Z))
	field(&b, "Subject", mime.QEncoding.Encode("utf-8", clip("FW: "+subject, 300)))
	field(&b, "Message-ID", "<"+r.ReportID+">")
	field(&b, "Auto-Submitted", "auto-generated")
	field(&b, "MIME-Version", "1.0")
	field(&b, "Content-Type", `multipart/report; report-type=feedback-report; boundary="`+boundary+`"`)
	b.WriteString("\r\n")
	for _, part := range []struct {
		media, encoding string
		content         []byte
	}{
		{"text/plain; charset=us-ascii", "7bit", []byte(text)},
		{"message/feedback-report", bits(fields), fields},
		{original.media, original.encoding, original.content},
	} {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n", boundary, part.media, part.encoding, part.content)
	}
	fmt.Fprintf(&b, "--%s--\r\n", boundary)
	_, err = w.Write(b.Bytes())
	return err
}

// canonical is text as Read gives it.
func canonical(s string) string { return clean(unfold(s)) }

func bits(content []byte) string {
	if bytes.ContainsFunc(content, func(c rune) bool { return c >= 0x80 }) {
		return "8bit"
	}
	return "7bit"
}

// maxWord is the length at which a word is cut, so that a line stays within RFC 5322 2.1.1.
const maxWord = 900

// field writes a header field, folded before a word.
func field(b *bytes.Buffer, name, value string) {
	b.WriteString(name)
	b.WriteByte(':')
	column := len(name) + 1
	for word := range strings.SplitSeq(value, " ") {
		word = clip(word, maxWord)
		if column+1+len(word) > 77 && column > len(name)+1 {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteByte(' ')
		b.WriteString(word)
		column += 1 + len(word)
	}
	b.WriteString("\r\n")
}

// feedbackFields writes what is for programs.
func (r *Report) feedbackFields() []byte {
	var b bytes.Buffer
	put := func(name, value string) {
		if value = canonical(value); value != "" {
			field(&b, name, value)
		}
	}
	quoted := func(name, value string) {
		if value = canonical(value); value != "" {
			field(&b, name, quote(value))
		}
	}
	mailbox := func(name, value string) {
		if value = canonical(value); value != "" {
			field(&b, name, "<"+brackets.Replace(value)+">")
		}
	}
	encoded := func(name string, value []byte) {
		if len(value) > 0 {
			field(&b, name, strings.Join(chunks(base64.StdEncoding.EncodeToString(value), 72), " "))
		}
	}
	version := r.Version
	if version == "" {
		version = "1"
	}
	put("Feedback-Type", r.FeedbackType)
	put("User-Agent", r.UserAgent)
	put("Version", version)
	put("Original-Envelope-Id", r.OriginalEnvelopeID)
	mailbox("Original-Mail-From", r.OriginalMailFrom)
	for _, to := range r.OriginalRcptTo {
		mailbox("Original-Rcpt-To", to)
	}
	if !r.ArrivalDate.IsZero() {
		put("Arrival-Date", r.ArrivalDate.UTC().Format(time.RFC1123Z))
	}
	put("Reporting-MTA", r.ReportingMTA)
	if r.SourceIP.IsValid() {
		put("Source-IP", r.SourceIP.Unmap().WithZone("").String())
	}
	if r.SourcePort != 0 {
		put("Source-Port", fmt.Sprint(r.SourcePort))
	}
	if r.Incidents != 0 {
		put("Incidents", fmt.Sprint(r.Incidents))
	}
	for _, domain := range r.ReportedDomains {
		put("Reported-Domain", domain)
	}
	for _, uri := range r.ReportedURIs {
		put("Reported-URI", uri)
	}
	put("Auth-Failure", r.AuthFailure)
	for _, results := range r.AuthenticationResults {
		put("Authentication-Results", results)
	}
	put("Identity-Alignment", strings.Join(r.IdentityAlignment, ", "))
	put("Delivery-Result", r.DeliveryResult)
	put("DKIM-Domain", r.DKIM.Domain)
	put("DKIM-Identity", r.DKIM.Identity)
	put("DKIM-Selector", r.DKIM.Selector)
	quoted("DKIM-Selector-DNS", r.DKIM.SelectorDNS)
	quoted("DKIM-ADSP-DNS", r.DKIM.ADSPDNS)
	encoded("DKIM-Canonicalized-Header", r.DKIM.CanonicalizedHeader)
	encoded("DKIM-Canonicalized-Body", r.DKIM.CanonicalizedBody)
	for _, record := range r.SPF.DNS {
		if record.Type == "" || record.Domain == "" {
			put("SPF-DNS", record.Record)
			continue
		}
		put("SPF-DNS", record.Type+" : "+record.Domain+" : "+quote(canonical(record.Record)))
	}
	for _, f := range r.Extra {
		put(f.Name, f.Value)
	}
	return b.Bytes()
}

func chunks(s string, n int) []string {
	var out []string
	for len(s) > n {
		out = append(out, s[:n])
		s = s[n:]
	}
	return append(out, s)
}

// people writes what is for people. What a stranger chose stands in it only where nothing else could be there.
func (r *Report) people() string {
	what := "email message"
	kind := "abuse report of type " + r.FeedbackType
	if r.FeedbackType == "auth-failure" {
		kind = "authentication failure report"
	}
	if r.Incidents > 1 {
		what = fmt.Sprintf("email message, one of %d alike,", r.Incidents)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "This is an %s for an %s", kind, what)
	if r.SourceIP.IsValid() {
		fmt.Fprintf(&b, "\r\nreceived from IP %s", r.SourceIP.WithZone(""))
		if !r.ArrivalDate.IsZero() {
			fmt.Fprintf(&b, " on %s", r.ArrivalDate.UTC().Format(time.RFC1123Z))
		}
	}
	b.WriteString(".\r\n")
	if len(r.IdentityAlignment) > 0 && r.IdentityAlignment[0] != "none" {
		fmt.Fprintf(&b, "Not authenticated for its Author Domain by: %s.\r\n", strings.Join(r.IdentityAlignment, ", "))
	}
	b.WriteString("For the format of this report see RFC 9991, RFC 6591 and RFC 5965.\r\n")
	return b.String()
}

// An originalPart is the third part of a report.
type originalPart struct {
	media, encoding string
	content         []byte
}

// original writes the message that the report is about: as it is where mail can carry it so, and encoded where not.
func (r *Report) original() (originalPart, error) {
	m, err := message.Read(strings.NewReader(r.OriginalHeader), message.Limits{HeaderBytes: len(r.OriginalHeader) + 1, Fields: len(r.OriginalHeader)})
	if err != nil || len(m.Header) == 0 || len(readAll(m.Body)) > 0 {
		return originalPart{}, errors.New("failure report: the original header is no header")
	}
	var b bytes.Buffer
	for _, f := range m.Header {
		b.WriteString(f.Raw)
	}
	if len(r.OriginalBody) == 0 {
		if isCarried(b.Bytes()) && bits(b.Bytes()) == "7bit" {
			return originalPart{"text/rfc822-headers", "7bit", b.Bytes()}, nil
		}
		return originalPart{"text/rfc822-headers", "quoted-printable", toQuotedPrintable(b.Bytes())}, nil // RFC 6522 4
	}
	m, err = message.Read(io.MultiReader(strings.NewReader("\r\n"), bytes.NewReader(r.OriginalBody)), message.Limits{})
	if err != nil {
		return originalPart{}, fmt.Errorf("failure report: the original body: %w", err)
	}
	b.WriteString("\r\n")
	b.Write(readAll(m.Body))
	if isCarried(b.Bytes()) {
		return originalPart{"message/rfc822", bits(b.Bytes()), b.Bytes()}, nil
	}
	// message/rfc822 must not be encoded (RFC 2046 5.2.1); message/global may (RFC 6532 3.7).
	encoded := strings.Join(chunks(base64.StdEncoding.EncodeToString(b.Bytes()), 76), "\r\n")
	return originalPart{"message/global", "base64", []byte(encoded)}, nil
}

// isCarried tells whether SMTP carries content as it is: no line over 998 bytes, no NUL, no line end that is not CRLF.
func isCarried(content []byte) bool {
	for len(content) > 0 {
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		content = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > 998 || bytes.ContainsAny(line, "\r\x00") {
			return false
		}
	}
	return true
}

// toQuotedPrintable encodes text with CRLF line ends (RFC 2045 6.7).
func toQuotedPrintable(text []byte) []byte {
	var b bytes.Buffer
	for i := 0; i < len(text); {
		line, next := text[i:], len(text)
		if n := bytes.Index(line, []byte("\r\n")); n >= 0 {
			line, next = line[:n], i+n+2
		}
		column := 0
		for k, c := range line {
			s := string(rune(c))
			if c == '=' || c < ' ' || c >= 0x7f || c == ' ' && k == len(line)-1 {
				s = fmt.Sprintf("=%02X", c)
			}
			if column+len(s) > 75 {
				b.WriteString("=\r\n")
				column = 0
			}
			b.WriteString(s)
			column += len(s)
		}
		if i+len(line) < next {
			b.WriteString("\r\n")
		}
		i = next
	}
	return b.Bytes()
}
