package cli

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// The lines of an export. Their members are a contract: new ones are added at the end, and none changes its meaning.

// A reportColumns is what the lines of all kinds begin with.
type reportColumns struct {
	Report        int64      `json:"report" parquet:"report"` // its number in the store
	Day           exportDay  `json:"day" parquet:"day,date"`  // that it counts on
	Domain        string     `json:"domain" parquet:"domain,dict"`
	Reporter      string     `json:"reporter" parquet:"reporter,dict"`
	ReporterEmail string     `json:"reporter_email" parquet:"reporter_email,dict"`
	ReportID      string     `json:"report_id" parquet:"report_id,dict"`
	Begin         *time.Time `json:"begin" parquet:"begin,timestamp(microsecond)"`
	End           *time.Time `json:"end" parquet:"end,timestamp(microsecond)"`
	Verified      bool       `json:"verified" parquet:"verified"`
	Conflicting   bool       `json:"conflicting" parquet:"conflicting"`
}

// An exportDay is a day since 1970, as Parquet counts. (Of a [time.Time], parquet-go v0.32 writes another number than a day's.)
type exportDay int32

func dayOf(t time.Time) exportDay { return exportDay(t.Unix() / (24 * 60 * 60)) }

func (d exportDay) String() string {
	return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly)
}

// MarshalText makes it a day in JSON.
func (d exportDay) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func columnsOf(r *store.ReportInfo) reportColumns {
	return reportColumns{r.ID, dayOf(r.Day), r.Domain, r.Reporter, r.Email, r.ReportID, timeOrNil(r.Begin), timeOrNil(r.End), r.Verified, r.Conflicting}
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

var reportHeader = []string{"report", "day", "domain", "reporter", "reporter_email", "report_id", "begin", "end", "verified", "conflicting"}

func (c *reportColumns) cells() []cell {
	return []cell{own(c.Report), own(c.Day), foreign(c.Domain), foreign(c.Reporter), foreign(c.ReporterEmail), foreign(c.ReportID),
		timeCell(c.Begin), timeCell(c.End), own(c.Verified), own(c.Conflicting)}
}

// A cell is one of a table for a spreadsheet.
type cell string

// own is one that cannot be what a stranger wrote.
func own(v any) cell { return cell(fmt.Sprint(v)) }

// foreign is one that can.
func foreign(text string) cell { return cell(show.Cell(text)) }

func timeCell(t *time.Time) cell {
	if t == nil {
		return ""
	}
	return own(t.Format(time.RFC3339))
}

// An exportedRecord is a line for each record of an aggregate report.
type exportedRecord struct {
	reportColumns
	SourceIP     string           `json:"source_ip" parquet:"source_ip,dict"`
	Messages     int64            `json:"messages" parquet:"messages"`
	Passed       bool             `json:"passed" parquet:"passed"` // DMARC
	Disposition  string           `json:"disposition" parquet:"disposition,dict"`
	DKIM         string           `json:"dkim" parquet:"dkim,dict"` // aligned
	SPF          string           `json:"spf" parquet:"spf,dict"`
	HeaderFrom   string           `json:"header_from" parquet:"header_from,dict"`
	EnvelopeFrom string           `json:"envelope_from" parquet:"envelope_from,dict"`
	EnvelopeTo   string           `json:"envelope_to" parquet:"envelope_to,dict"`
	Reasons      []exportedReason `json:"reasons" parquet:"reasons,list"`
	AuthDKIM     []exportedDKIM   `json:"auth_dkim" parquet:"auth_dkim,list"`
	AuthSPF      []exportedSPF    `json:"auth_spf" parquet:"auth_spf,list"`
}

type exportedReason struct {
	Type    string `json:"type" parquet:"type,dict"`
	Comment string `json:"comment" parquet:"comment,dict"`
}

type exportedDKIM struct {
	Domain      string `json:"domain" parquet:"domain,dict"`
	Selector    string `json:"selector" parquet:"selector,dict"`
	Result      string `json:"result" parquet:"result,dict"`
	HumanResult string `json:"human_result" parquet:"human_result,dict"`
}

type exportedSPF struct {
	Domain      string `json:"domain" parquet:"domain,dict"`
	Scope       string `json:"scope" parquet:"scope,dict"`
	Result      string `json:"result" parquet:"result,dict"`
	HumanResult string `json:"human_result" parquet:"human_result,dict"`
}

func (exportedRecord) header() []string {
	return append(reportHeader[:len(reportHeader):len(reportHeader)], "source_ip", "messages", "passed", "disposition", "dkim", "spf", "header_from",
		"envelope_from", "envelope_to", "reasons", "auth_dkim", "auth_spf")
}

// cells write a list as "pass example.com s1; fail example.net s2".
func (r exportedRecord) cells() []cell {
	var reasons, dkim, spf []string
	for _, x := range r.Reasons {
		reasons = append(reasons, words(x.Type, x.Comment))
	}
	for _, x := range r.AuthDKIM {
		dkim = append(dkim, words(x.Result, x.Domain, x.Selector))
	}
	for _, x := range r.AuthSPF {
		spf = append(spf, words(x.Result, x.Domain, x.Scope))
	}
	return append(r.reportColumns.cells(), foreign(r.SourceIP), own(r.Messages), own(r.Passed), foreign(r.Disposition), foreign(r.DKIM), foreign(r.SPF),
		foreign(r.HeaderFrom), foreign(r.EnvelopeFrom), foreign(r.EnvelopeTo), foreign(strings.Join(reasons, "; ")), foreign(strings.Join(dkim, "; ")),
		foreign(strings.Join(spf, "; ")))
}

func words(all ...string) string { return strings.Join(strings.Fields(strings.Join(all, " ")), " ") }

// exportRecords gives the lines of an aggregate report.
func exportRecords(info *store.ReportInfo, rows iter.Seq2[store.Row, error], use func(exportedRecord) error) error {
	line := exportedRecord{reportColumns: columnsOf(info)}
	for r, err := range rows {
		if err != nil {
			return err
		}
		line.SourceIP = ""
		if r.SourceIP.IsValid() {
			line.SourceIP = r.SourceIP.String()
		}
		line.Messages, line.Passed, line.Disposition, line.DKIM, line.SPF = r.Count, r.Passes(), r.Disposition, r.DKIM, r.SPF
		line.HeaderFrom, line.EnvelopeFrom, line.EnvelopeTo = r.HeaderFrom, r.EnvelopeFrom, r.EnvelopeTo
		line.Reasons, line.AuthDKIM, line.AuthSPF = []exportedReason{}, []exportedDKIM{}, []exportedSPF{}
		for _, x := range r.Reasons {
			line.Reasons = append(line.Reasons, exportedReason(x))
		}
		for _, x := range r.AuthDKIM {
			line.AuthDKIM = append(line.AuthDKIM, exportedDKIM(x))
		}
		for _, x := range r.AuthSPF {
			line.AuthSPF = append(line.AuthSPF, exportedSPF(x))
		}
		if err := use(line); err != nil {
			return err
		}
	}
	return nil
}

// An exportedFailure is a line for each failure report.
type exportedFailure struct {
	reportColumns
	Arrived        *time.Time `json:"arrived" parquet:"arrived,timestamp(microsecond)"` // the message
	SourceIP       string     `json:"source_ip" parquet:"source_ip,dict"`
	AuthorDomain   string     `json:"author_domain" parquet:"author_domain,dict"`
	FeedbackType   string     `json:"feedback_type" parquet:"feedback_type,dict"`
	AuthFailure    string     `json:"auth_failure" parquet:"auth_failure,dict"`
	Alignment      string     `json:"identity_alignment" parquet:"identity_alignment,dict"`
	DeliveryResult string     `json:"delivery_result" parquet:"delivery_result,dict"`
	MailFrom       string     `json:"original_mail_from" parquet:"original_mail_from"`
	RcptTo         string     `json:"original_rcpt_to" parquet:"original_rcpt_to"`
	Subject        string     `json:"subject" parquet:"subject"`
	MessageID      string     `json:"message_id" parquet:"message_id"`
}

func (exportedFailure) header() []string {
	return append(reportHeader[:len(reportHeader):len(reportHeader)], "arrived", "source_ip", "author_domain", "feedback_type", "auth_failure",
		"identity_alignment", "delivery_result", "original_mail_from", "original_rcpt_to", "subject", "message_id")
}

func (f exportedFailure) cells() []cell {
	return append(f.reportColumns.cells(), timeCell(f.Arrived), foreign(f.SourceIP), foreign(f.AuthorDomain), foreign(f.FeedbackType),
		foreign(f.AuthFailure), foreign(f.Alignment), foreign(f.DeliveryResult), foreign(f.MailFrom), foreign(f.RcptTo), foreign(f.Subject),
		foreign(f.MessageID))
}

func exportFailure(info *store.ReportInfo, use func(exportedFailure) error) error {
	var d failure.Document
	if err := json.Unmarshal(info.Document, &d); err != nil {
		return fmt.Errorf("the document of report %d: %w", info.ID, err)
	}
	return use(exportedFailure{
		columnsOf(info), d.ArrivalDate, d.SourceIP, d.AuthorDomain, d.FeedbackType, d.AuthFailure, strings.Join(d.IdentityAlignment, ", "),
		d.DeliveryResult, d.OriginalMailFrom, strings.Join(d.OriginalRcptTo, ", "), d.Subject, d.MessageID,
	})
}

// An exportedTLS is a line for each result of each policy of a TLS report. Failed sessions that no detail tells of have an empty result.
type exportedTLS struct {
	reportColumns
	PolicyDomain string `json:"policy_domain" parquet:"policy_domain,dict"`
	PolicyType   string `json:"policy_type" parquet:"policy_type,dict"`
	Result       string `json:"result" parquet:"result,dict"` // success, or a result type of RFC 8460 4.3
	Sessions     int64  `json:"sessions" parquet:"sessions"`
	SendingIP    string `json:"sending_mta_ip" parquet:"sending_mta_ip,dict"`
	ReceivingMX  string `json:"receiving_mx_hostname" parquet:"receiving_mx_hostname,dict"`
	Helo         string `json:"receiving_mx_helo" parquet:"receiving_mx_helo,dict"`
	ReceivingIP  string `json:"receiving_ip" parquet:"receiving_ip,dict"`
	Reason       string `json:"failure_reason_code" parquet:"failure_reason_code,dict"`
	Information  string `json:"additional_information" parquet:"additional_information,dict"`
}

func (exportedTLS) header() []string {
	return append(reportHeader[:len(reportHeader):len(reportHeader)], "policy_domain", "policy_type", "result", "sessions", "sending_mta_ip",
		"receiving_mx_hostname", "receiving_mx_helo", "receiving_ip", "failure_reason_code", "additional_information")
}

func (t exportedTLS) cells() []cell {
	return append(t.reportColumns.cells(), foreign(t.PolicyDomain), foreign(t.PolicyType), foreign(t.Result), cell(strconv.FormatInt(t.Sessions, 10)),
		foreign(t.SendingIP), foreign(t.ReceivingMX), foreign(t.Helo), foreign(t.ReceivingIP), foreign(t.Reason), foreign(t.Information))
}

func exportTLS(info *store.ReportInfo, use func(exportedTLS) error) error {
	var d tlsrpt.Document
	if err := json.Unmarshal(info.Document, &d); err != nil {
		return fmt.Errorf("the document of report %d: %w", info.ID, err)
	}
	for _, p := range d.Policies {
		line := exportedTLS{reportColumns: columnsOf(info), PolicyDomain: p.Policy.Domain, PolicyType: p.Policy.Type}
		all := []exportedTLS{line}
		all[0].Result, all[0].Sessions = "success", p.Summary.Successful
		left := p.Summary.Failed
		for _, f := range p.Details {
			left -= f.Sessions
			all = append(all, exportedTLS{line.reportColumns, line.PolicyDomain, line.PolicyType, f.ResultType, f.Sessions, f.SendingMTAIP,
				f.ReceivingMXHostname, f.ReceivingMXHelo, f.ReceivingIP, f.ReasonCode, f.AdditionalInformation})
		}
		if left > 0 {
			line.Sessions = left
			all = append(all, line)
		}
		for _, l := range all {
			if err := use(l); err != nil {
				return err
			}
		}
	}
	return nil
}
