package reports

import (
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// failedMessage is what a failure report is searched by.
func failedMessage(f *failure.Report) *store.FailedMessage {
	return &store.FailedMessage{
		Arrived: f.ArrivalDate, SourceIP: f.SourceIP, AuthorDomain: f.AuthorDomain, AuthFailure: f.AuthFailure,
		Alignment: strings.Join(f.IdentityAlignment, ", "), DeliveryResult: f.DeliveryResult,
	}
}

// tlsPolicies are the sessions that a TLS report counts.
func tlsPolicies(t *tlsrpt.Report) []store.TLSPolicy {
	var all []store.TLSPolicy
	for _, p := range t.Policies {
		s := store.TLSPolicy{Domain: p.Domain, Type: p.Type, Successful: p.Successful, Failed: p.Failed}
		for _, f := range p.Failures {
			s.Failures = append(s.Failures, store.TLSFailure{
				Result: f.ResultType, SendingIP: addressText(f.SendingMTAIP), ReceivingIP: addressText(f.ReceivingIP), ReceivingMX: f.ReceivingMXHostname,
				Helo: f.ReceivingMXHelo, Sessions: f.Sessions, Reason: f.ReasonCode, Information: f.AdditionalInformation,
			})
		}
		all = append(all, s)
	}
	return all
}

func addressText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
