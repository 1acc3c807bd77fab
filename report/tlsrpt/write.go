package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// The JSON of RFC 8460 4.4.
type (
	jsonReport struct {
		OrganizationName string       `json:"organization-name"`
		DateRange        jsonRange    `json:"date-range"`
		ContactInfo      string       `json:"contact-info"`
		ReportID         string       `json:"report-id"`
		Policies         []jsonPolicy `json:"policies"`
	}
	jsonRange struct {
		Start string `json:"start-datetime"`
		End   string `json:"end-datetime"`
	}
	jsonPolicy struct {
		Policy struct {
			Type    string   `json:"policy-type"`
			Strings []string `json:"policy-string,omitempty"`
			Domain  string   `json:"policy-domain"`
			MXHosts []string `json:"mx-host,omitempty"`
		} `json:"policy"`
		Summary struct {
			Successful int64 `json:"total-successful-session-count"`
			Failed     int64 `json:"total-failure-session-count"`
		} `json:"summary"`
		Failures []jsonFailure `json:"failure-details,omitempty"`
	}
	jsonFailure struct {
		ResultType            string `json:"result-type"`
		SendingMTAIP          string `json:"sending-mta-ip,omitempty"`
		ReceivingMXHostname   string `json:"receiving-mx-hostname,omitempty"`
		ReceivingMXHelo       string `json:"receiving-mx-helo,omitempty"`
		ReceivingIP           string `json:"receiving-ip,omitempty"`
		Sessions              int64  `json:"failed-session-count"`
		AdditionalInformation string `json:"additional-information,omitempty"`
		ReasonCode            string `json:"failure-reason-code,omitempty"`
	}
)

// Check tells everything that keeps a report from being written as RFC 8460 4.4 wants it.
func (r *Report) Check() error {
	var wrong []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	need(r.OrganizationName != "", "no organization name")
	need(isAddress(r.ContactInfo), "the contact %.100q is no address", r.ContactInfo)
	need(r.ReportID != "", "no report id")
	need(!r.Begin.IsZero() && !r.End.IsZero() && !r.End.Before(r.Begin), "no range of dates")
	need(len(r.Policies) > 0, "no policies")
	for i, p := range r.Policies {
		need(slices.Contains(policyTypes, p.Type), "policy %d: policy-type %.40q is not known", i+1, p.Type)
		need(isMailDomain(p.Domain), "policy %d: %.100q is no domain", i+1, p.Domain)
		need(p.Successful >= 0 && p.Failed >= 0, "policy %d: a negative count", i+1)
		for k, f := range p.Failures {
			need(slices.Contains(resultTypes, f.ResultType), "policy %d, failure %d: result-type %.40q is not known", i+1, k+1, f.ResultType)
			need(f.Sessions >= 0, "policy %d, failure %d: a negative count", i+1, k+1)
			if len(wrong) > 20 {
				break
			}
		}
	}
	if len(wrong) > 0 {
		return errors.New("TLS report: " + strings.Join(wrong, "; "))
	}
	return nil
}

func isAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && len(s) <= 320 && isPrintable(s)
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Write writes the JSON of a report, or returns an error of [Report.Check]. What Read gave reads back equal.
func (r *Report) Write(w io.Writer) error {
	if err := r.Check(); err != nil {
		return err
	}
	out := jsonReport{
		OrganizationName: clean(r.OrganizationName), ContactInfo: r.ContactInfo, ReportID: clean(r.ReportID),
		DateRange: jsonRange{r.Begin.UTC().Format(time.RFC3339Nano), r.End.UTC().Format(time.RFC3339Nano)},
	}
	for _, p := range r.Policies {
		var j jsonPolicy
		j.Policy.Type, j.Policy.Strings, j.Policy.Domain, j.Policy.MXHosts = p.Type, p.Strings, p.Domain, p.MXHosts
		j.Summary.Successful, j.Summary.Failed = p.Successful, p.Failed
		for _, f := range p.Failures {
			j.Failures = append(j.Failures, jsonFailure{f.ResultType, address(f.SendingMTAIP), f.ReceivingMXHostname, f.ReceivingMXHelo, address(f.ReceivingIP),
				f.Sessions, f.AdditionalInformation, f.ReasonCode})
		}
		out.Policies = append(out.Policies, j)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// A Mail is what a report needs to become a mail, besides what is in it.
type Mail struct {
	From      string // an address of the Submitter; its domain must sign the mail (RFC 8460 3)
	To        string // from the domain's rua=
	Submitter string // the domain that reports
	MessageID string // without angle brackets
	Date      time.Time
}

// Filename is the name that RFC 8460 5.1 gives a compressed report. unique may be empty.
func (r *Report) Filename(submitter, unique string) string {
	name := fmt.Sprintf("%s!%s!%d!%d", submitter, r.domain(), r.Begin.Unix(), r.End.Unix())
	if unique != "" {
		name += "!" + strings.Map(func(c rune) rune {
			if c < 0x80 && isAlphanumeric(byte(c)) {
				return c
			}
			return -1
		}, unique)
	}
	return name + ".json.gz"
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isMailDomain tells whether a domain in its canonical form can be one that mail goes to: DNS allows any character in a name.
func isMailDomain(domain string) bool {
	canonical, err := dns.ToASCII(domain)
	return err == nil && canonical == domain && !strings.ContainsFunc(domain, func(c rune) bool {
		return c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z')
	})
}

// domain is the domain that the report is for.
func (r *Report) domain() string {
	if len(r.Policies) == 0 {
		return ""
	}
	return r.Policies[0].Domain
}

// Subject is the subject of the report's mail (RFC 8460 5.3).
func (r *Report) Subject(submitter string) string {
	return fmt.Sprintf("Report Domain: %s Submitter: %s Report-ID: <%s>", r.domain(), submitter, r.subjectID(submitter))
}

// subjectID is the report's id in the form of a Message-ID, which the subject wants.
func (r *Report) subjectID(submitter string) string {
	id := strings.Map(func(c rune) rune {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`<>()[]:;,"\`, c) {
			return '.'
		}
		return c
	}, clip(r.ReportID, 200))
	if strings.Count(id, "@") != 1 || strings.HasPrefix(id, "@") || strings.HasSuffix(id, "@") {
		id = strings.ReplaceAll(id, "@", ".") + "@" + submitter
	}
	return id
}

// WriteMail writes a report as the mail of RFC 8460 5.3, with the JSON compressed. It is complete but for its DKIM signature, which must be
// there (RFC 8460 3).
func (r *Report) WriteMail(w io.Writer, m Mail) error {
	submitter, err := dns.ToASCII(m.Submitter)
	switch {
	case err != nil || !strings.Contains(submitter, "."):
		return fmt.Errorf("TLS report: the submitter %.100q is no domain", m.Submitter)
	case !isAddress(m.From) || !isAddress(m.To):
		return fmt.Errorf("TLS report: from %.100q or to %.100q is no address", m.From, m.To)
	case !strings.Contains(m.MessageID, "@") || strings.ContainsAny(m.MessageID, "<> ") || !isPrintable(m.MessageID) || len(m.MessageID) > 900:
		return fmt.Errorf("TLS report: %.100q is no Message-ID", m.MessageID)
	case m.Date.IsZero():
		return errors.New("TLS report: no date")
	}
	for _, p := range r.Policies {
		if p.Domain != r.domain() {
			return fmt.Errorf("TLS report: policies of %s and %s, which are two reports (RFC 8460 4.1)", r.domain(), p.Domain)
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := r.Write(z); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	boundary := fmt.Sprintf("=_%x", sha256.Sum256(packed.Bytes()))[:34]
	var b bytes.Buffer
	for _, f := range [][2]string{
		{"From", "<" + m.From + ">"}, {"To", "<" + m.To + ">"}, {"Date", m.Date.UTC().Format(time.RFC1123Z)},
		{"Subject", strings.Replace(strings.Replace(r.Subject(submitter), " Submitter:", "\r\n Submitter:", 1), " Report-ID:", "\r\n Report-ID:", 1)},
		{"Message-ID", "<" + m.MessageID + ">"}, {"TLS-Report-Domain", r.domain()}, {"TLS-Report-Submitter", submitter},
		{"TLS-Required", "No"}, // RFC 8689 5: a report about TLS that fails must not need TLS
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"},
		{"Content-Type", "multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"" + boundary + `"`},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	var total [2]int64
	for _, p := range r.Policies {
		total[0] += p.Successful
		total[1] += p.Failed
	}
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary)
	fmt.Fprintf(&b, "This is an aggregate TLS report from %s.\r\n%d sessions succeeded, %d failed.\r\n\r\n", submitter, total[0], total[1])
	fmt.Fprintf(&b, "--%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n", boundary)
	fmt.Fprintf(&b, "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n", r.Filename(submitter, ""))
	encoded := base64.StdEncoding.EncodeToString(packed.Bytes())
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	fmt.Fprintf(&b, "%s\r\n--%s--\r\n", encoded, boundary)
	_, err = w.Write(b.Bytes())
	return err
}
