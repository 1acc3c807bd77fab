package failure

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// fields reads the fields for programs (RFC 5965 3): header fields, and in some reports empty lines between them.
func (r *reader) fields(content []byte) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	var name string
	var value []byte
	count := 0
	flush := func() {
		if name != "" {
			r.field(name, string(value))
		}
		name = ""
	}
	for number := 1; len(content) > 0; number++ {
		line, rest, _ := bytes.Cut(content, []byte("\n"))
		content = rest
		line = bytes.TrimRight(line, " \t\r")
		if len(line) == 0 {
			flush()
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && name != "" {
			value = append(append(value, ' '), line...)
			continue
		}
		flush()
		n, v, ok := cutField(line)
		if !ok {
			r.warn("feedback report, line %d: no field: left out", number)
			continue
		}
		if count++; count > 1000 {
			r.warn("feedback report: more than 1000 fields: the rest is left out")
			return
		}
		name, value = n, append(value[:0], v...)
	}
	flush()
}

// cutField cuts a line into a field's name and its value. White space before the name is passed over: there is no field that it could
// continue.
func cutField(line []byte) (name string, value []byte, ok bool) {
	n := bytes.IndexByte(line, ':')
	if n < 0 || n > 200 {
		return "", nil, false
	}
	trimmed := bytes.Trim(line[:n], " \t")
	if len(trimmed) == 0 || bytes.ContainsFunc(trimmed, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", nil, false
	}
	return string(trimmed), line[n+1:], true
}

// The words that the standards know; all others are kept as they came.
var (
	feedbackTypes   = []string{"auth-failure", "abuse", "fraud", "not-spam", "virus", "other"} // RFC 5965 7.3, 6430, 6591 3.1
	authFailures    = []string{"dmarc", "adsp", "bodyhash", "revoked", "signature", "spf"}     // RFC 6591 3.3, RFC 9991 4
	deliveryResults = []string{"delivered", "spam", "policy", "reject", "other"}               // RFC 6591 3.2.2
	methods         = []string{"dkim", "spf", "none"}                                          // RFC 9991 4
)

// field takes one field. The first of several counts where only one may be.
func (r *reader) field(name, value string) {
	p := r.report
	lower := strings.ToLower(name)
	if encoded := strings.HasPrefix(lower, "dkim-canonicalized-"); !encoded {
		value = clip(value, 2*r.o.TextBytes) // before it is worked on; r.text says that it was too long
	}
	switch lower {
	case "authentication-results":
		r.add(name, &p.AuthenticationResults, r.text(name, value))
		return
	case "original-rcpt-to":
		r.add(name, &p.OriginalRcptTo, address(r.text(name, value)))
		return
	case "reported-domain":
		r.add(name, &p.ReportedDomains, r.domain(name, value))
		return
	case "reported-uri":
		r.add(name, &p.ReportedURIs, r.text(name, value))
		return
	case "spf-dns":
		if len(p.SPF.DNS) == r.o.Values {
			r.warn("%s: more than %d: left out", name, r.o.Values)
		} else if value := r.text(name, value); value != "" {
			p.SPF.DNS = append(p.SPF.DNS, r.spfRecord(value))
		}
		return
	}
	if strings.TrimSpace(value) == "" {
		return // as good as absent
	}
	key := lower
	if lower == "received-date" { // as drafts of RFC 5965 had it
		key = "arrival-date"
	}
	if once[key] {
		before, twice := r.seen[key]
		if twice {
			if before != clip(value, 100) {
				r.warn("%s is there again, and says something else: the first counts", clip(name, 100))
			}
			return
		}
		r.seen[key] = clip(value, 100)
	}
	switch key {
	case "feedback-type":
		p.FeedbackType = r.word(name, value, feedbackTypes)
	case "version":
		p.Version = r.text(name, value)
	case "user-agent":
		p.UserAgent = r.text(name, value)
	case "reporting-mta":
		p.ReportingMTA = r.text(name, value)
	case "arrival-date":
		p.ArrivalDate = r.date(name, value)
	case "source-ip":
		r.source(name, value)
	case "source-port":
		if n, err := strconv.ParseUint(bare(value), 10, 16); err == nil {
			p.SourcePort = uint16(n)
		} else {
			r.warn("%s %.40q is no port: left out", name, unfold(value))
		}
	case "incidents":
		if n, err := strconv.ParseUint(bare(value), 10, 32); err == nil && n > 0 {
			p.Incidents = uint32(n)
		} else {
			r.warn("%s %.40q is no count: left out", name, unfold(value))
		}
	case "original-envelope-id":
		p.OriginalEnvelopeID = r.text(name, value)
	case "original-mail-from":
		p.OriginalMailFrom = address(r.text(name, value))
	case "auth-failure":
		p.AuthFailure = r.word(name, value, authFailures)
	case "delivery-result":
		p.DeliveryResult = r.word(name, value, deliveryResults)
	case "identity-alignment":
		r.alignment(name, value)
	case "dkim-domain":
		p.DKIM.Domain = r.domain(name, value)
	case "dkim-identity":
		p.DKIM.Identity = r.text(name, bare(value))
	case "dkim-selector":
		p.DKIM.Selector = r.text(name, bare(value))
	case "dkim-selector-dns":
		p.DKIM.SelectorDNS = unquote(r.text(name, value))
	case "dkim-adsp-dns":
		p.DKIM.ADSPDNS = unquote(r.text(name, value))
	case "dkim-canonicalized-header":
		p.DKIM.CanonicalizedHeader = r.base64(name, value)
	case "dkim-canonicalized-body":
		p.DKIM.CanonicalizedBody = r.base64(name, value)
	default:
		if len(p.Extra) == r.o.Values {
			r.warn("more than %d unknown fields: %q is left out", r.o.Values, clip(name, 100))
			return
		}
		p.Extra = append(p.Extra, Field{name, r.text(name, value)})
	}
}

// once are the fields that may come once only.
var once = map[string]bool{
	"feedback-type": true, "version": true, "user-agent": true, "reporting-mta": true, "arrival-date": true, "source-ip": true,
	"source-port": true, "incidents": true, "original-envelope-id": true, "original-mail-from": true, "auth-failure": true,
	"delivery-result": true, "identity-alignment": true, "dkim-domain": true, "dkim-identity": true, "dkim-selector": true,
	"dkim-selector-dns": true, "dkim-adsp-dns": true, "dkim-canonicalized-header": true, "dkim-canonicalized-body": true,
}

// add appends a value that is not empty.
func (r *reader) add(name string, list *[]string, value string) {
	switch {
	case value == "":
	case len(*list) == r.o.Values:
		r.warn("%s: more than %d: left out", clip(name, 100), r.o.Values)
	default:
		*list = append(*list, value)
	}
}

// word reads a keyword: in lower case if it is known, and as it came if not.
func (r *reader) word(name, value string, known []string) string {
	text := r.text(name, bare(value))
	if lower := strings.ToLower(text); slices.Contains(known, lower) {
		return lower
	}
	r.warn("%s %.40q is not known: kept as it came", name, text)
	return text
}

// alignment reads the methods that failed (RFC 9991 4).
func (r *reader) alignment(name, value string) {
	for text := range strings.FieldsFuncSeq(bare(value), func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
		word := r.word(name, text, methods)
		switch all := &r.report.IdentityAlignment; {
		case slices.Contains(*all, word):
			r.warn("%s names %.40q twice", name, word)
		default:
			r.add(name, all, word)
		}
	}
	if all := r.report.IdentityAlignment; len(all) > 1 && slices.Contains(all, "none") {
		r.warn("%s says none and more: what failed counts", name)
		r.report.IdentityAlignment = slices.DeleteFunc(all, func(m string) bool { return m == "none" })
	}
	slices.Sort(r.report.IdentityAlignment)
}

// domain reads a domain name, into the form in which it is compared. What is none is kept as it came.
func (r *reader) domain(name, value string) string {
	text := strings.Trim(r.text(name, bare(value)), `<>"'`)
	if text == "" {
		return ""
	}
	domain, err := dns.ToASCII(text)
	if err != nil || domain == "" {
		r.warn("%s %.100q is no domain: kept as it came", name, text)
		return text
	}
	return domain
}

// source reads an address, and a port behind it.
func (r *reader) source(name, value string) {
	ip, port, ok := parseSource(bare(value))
	if !ok {
		r.warn("%s %.60q is no address: left out", name, unfold(value))
		return
	}
	r.report.SourceIP = ip
	if port != 0 && r.report.SourcePort == 0 {
		r.warn("%s has a port behind it", name)
		r.report.SourcePort = port
	}
}

func parseSource(text string) (ip netip.Addr, port uint16, ok bool) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " ")
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().Unmap().WithZone(""), a.Port(), true
	}
	text = strings.Trim(text, "[]<>")
	if len(text) > 5 && strings.EqualFold(text[:5], "IPv6:") {
		text = text[5:]
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), 0, err == nil
}

// spfRecord reads a record that SPF used (RFC 6591 3.2.5): txt : example.com : "v=spf1 -all"
func (r *reader) spfRecord(value string) SPFRecord {
	kind, rest, ok := strings.Cut(value, ":")
	domain, record, ok2 := strings.Cut(rest, ":")
	kind, domain = strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(domain)
	if ok && ok2 && (kind == "txt" || kind == "spf") {
		if name, err := dns.ToASCII(domain); err == nil && name != "" {
			return SPFRecord{Type: kind, Domain: name, Record: unquote(strings.TrimSpace(record))}
		}
	}
	r.warn("SPF-DNS is not of the form type : domain : \"record\": kept as it came")
	return SPFRecord{Record: value}
}

// base64 decodes what a signature was made over.
func (r *reader) base64(name, value string) []byte {
	limit := max(r.o.BodyBytes, r.o.TextBytes)
	out, ok := fromBase64([]byte(value))
	digits := 0
	for _, c := range []byte(value) {
		if c > ' ' {
			digits++
		}
	}
	if !ok || digits%4 != 0 { // a text without signs, such as "hello", has no padding
		r.warn("%s is not in base64: kept as it came", name)
		out = []byte(unfold(clip(value, 2*limit)))
	}
	if len(out) > limit {
		r.warn("%s has %d bytes: the first %d of them are kept", name, len(out), limit)
		out = out[:limit]
	}
	if len(out) == 0 {
		return nil
	}
	return bytes.Clone(out)
}
