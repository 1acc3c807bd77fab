package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// readTLS tells what a TLS report says of the domains that somebody sees.
func (r *Report) readTLS(who *people.Access, t *tlsrpt.Report) {
	r.Facts = reportFacts("contact", t.ContactInfo)
	for _, p := range t.Policies {
		if who.Over(cmp.Or(p.Domain, r.Domain)) < people.Viewer {
			r.Hidden++
			continue
		}
		out := TLSPolicyRead{Domain: p.Domain, Type: p.Type, MX: append([]string{}, p.MXHosts...), Secured: p.Successful, Failed: p.Failed, Failures: []TLSFailLine{}}
		for _, f := range p.Failures {
			out.Failures = append(out.Failures, TLSFailLine{
				Result: f.ResultType, Sessions: f.Sessions, MX: f.ReceivingMXHostname, Helo: f.ReceivingMXHelo, SendingIP: ipText(f.SendingMTAIP),
				ReceivingIP: ipText(f.ReceivingIP), Reason: f.ReasonCode, Information: f.AdditionalInformation,
			})
		}
		r.TLS = append(r.TLS, out)
	}
	if r.Hidden > 0 {
		r.Warnings = []string{} // they may tell of the others
	}
}

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// mostHeader is how many lines of a message's header are shown.
const mostHeader = 200

// readFailure tells what a failure report says of the message.
func (r *Report) readFailure(document json.RawMessage) error {
	var d struct {
		failure.Document
		Redacted bool `json:"redacted"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		return fmt.Errorf("the document of report %d: %w", r.ID, err)
	}
	r.Redacted = d.Redacted
	arrived := ""
	if d.ArrivalDate != nil {
		arrived = d.ArrivalDate.UTC().Format(time.DateTime) + " UTC"
	}
	incidents := ""
	if d.Incidents != nil {
		incidents = fmt.Sprint(*d.Incidents)
	}
	r.Facts = reportFacts("kind of feedback", d.FeedbackType, "version", d.Version, "made by", d.UserAgent, "reporting server", d.ReportingMTA)
	r.Failure = reportFacts("arrived", arrived, "messages like it", incidents, "from the address", d.SourceIP, "author domain", d.AuthorDomain,
		"reported domain", d.ReportedDomain, "what failed", d.AuthFailure, "not authenticated by", strings.Join(d.IdentityAlignment, ", "), "what became of it", d.DeliveryResult,
		"envelope sender", d.OriginalMailFrom, "envelope recipients", strings.Join(d.OriginalRcptTo, ", "), "envelope id", d.OriginalEnvelopeID,
		"subject", d.Subject, "message id", d.MessageID, "results", strings.Join(d.AuthenticationResults, "\n"),
		"DKIM", joinWords(d.DKIM.Domain, d.DKIM.Selector, d.DKIM.Identity), "key in DNS", d.DKIM.SelectorDNS, "addresses of the web in it", strings.Join(d.ReportedURIs, " "))
	for _, s := range d.SPF.DNS {
		r.Failure = append(r.Failure, reportFacts("SPF in DNS", joinWords(s.Domain, s.Type, s.Record))...)
	}
	for _, f := range d.Extra {
		r.Failure = append(r.Failure, reportFacts(f.Name, f.Value)...)
	}
	if d.OriginalHeader != "" {
		lines := strings.Split(strings.TrimRight(strings.ReplaceAll(d.OriginalHeader, "\r\n", "\n"), "\n"), "\n")
		r.Header = append(r.Header, lines[:min(len(lines), mostHeader)]...)
	}
	return nil
}

// Tables has all records, and what failed of TLS.
func (r *Report) Tables() []Table {
	return []Table{{
		Name: "records",
		Columns: []string{"source", "messages", "passed", "disposition", "dkim", "spf", "header from", "envelope from", "envelope to", "signatures", "spf results",
			"reasons"},
		Rows: func(yield func([]string) bool) {
			if r.rows == nil {
				return
			}
			n := int64(-1)
			for row, err := range r.rows {
				if err != nil {
					return
				}
				n++
				l := recordOf(n, &row)
				if !yield([]string{l.Source, count(l.Messages), fmt.Sprint(l.Passed), l.Disposition, l.DKIM, l.SPF, l.HeaderFrom, l.EnvelopeFrom, l.EnvelopeTo,
					strings.Join(l.Signatures, "; "), strings.Join(l.Senders, "; "), strings.Join(l.Reasons, "; ")}) {
					return
				}
			}
		},
	}, {
		Name:    "tls",
		Columns: []string{"domain", "policy", "result", "sessions", "sending address", "receiving host", "receiving address", "reason", "information"},
		Rows: func(yield func([]string) bool) {
			for _, p := range r.TLS {
				if !yield([]string{p.Domain, p.Type, "success", count(p.Secured), "", "", "", "", ""}) {
					return
				}
				for _, f := range p.Failures {
					if !yield([]string{p.Domain, p.Type, f.Result, count(f.Sessions), f.SendingIP, f.MX, f.ReceivingIP, f.Reason, f.Information}) {
						return
					}
				}
			}
		},
	}}
}
