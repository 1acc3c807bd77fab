package gate

import (
	"slices"
	"strings"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A Route is what some recipient domains want done with their mail.
type Route struct {
	Domains []string // A-labels, lower case; "*.example.org" for those below
	Policy  *policy.Policy
	Monitor bool
}

// route finds the route of a recipient: the first that names the domain, or else the default.
func (s *Settings) route(recipient string) *Route {
	domain := recipientDomain(recipient)
	for i := range s.Routes {
		if slices.ContainsFunc(s.Routes[i].Domains, func(pattern string) bool { return matches(pattern, domain) }) {
			return &s.Routes[i]
		}
	}
	return &s.byDefault
}

// recipientDomain is the domain of an address, in A-labels where it can be written so.
func recipientDomain(address string) string {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if a, err := dns.ToASCII(domain); err == nil {
		return a
	}
	return strings.ToLower(domain)
}

// matches tells whether a domain is the one of a pattern, or for "*.example.org" lies below it.
func matches(pattern, domain string) bool {
	if above, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(domain, above) && len(domain) > len(above)
	}
	return domain == pattern
}

// What is remembered of the recipients of a message.
const (
	maxRecipients = 5000
	maxRecipient  = 320 // octets: RFC 5321 4.5.3.1.1, 4.5.3.1.2
)

// otherPolicy asks a sender to come once more for this recipient, which every mail server does by itself (RFC 5321 4.5.3.1.10).
var otherPolicy = reply("452 4.5.3 This recipient has another policy than those before; send the message to it separately")

// recipient takes in a recipient. A message gets one verdict, so that its recipients must have one policy: those with another are put
// off. Where the mail server does not wait for our answer, the strictest verdict will count.
func (t *transit) recipient(to string, answered bool) *milter.Response {
	r := t.route(to)
	if !slices.Contains(t.routes, r) {
		if len(t.routes) > 0 && answered && t.trust == "" {
			return otherPolicy
		}
		t.routes = append(t.routes, r)
	}
	if len(t.client.Recipients) < maxRecipients && len(to) <= maxRecipient {
		t.client.Recipients = append(t.client.Recipients, to)
	} else {
		t.forgotten++
	}
	return milter.RespContinue
}

// decide gives the verdict by the policy of the recipients, or the strictest where there are several.
func (t *transit) decide(e *verify.Evaluation) (v policy.Verdict) {
	routes := t.routes
	if len(routes) == 0 {
		routes = []*Route{&t.byDefault}
	}
	for i, r := range routes {
		next := r.Policy.Decide(e)
		next.Monitor = r.Monitor
		if i == 0 || severity(next) > severity(v) {
			v = next
		}
	}
	return v
}

var severities = []policy.Action{policy.Accept, policy.Mark, policy.Quarantine, policy.Defer, policy.Reject}

func severity(v policy.Verdict) int {
	if v.Monitor {
		return -1
	}
	return slices.Index(severities, v.Action)
}
