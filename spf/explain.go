package spf

import "github.com/gatepost-mail/gatepost/dns"

// maxExplanation is how long an explanation may be, to fit an SMTP reply with something before it. The rest is cut (RFC 7208 6.2).
const maxExplanation = 400

// explain fetches and expands the explanation of a Fail (RFC 7208 6.2). Whatever goes wrong, there is none.
func (e *evaluation) explain(spec, domain string) string {
	e.explaining = true
	name, ok, failed := e.target(spec, domain)
	if failed != nil || !ok {
		return ""
	}
	answer, err := e.lookup(name, dns.TypeTXT)
	if err != nil || len(answer.TXT) != 1 {
		return ""
	}
	text := answer.TXT[0]
	if _, _, reason := checkMacroString(text, explainLetters, ' '); reason != "" {
		return ""
	}
	b, failed := e.expand(nil, text, domain, boundExplanation)
	if failed != nil {
		return ""
	}
	for i, c := range b { // the text is clean, but not what the client said of itself
		if c < ' ' || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

func boundExplanation(b []byte) (_ []byte, more bool) {
	return b[:min(len(b), maxExplanation)], len(b) < maxExplanation
}
