package senders

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Source is what reports of some days say of one address that wrote in the name of a domain, added up, and what DNS says of the
// address. All counts are of messages. Words are as reporters wrote them: only the word pass is pass.
type Source struct {
	Domain string // whose mail it claims to be: the Author Domain, or the Policy Domain for all below it
	IP     netip.Addr

	Results     []Result    // as evaluated for DMARC, each combination once
	DKIM        []Signature // of all signatures
	SPF         []SPFResult
	Envelopes   []Count  // MAIL FROM: domains, or addresses where they are known
	Reasons     []Reason // of reporters that did other than the policy asks
	HeaderFroms int      // different Author Domains of ours that it used
	Days, Span  int      // days on which it was seen, of the days looked at; 0: not known

	Named       bool     // DNS was asked for its names, and answered
	PTR         []string // its confirmed names
	Unconfirmed []string // names that don't lead back to it
	ASN         uint32
	Country     string
	Service     Match

	Own  Own
	Mark *Mark // what an administrator said, which goes before all of this
}

// A Result is how reporters evaluated messages.
type Result struct {
	DKIM, SPF   string // aligned, as policy_evaluated says
	Disposition string
	Count       int64
}

// A Signature is what reporters found of one key's signatures.
type Signature struct {
	Domain   string
	Selector string
	Result   string
	Count    int64
	// Elsewhere: signatures of this key passed in mail from other addresses, so that the key is in use.
	Elsewhere bool
}

// An SPFResult is what reporters found of one SPF identity.
type SPFResult struct {
	Domain string
	Scope  string
	Result string
	Count  int64
}

// A Count is a name and how many messages had it.
type Count struct {
	Name  string
	Count int64
}

// A Reason is why reporters did other than the policy asks.
type Reason struct {
	Type, Comment string
	Count         int64
}

// Own is what is known of the domain's own sending.
type Own struct {
	Networks   []netip.Prefix // which the administrator calls its own
	Authorised Answer         // the domain's SPF record lists the address
	Services   []string       // ids of those it uses: in its SPF record, or passing from other addresses
	ASNs       []uint32       // networks from which its mail passes
	Countries  []string       // and their countries
}

// An Answer is yes, no, or not known.
type Answer string

// The answers.
const (
	Unknown Answer = ""
	Yes     Answer = "yes"
	No      Answer = "no"
)

// A Mark is an administrator's word on a source.
type Mark struct {
	Kind Kind
	By   string
	Note string
}

// OrganizationalDomain is the public suffix and one label more (RFC 7489 3.2), or the domain itself where it is a public suffix. It asks
// no DNS, so that a class is the same whenever it is made.
func OrganizationalDomain(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return domain
	}
	return org
}

// facts are a Source boiled down to what decides.
type facts struct {
	domain, org string

	total, passed      int64
	dkimOK, spfOK      int64 // aligned
	refused            int64 // quarantined or rejected
	alignedPass        *Signature
	alignedFail        *Signature
	foreignPass        *Signature // the most frequent one of another domain that passed
	ownSPF             *SPFResult // of the domain itself, not passing
	alignedSPF         *SPFResult // passing, of the domain
	foreignSPF         *SPFResult // passing, of another domain
	anyPass            bool
	reporterSaidOnward *Reason // forwarded, mailing_list, trusted_forwarder, or ARC
	srs                string  // an envelope that a forwarder rewrote
}

func weigh(s *Source) *facts {
	f := &facts{domain: canonical(s.Domain)}
	f.org = OrganizationalDomain(f.domain)
	for _, r := range s.Results {
		n := max(0, r.Count)
		f.total += n
		if r.DKIM == "pass" {
			f.dkimOK += n
		}
		if r.SPF == "pass" {
			f.spfOK += n
		}
		if r.DKIM == "pass" || r.SPF == "pass" {
			f.passed += n
		}
		if r.Disposition == "reject" || r.Disposition == "quarantine" {
			f.refused += n
		}
	}
	f.weighDKIM(s.DKIM)
	f.weighSPF(s.SPF)
	f.weighReasons(s.Reasons)
	for _, e := range sorted(s.Envelopes, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) }) {
		if f.srs == "" && isSRS(e.Name) {
			f.srs = e.Name
		}
	}
	return f
}

func (f *facts) weighDKIM(all []Signature) {
	all = sorted(all, func(a, b Signature) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Selector, b.Selector),
			cmp.Compare(a.Result, b.Result))
	})
	for i := range all {
		d := &all[i]
		if d.Domain = canonical(d.Domain); d.Domain == "" || d.Result == "none" {
			continue
		}
		pass, aligned := d.Result == "pass", f.aligned(d.Domain)
		f.anyPass = f.anyPass || pass
		switch {
		case aligned && pass:
			keep(&f.alignedPass, d)
		case aligned:
			if f.alignedFail == nil || d.Elsewhere && !f.alignedFail.Elsewhere {
				f.alignedFail = d
			}
		case pass:
			keep(&f.foreignPass, d)
		}
	}
}

func (f *facts) weighSPF(all []SPFResult) {
	all = sorted(all, func(a, b SPFResult) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Scope, b.Scope),
			cmp.Compare(a.Result, b.Result))
	})
	for i := range all {
		r := &all[i]
		if r.Domain = canonical(r.Domain); r.Domain == "" || r.Scope == "helo" {
			continue // a HELO name is no identity of DMARC's (RFC 9989 4.4.2)
		}
		pass, aligned := r.Result == "pass", f.aligned(r.Domain)
		f.anyPass = f.anyPass || pass
		switch {
		case aligned && pass:
			keep(&f.alignedSPF, r)
		case aligned:
			keep(&f.ownSPF, r)
		case pass:
			keep(&f.foreignSPF, r)
		}
	}
}

// weighReasons finds what reporters say of mail that others passed on: the types of RFC 9990, and ARC, for which there is none.
func (f *facts) weighReasons(all []Reason) {
	all = sorted(all, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Comment, b.Comment))
	})
	for i := range all {
		switch r := &all[i]; r.Type {
		case "forwarded", "mailing_list", "trusted_forwarder":
			keep(&f.reporterSaidOnward, r)
		case "local_policy", "other":
			if strings.Contains(strings.ToLower(r.Comment), "arc=pass") {
				keep(&f.reporterSaidOnward, r)
			}
		}
	}
}

// aligned is relaxed alignment (RFC 9989 4.4): whether the policy asks for more shows in the results.
func (f *facts) aligned(domain string) bool {
	return f.org != "" && OrganizationalDomain(domain) == f.org
}

func keep[T any](to **T, v *T) {
	if *to == nil {
		*to = v
	}
}

// sorted is a copy in order, so that a class doesn't depend on in which order facts came.
func sorted[T any](all []T, compare func(a, b T) int) []T {
	all = slices.Clone(all)
	slices.SortFunc(all, compare)
	return all
}

// canonical is a domain in the form that is compared; empty if it is none. Reports hold what strangers wrote.
func canonical(domain string) string {
	name, err := dns.ToASCII(strings.TrimSpace(domain))
	if err != nil {
		return ""
	}
	return name
}

// isSRS tells whether an envelope was rewritten by the Sender Rewriting Scheme.
func isSRS(address string) bool {
	local, _, ok := strings.Cut(address, "@")
	if !ok || len(local) < 5 {
		return false
	}
	prefix := strings.ToUpper(local[:4])
	return (prefix == "SRS0" || prefix == "SRS1") && strings.IndexByte("=+-", local[4]) >= 0
}
