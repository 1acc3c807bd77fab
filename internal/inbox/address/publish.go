package address

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
)

// A Publication is what has to stand in DNS so that reports about a domain come to its address.
type Publication struct {
	Domain  string   `json:"domain"`
	Address string   `json:"address"`
	RUA     string   `json:"rua"` // the tag of the DMARC record that asks for aggregate reports
	RUF     string   `json:"ruf"` // and that for failure reports
	Records []Record `json:"records"`
	Notes   []string `json:"notes"` // what could not be found out, and what to do instead
}

// What a Record is for.
const (
	ForDMARC         = "dmarc"         // the domain's policy, asking for reports (RFC 9989 4.7)
	ForAuthorization = "authorization" // the host lets another domain send its reports there (RFC 9990 4)
	ForTLSRPT        = "tlsrpt"        // reports about TLS (RFC 8460 3)
)

// A Record is a TXT record.
type Record struct {
	For       string `json:"for"`
	Name      string `json:"name"`
	Text      string `json:"text"`
	Published bool   `json:"published"` // it, or one that does as well, is there already
}

// Zone is the record in the form of a zone file.
func (r Record) Zone() string {
	return r.Name + ". IN TXT " + strings.Join(dns.QuoteText(r.Text), " ")
}

// Publish finds out what has to be published for a domain. A DNS failure is a note, and never an error: the address stands.
func (b *Book) Publish(ctx context.Context, r dns.Resolver, domain string, o dmarc.Options) (Publication, error) {
	address, err := b.For(domain)
	if err != nil {
		return Publication{}, err
	}
	domain, _ = hostName(domain)
	uri := "mailto:" + address
	p := Publication{Domain: domain, Address: address, RUA: "rua=" + uri, RUF: "ruf=" + uri, Records: []Record{}, Notes: []string{}}
	p.policy(ctx, r, uri, o)
	p.authorization(ctx, r, b.host, o)
	p.tls(ctx, r, uri)
	return p, nil
}

func (p *Publication) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// policy says what the domain's DMARC record has to be. A domain that another's record covers needs none of its own: reports about it go
// where that record says, and a weaker record would take its protection away.
func (p *Publication) policy(ctx context.Context, r dns.Resolver, uri string, o dmarc.Options) {
	policy := dmarc.Discover(ctx, r, p.Domain, o)
	record := Record{For: ForDMARC, Name: "_dmarc." + p.Domain}
	switch {
	case policy.Record != nil && policy.PolicyDomain == p.Domain:
		record.Text, record.Published = addReportURI(policy.Record, uri)
	case policy.Record != nil:
		p.note("the DMARC record of %s covers %s, and reports about it go where that record says: publish the address of %s there",
			policy.PolicyDomain, p.Domain, policy.PolicyDomain)
		return
	case policy.Err != nil:
		p.note("the DMARC record of %s is not known (%v): add the tag %s to the record that is there", p.Domain, policy.Err, p.RUA)
		return
	default:
		record.Text = "v=DMARC1; p=none; rua=" + uri
	}
	p.Records = append(p.Records, record)
}

// addReportURI gives a record that asks for aggregate reports at one more URI, every other tag being as it was.
func addReportURI(r *dmarc.Record, uri string) (text string, already bool) {
	if slices.ContainsFunc(r.AggregateURIs, func(u dmarc.URI) bool { return strings.EqualFold(u.Text, uri) }) {
		return r.Text, true
	}
	var b strings.Builder
	b.WriteString("v=DMARC1")
	added := false
	for _, t := range r.Tags {
		value := t.Value
		if t.Name == "rua" && !added {
			added = true
			if value = strings.TrimRight(value, ", \t"); value != "" {
				value += ","
			}
			value += uri
		}
		b.WriteString("; " + t.Name + "=" + value)
	}
	if !added {
		b.WriteString("; rua=" + uri)
	}
	return b.String(), false
}

// authorization is the host's consent, which is wanted where it is in another Organizational Domain than the domain (RFC 9990 4).
func (p *Publication) authorization(ctx context.Context, r dns.Resolver, host string, o dmarc.Options) {
	mine, err := dmarc.OrganizationalDomain(ctx, r, p.Domain, o)
	var theirs string
	if err == nil {
		theirs, err = dmarc.OrganizationalDomain(ctx, r, host, o)
	}
	switch {
	case err != nil:
		p.note("whether %s and %s are in one Organizational Domain is not known (%v): the authorization is needless if they are",
			p.Domain, host, err)
	case mine == theirs:
		return
	}
	record := Record{For: ForAuthorization, Name: p.Domain + "._report._dmarc." + host, Text: "v=DMARC1;"}
	if _, err := dns.ToASCII(record.Name); err != nil {
		p.note("no report can be sent to %s about %s: the name %s is too long for DNS; take a shorter host", host, p.Domain, record.Name)
		return
	}
	if answer, err := r.Lookup(ctx, record.Name, dns.TypeTXT); err == nil {
		record.Published = slices.ContainsFunc(answer.TXT, dmarc.IsRecord)
	}
	p.Records = append(p.Records, record)
}

// tls asks for reports about TLS, unless somebody gets them already: a second record would void both (RFC 8460 3).
func (p *Publication) tls(ctx context.Context, r dns.Resolver, uri string) {
	record := Record{For: ForTLSRPT, Name: "_smtp._tls." + p.Domain, Text: "v=TLSRPTv1; rua=" + uri}
	answer, err := r.Lookup(ctx, record.Name, dns.TypeTXT)
	if err != nil && !dns.IsVoid(err) {
		p.note("the TLSRPT record of %s is not known (%v): add %s to the record that is there", p.Domain, err, uri)
		return
	}
	for _, text := range answer.TXT {
		if !strings.HasPrefix(text, "v=TLSRPTv1") {
			continue
		}
		if record.Published = strings.Contains(strings.ToLower(text), uri); record.Published {
			record.Text = text
			break
		}
		p.note("%s asks for TLS reports already: add %s to its rua, behind a comma", record.Name, uri)
		return
	}
	p.Records = append(p.Records, record)
}
