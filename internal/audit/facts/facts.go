// Package facts gathers what a domain publishes about its mail, and judges none of it.
//
//	f := facts.Gather(ctx, "example.com", facts.Options{Resolver: resolver})
//	for _, failure := range f.Failures { … } // what could not be had
//
// Each area has its file: what is known of it, and how it is found out. Whatever is in [Facts] was written by the domain's owner, or by
// an attacker: it is bounded in size, and nothing in it is believed.
package facts

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// An Area is a part of what a domain publishes: the first words of a check's id.
type Area string

// The areas.
const (
	SPF    Area = "spf"
	DKIM   Area = "dkim"
	DMARC  Area = "dmarc"
	MX     Area = "mx"
	TLS    Area = "tls"
	DNSSEC Area = "dnssec"
	DANE   Area = "dane"
	STS    Area = "mta-sts"
	TLSRPT Area = "tls-rpt"
	BIMI   Area = "bimi"
)

// Areas are all, in the order in which they are told.
var Areas = []Area{SPF, DKIM, DMARC, MX, TLS, DNSSEC, DANE, STS, TLSRPT, BIMI}

// Options say how to gather. The zero value of each member but Resolver means its default.
type Options struct {
	Resolver  dns.Resolver
	Unchecked dns.Resolver      // answers also what fails DNSSEC; nil: bogus is not told from a failure
	Web       http.RoundTripper // fetches policies and logos; nil: none is fetched, and nothing is said of them
	Offline   bool              // a file stands in place of the network: of DNSSEC it says nothing, and so does nobody
	Connect   bool              // speak SMTP with the domain's mail servers
	Dial      Dialer            // for Connect; a plain one if nil
	Roots     *x509.CertPool    // for Connect: whom certificates are to lead to; those of the system if nil

	AllowPrivate bool // for Connect: mail servers within a network are spoken to as well

	Selectors []string          // DKIM selectors to try before all others
	Keys      map[string]string // key records of the private keys that we hold, by selector
	OtherKeys map[string]string // domains other than this one whose keys are known, by [KeyHash]
	MarkRoots *x509.CertPool    // authorities for logos; nil: those of the system, and one that they do not know is no fault
	Servers   []netip.Addr      // the domain's own servers, which its SPF record must let in
	Seen      Seen              // what mail and reports say of the domain
	Table     *senders.Table    // senders.Known()
	Now       time.Time         // the present

	Queries int  // DNS queries at most; 500
	Few     bool // only the selectors that services, mail and reports suggest, and the most common ones

	probes *probes // what mail servers said, kept from one gathering to the next
}

// Seen is what received mail, reports and earlier audits know of a domain, as far as they are at hand.
type Seen struct {
	Selectors []string             // of signatures that passed
	Sends     bool                 // mail of the domain passed
	DKIM      bool                 // a signature of the domain's passed
	Length    bool                 // a signature of the domain's had l=
	Sources   []Source             // who sends for it
	KeySince  map[string]time.Time // since when a selector's record is what it is now
}

// A Source is one that sends for the domain, or in its name.
type Source struct {
	IP       netip.Addr
	Service  string // its name; empty if none was recognised
	Messages int64
	Asked    int64        // of them, those of which a receiver asked the domain's own SPF record: no other domain was in the envelope
	Class    senders.Kind // what it is to the domain, as [senders.Classify] has it
}

// Own tells whether it is the domain's own.
func (s *Source) Own() bool { return s.Class == senders.Passing || s.Class == senders.Misconfigured }

// Facts are what is known of a domain.
type Facts struct {
	Domain         string
	Organizational string // the public suffix and one label more
	At             time.Time
	Options        *Options
	Failures       []Failure // what could not be had, in no order

	TXT    Asked // all texts of the domain itself
	SPF    SPFFacts
	DKIM   DKIMFacts
	DMARC  DMARCFacts
	MX     MXFacts
	TLS    TLSFacts
	DNSSEC DNSSECFacts
	DANE   DANEFacts
	STS    STSFacts
	TLSRPT TLSRPTFacts
	BIMI   BIMIFacts
}

// A Failure is a question to which no answer was had.
type Failure struct {
	Area Area
	Name string // a domain, or a URL
	What string // "TXT"; "policy"
	Err  error
}

// String says what could not be had and why. An error of DNS names it itself.
func (f *Failure) String() string {
	if _, ok := errors.AsType[*dns.Error](f.Err); ok {
		return f.Err.Error()
	}
	return f.Name + " " + f.What + ": " + f.Err.Error()
}

// An Asked is a question to DNS, and what came of it.
type Asked struct {
	Name string
	Type dns.Type
	dns.Answer
	Err error
}

// Found tells whether there is a record.
func (a *Asked) Found() bool { return a.Err == nil && a.Name != "" }

// Absent tells whether there is certainly none.
func (a *Asked) Absent() bool { return dns.IsVoid(a.Err) }

// Unknown tells whether no answer was had.
func (a *Asked) Unknown() bool { return a.Err != nil && !dns.IsVoid(a.Err) }

// Gone tells whether the domain certainly does not exist: DNS knows neither the name nor anything below it (RFC 8020).
func (f *Facts) Gone() bool {
	return isNXDomain(f.TXT.Err) && isNXDomain(f.MX.Asked.Err) && isNXDomain(f.MX.A.Err) && isNXDomain(f.MX.AAAA.Err)
}

// Owns tells whether a name is the domain's, or one of the organization that it belongs to.
func (f *Facts) Owns(name string) bool {
	return isBelow(name, f.Domain) || f.Organizational != "" && isBelow(name, f.Organizational)
}

// Undecided is an area of which something could not be had that might change all that can be said of it, and empty where there is none:
// the texts of the domain, a record that its SPF leads to, or the policy and those above it. A key that was not seen and a report's
// address that could not be looked at change little.
func (f *Facts) Undecided() Area {
	if f.TXT.Unknown() {
		return SPF
	}
	if _, known := f.DMARC.Applies(); !known || f.DMARC.Asked.Unknown() {
		return DMARC
	}
	var area Area
	f.SPF.Tree.Each(func(p *Policy) {
		if p.Problem == Temporary {
			area = SPF
		}
	})
	return area
}

// Unknown tells whether an area has questions without an answer.
func (f *Facts) Unknown(area Area) bool {
	for _, failure := range f.Failures {
		if failure.Area == area {
			return true
		}
	}
	return false
}
