package gate

import (
	"cmp"
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

// routesFor finds what is wanted for a recipient: the first route that names the domain, or else the default. Where it cannot be told whose
// address it is, that may be any of them.
func (s *Settings) routesFor(address string) []*Route {
	domain, ok := plainDomain(address)
	if !ok {
		all := []*Route{&s.byDefault}
		for i := range s.Routes {
			all = append(all, &s.Routes[i])
		}
		return all
	}
	for i := range s.Routes {
		if slices.ContainsFunc(s.Routes[i].Domains, func(pattern string) bool { return matches(pattern, domain) }) {
			return []*Route{&s.Routes[i]}
		}
	}
	return []*Route{&s.byDefault}
}

// plainDomain is the domain of an address, if that can be read in one way alone. Mail servers find another mailbox in quotes, routes,
// per cent signs, bangs and comments than one would think.
func plainDomain(address string) (domain string, ok bool) {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || local == "" || strings.ContainsFunc(address, isOdd) || strings.Contains(domain, "@") {
		return "", false
	}
	a, err := dns.ToASCII(domain)
	return a, err == nil
}

func isOdd(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`"%!:()<>[]\,;`, r)
}

// same tells whether two routes want the same.
func (r *Route) same(other *Route) bool {
	return r.Policy == other.Policy && r.Monitor == other.Monitor
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

// recipient takes in a recipient, as the client wrote it and as the mail server understood it, if it says so. A message gets one verdict, so
// that its recipients must have one policy: those with another are put off, unless all that is done is to watch. Where the mail server does
// not wait for our answer, the strictest verdict will count.
func (t *transit) recipient(written, resolved string, answered bool) *milter.Response {
	to := cmp.Or(resolved, written)
	for _, r := range t.routesFor(to) {
		if slices.ContainsFunc(t.routes, r.same) {
			continue
		}
		watched := r.Monitor && !slices.ContainsFunc(t.routes, func(o *Route) bool { return !o.Monitor })
		if len(t.routes) > 0 && answered && t.trust == "" && !watched {
			if _, plain := plainDomain(to); plain {
				return otherPolicy
			}
		}
		t.routes = append(t.routes, r)
	}
	if _, plain := plainDomain(to); !plain {
		t.unremovable = true // by that name the mail server may not find it again
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

// severity orders verdicts by what is really done.
func severity(v policy.Verdict) int {
	if v.Monitor {
		return -1
	}
	return slices.Index(severities, v.Action)
}
