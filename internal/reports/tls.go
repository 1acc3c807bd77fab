package reports

import (
	"crypto/sha256"
	"io"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// A tlsDocument is a TLS report as JSON; the warnings stand at its end.
type tlsDocument struct {
	Kind string `json:"kind"`
	tlsrpt.Document
	Warnings *struct{} `json:"warnings,omitempty"` // hides those of the document
}

func readTLS(s *unwrap.Spool, o Options) (*Report, error) {
	hash := sha256.New()
	tee := io.TeeReader(body{s.Open()}, hash)
	t, err := tlsrpt.Read(tee, o.TLS)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return nil, err
	}
	r := &Report{Kind: store.TLS, TLS: t, Reporter: t.OrganizationName, ReportID: t.ReportID, Begin: t.Begin, End: t.End, Warnings: t.Warnings}
	hash.Sum(r.Content[:0])
	if address := strings.TrimPrefix(t.ContactInfo, "mailto:"); strings.Contains(address, "@") {
		r.Email = address
	}
	for i := range t.Policies {
		if domain, err := dns.ToASCII(t.Policies[i].Domain); err == nil {
			t.Policies[i].Domain = domain
		}
		if r.Domain == "" {
			r.Domain = t.Policies[i].Domain
		}
	}
	r.head, err = head(tlsDocument{Kind: r.Kind, Document: t.Document()})
	return r, err
}

// policies are what the store has of a TLS report.
func policies(t *tlsrpt.Report) []store.TLSPolicy {
	var all []store.TLSPolicy
	for i := range t.Policies {
		p := &t.Policies[i]
		s := store.TLSPolicy{Domain: p.Domain, Type: p.Type, Successful: p.Successful, Failed: p.Failed}
		for j := range p.Failures {
			f := &p.Failures[j]
			s.Failures = append(s.Failures, store.TLSFailure{
				Result: f.ResultType, SendingIP: text(f.SendingMTAIP), ReceivingIP: text(f.ReceivingIP), ReceivingMX: f.ReceivingMXHostname,
				Helo: f.ReceivingMXHelo, Sessions: f.Sessions, Reason: f.ReasonCode, Information: f.AdditionalInformation,
			})
		}
		all = append(all, s)
	}
	return all
}

func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
