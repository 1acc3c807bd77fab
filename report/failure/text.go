package failure

import (
	"bytes"
	"html"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// labels are what the texts of some reporters call the fields of a report.
var labels = map[string]string{
	"sender domain": "Reported-Domain", "from domain": "Reported-Domain", "header from domain": "Reported-Domain", "domain": "Reported-Domain",
	"sender ip address": "Source-IP", "sender ip": "Source-IP", "source ip address": "Source-IP", "source ip": "Source-IP", "ip address": "Source-IP",
	"received date": "Arrival-Date", "arrival date": "Arrival-Date",
	"envelope from": "Original-Mail-From", "mail from": "Original-Mail-From",
	"dmarc results": "Delivery-Result", "dmarc result": "Delivery-Result",
}

// fromText reads a report that has only a text for people, in one of the forms that are common: lines of label and value, the fields for
// programs among the text, or the sentence with which RFC 5965 and RFC 9991 begin theirs. It tells whether that is a report at all: the
// text must speak of a report or a failure, and say of which address or domain.
func (r *reader) fromText() bool {
	p := r.report
	for _, text := range r.texts {
		text = clip(text, 256<<10)
		lower := strings.ToLower(text)
		if !speaksOfFailure(lower) {
			continue
		}
		head := r.fromLines(text)
		r.fromSentence(unfold(head))
		if !p.SourceIP.IsValid() && len(p.ReportedDomains) == 0 {
			continue
		}
		r.warn("no message/feedback-report part: the text for people was read instead")
		if p.FeedbackType == "" && !strings.Contains(lower, "abuse report") {
			p.FeedbackType = "auth-failure"
		}
		if p.AuthFailure == "" && strings.Contains(lower, "dmarc") {
			p.AuthFailure = "dmarc"
		}
		slices.Sort(p.IdentityAlignment)
		return true
	}
	return false
}

func speaksOfFailure(lower string) bool {
	for _, words := range []string{"authentication failure", "authentication-failure", "failed the published dmarc", "dmarc failure", "dmarc fail",
		"failed dmarc", "abuse report", "feedback-type:", "auth-failure", "forensic report"} {
		if strings.Contains(lower, words) {
			return true
		}
	}
	return false
}

// fromLines reads lines of label and value, up to the header that some quote below a line of dashes. It returns what stands above that.
func (r *reader) fromLines(text string) string {
	aligned := map[string]string{}
	dashed := 0
	for rest := text; rest != ""; {
		var line string
		at := len(text) - len(rest)
		line, rest, _ = strings.Cut(rest, "\n")
		if r.original == nil && dashed < 20 && isDashed(line) {
			dashed++
			if quoted := quotedHeader(rest); quoted != nil {
				r.original = &entity{place: "the text", content: quoted}
				text = text[:at]
				break
			}
		}
		label, value, ok := strings.Cut(strings.Trim(line, " \t\r*>"), ":")
		if !ok || len(label) > 60 || strings.TrimSpace(value) == "" {
			continue
		}
		label = strings.ToLower(strings.TrimSpace(label))
		switch name := labels[label]; {
		case label == "dkim alignment" || label == "spf alignment":
			aligned[label[:4]] = strings.ToLower(bare(value))
		case name != "":
			r.field(name, value)
		case once[label] || label == "authentication-results" || label == "reported-domain" || label == "original-rcpt-to":
			r.field(label, value)
		}
	}
	r.fromAlignments(aligned)
	return text
}

// fromAlignments turns "DKIM Alignment: no" round: Identity-Alignment names what failed. "none" needs a yes from both.
func (r *reader) fromAlignments(aligned map[string]string) {
	yes := 0
	for _, method := range []string{"dkim", "spf "} {
		word, said := aligned[method]
		switch {
		case !said:
		case word == "yes" || word == "pass":
			yes++
		default:
			r.report.IdentityAlignment = append(r.report.IdentityAlignment, strings.TrimSpace(method))
		}
	}
	if yes == 2 {
		r.report.IdentityAlignment = []string{"none"}
	}
}

// fromSentence reads "… an email message received from IP 192.0.2.1 on Thu, 8 Mar 2005 14:00:00 EDT."
func (r *reader) fromSentence(text string) {
	const words = "received from ip "
	i := strings.Index(strings.ToLower(text), words)
	if i < 0 || len(strings.ToLower(text)) != len(text) {
		return
	}
	ip, rest, _ := strings.Cut(text[i+len(words):], " ")
	if r.report.SourceIP.IsValid() {
		return
	}
	addr, _, ok := parseSource(strings.TrimRight(ip, ".,"))
	if !ok {
		return
	}
	r.report.SourceIP = addr
	if date, ok := strings.CutPrefix(rest, "on "); ok && r.report.ArrivalDate.IsZero() {
		if n := strings.IndexByte(date, '.'); n >= 0 {
			date = date[:n]
		}
		r.report.ArrivalDate = r.date("the text's date", date)
	}
}

// isDashed tells whether a line is one that sets what follows it apart.
func isDashed(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "---") || strings.HasPrefix(line, "===") || strings.HasPrefix(line, "***") || strings.HasPrefix(line, "___")
}

// quotedHeader finds a header in the lines below, or nil. A few lines may stand between.
func quotedHeader(text string) []byte {
	for range 6 {
		if strings.TrimSpace(text) == "" {
			return nil
		}
		if looksLikeHeader([]byte(text)) {
			m, err := message.Read(strings.NewReader(strings.TrimLeft(text, "\r\n")), message.Limits{})
			if err != nil {
				return nil
			}
			var b bytes.Buffer
			for _, f := range m.Header {
				b.WriteString(f.Raw)
			}
			return b.Bytes()
		}
		_, text, _ = strings.Cut(text, "\n")
	}
	return nil
}

// withoutTags is the text of HTML, good enough to look for words in it.
func withoutTags(content []byte) string {
	var b strings.Builder
	for len(content) > 0 {
		n := bytes.IndexByte(content, '<')
		if n < 0 {
			b.Write(content)
			break
		}
		b.Write(content[:n])
		tag, rest, ok := bytes.Cut(content[n:], []byte(">"))
		if !ok {
			break
		}
		content = rest
		name := strings.ToLower(strings.Trim(string(tag[1:min(len(tag), 12)]), "/ "))
		if strings.HasPrefix(name, "br") || strings.HasPrefix(name, "p") || strings.HasPrefix(name, "div") || strings.HasPrefix(name, "tr") || strings.HasPrefix(name, "li") {
			b.WriteByte('\n')
		}
	}
	return html.UnescapeString(b.String())
}
