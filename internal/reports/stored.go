package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/aggregate"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// Stored gives a report of the store, with its document, as it was when it was read. Rows are its records; the store's answer to them may
// be gone through several times. Extensions of records are not kept there.
func Stored(i *store.ReportInfo, rows iter.Seq2[store.Row, error]) (*Report, error) {
	r := &Report{
		Kind: i.Kind, Path: i.Part, Reporter: i.Reporter, Email: i.Email, ReportID: i.ReportID, Domain: i.Domain, Begin: i.Begin, End: i.End,
		Warnings: i.Warnings, records: i.Records,
	}
	if err := r.openDocument(i.Document); err != nil {
		return nil, fmt.Errorf("the document of report %d: %w", i.ID, err)
	}
	var err error
	switch i.Kind {
	case store.Aggregate:
		r.stored = rows
		if !i.Kept {
			r.stored = func(func(store.Row, error) bool) {}
		}
		r.Aggregate, err = feedback(i)
	case store.Failure:
		r.Failure, err = failureOf(i.Document)
	case store.TLS:
		r.TLS, err = tlsOf(i.Document)
	default:
		err = fmt.Errorf("of the kind %q", i.Kind)
	}
	if err != nil {
		return nil, fmt.Errorf("the document of report %d: %w", i.ID, err)
	}
	return r, nil
}

// openDocument makes of a document the head that the rest is written behind. Its members come in any order, as some engines keep it.
func (r *Report) openDocument(document json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(document))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("no JSON object: %w", err)
	}
	var b bytes.Buffer
	b.WriteString(`{"kind":` + strconv.Quote(r.Kind))
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		switch name {
		case "kind":
		case "warnings":
			if err := json.Unmarshal(value, &r.Warnings); err != nil {
				return err
			}
		default:
			key, _ := marshal(name) // a string
			b.WriteByte(',')
			b.Write(key)
			b.WriteByte(':')
			b.Write(value)
		}
	}
	r.head = b.Bytes()
	return nil
}

func feedback(i *store.ReportInfo) (*aggregate.Feedback, error) {
	var d aggregateDocument
	if err := json.Unmarshal(i.Document, &d); err != nil {
		return nil, err
	}
	p := d.Policy
	f := &aggregate.Feedback{
		Version: d.Version, OrgName: d.Reporter, Email: d.ReporterEmail, ExtraContact: d.ExtraContact, ReportID: d.ReportID, Begin: i.Begin, End: i.End,
		Errors: d.Errors, Generator: d.Generator,
		Policy: aggregate.Policy{Domain: p.Domain, P: p.P, SP: p.SP, NP: p.NP, ADKIM: p.ADKIM, ASPF: p.ASPF, FO: p.FO, DiscoveryMethod: p.Discovery},
	}
	if p.Pct != nil {
		f.Policy.Pct = strconv.Itoa(*p.Pct)
	}
	if p.Testing != nil {
		f.Policy.Testing = map[bool]string{true: "y", false: "n"}[*p.Testing]
	}
	for _, e := range d.Extensions {
		f.Extensions = append(f.Extensions, aggregate.Extension(e))
	}
	return f, nil
}

// failureOf gives a failure report without the bytes of the message.
func failureOf(document json.RawMessage) (*failure.Report, error) {
	var d failure.Document
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	f := &failure.Report{
		Reporter: d.Reporter, ReporterEmail: d.ReporterEmail, ReportID: d.ReportID, Date: momentOf(d.Date), FeedbackType: d.FeedbackType, Version: d.Version,
		UserAgent: d.UserAgent, ReportingMTA: d.ReportingMTA, ArrivalDate: momentOf(d.ArrivalDate), SourceIP: addressOf(d.SourceIP),
		AuthorDomain: d.AuthorDomain, ReportedDomains: d.ReportedDomains, ReportedURIs: d.ReportedURIs, OriginalEnvelopeID: d.OriginalEnvelopeID,
		OriginalMailFrom: d.OriginalMailFrom, OriginalRcptTo: d.OriginalRcptTo, AuthFailure: d.AuthFailure, IdentityAlignment: d.IdentityAlignment,
		DeliveryResult: d.DeliveryResult, AuthenticationResults: d.AuthenticationResults, Subject: d.Subject, MessageID: d.MessageID,
		Warnings: d.Warnings,
	}
	if len(f.ReportedDomains) == 0 && d.ReportedDomain != "" {
		f.ReportedDomains = []string{d.ReportedDomain}
	}
	return f, nil
}

func tlsOf(document json.RawMessage) (*tlsrpt.Report, error) {
	var d tlsrpt.Document
	if err := json.Unmarshal(document, &d); err != nil {
		return nil, err
	}
	t := &tlsrpt.Report{
		OrganizationName: d.OrganizationName, ContactInfo: d.ContactInfo, ReportID: d.ReportID, Begin: momentOf(d.DateRange.Start),
		End: momentOf(d.DateRange.End), Warnings: d.Warnings,
	}
	for _, p := range d.Policies {
		policy := tlsrpt.Policy{
			Type: p.Policy.Type, Strings: p.Policy.Strings, Domain: p.Policy.Domain, MXHosts: p.Policy.MXHosts, Successful: p.Summary.Successful,
			Failed: p.Summary.Failed,
		}
		for _, f := range p.Details {
			policy.Failures = append(policy.Failures, tlsrpt.Failure{
				ResultType: f.ResultType, SendingMTAIP: addressOf(f.SendingMTAIP), ReceivingMXHostname: f.ReceivingMXHostname,
				ReceivingMXHelo: f.ReceivingMXHelo, ReceivingIP: addressOf(f.ReceivingIP), Sessions: f.Sessions,
				AdditionalInformation: f.AdditionalInformation, ReasonCode: f.ReasonCode,
			})
		}
		t.Policies = append(t.Policies, policy)
	}
	return t, nil
}

func momentOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// addressOf is the zero address where the text is none.
func addressOf(text string) netip.Addr {
	ip, _ := netip.ParseAddr(text)
	return ip
}

// record gives a row of the store as a record, whose memory is used again.
func record(row *store.Row, rec *aggregate.Record) {
	reasons, dkim, spf := rec.Reasons[:0], rec.Auth.DKIM[:0], rec.Auth.SPF[:0]
	for _, x := range row.Reasons {
		reasons = append(reasons, aggregate.Reason(x))
	}
	for _, x := range row.AuthDKIM {
		dkim = append(dkim, aggregate.AuthDKIM(x))
	}
	for _, x := range row.AuthSPF {
		spf = append(spf, aggregate.AuthSPF(x))
	}
	*rec = aggregate.Record{
		SourceIP: row.SourceIP, Count: row.Count, Disposition: row.Disposition, DKIM: row.DKIM, SPF: row.SPF, Reasons: reasons, HeaderFrom: row.HeaderFrom,
		EnvelopeFrom: row.EnvelopeFrom, EnvelopeTo: row.EnvelopeTo, Auth: aggregate.Auth{DKIM: dkim, SPF: spf},
	}
}
