package failure

import "time"

// A Document is a report in the shape in which Gatepost prints it as JSON. What a report did not have is empty or null.
type Document struct {
	Reporter      string     `json:"reporter"`
	ReporterEmail string     `json:"reporter_email"`
	ReportID      string     `json:"report_id"`
	Date          *time.Time `json:"date"`

	FeedbackType       string     `json:"feedback_type"`
	Version            string     `json:"version"`
	UserAgent          string     `json:"user_agent"`
	ReportingMTA       string     `json:"reporting_mta"`
	ArrivalDate        *time.Time `json:"arrival_date"`
	SourceIP           string     `json:"source_ip"`
	SourcePort         *uint16    `json:"source_port"`
	Incidents          *uint32    `json:"incidents"`
	AuthorDomain       string     `json:"author_domain"`
	ReportedDomain     string     `json:"reported_domain"`
	ReportedDomains    []string   `json:"reported_domains"`
	ReportedURIs       []string   `json:"reported_uris"`
	OriginalEnvelopeID string     `json:"original_envelope_id"`
	OriginalMailFrom   string     `json:"original_mail_from"`
	OriginalRcptTo     []string   `json:"original_rcpt_to"`

	AuthFailure           string          `json:"auth_failure"`
	IdentityAlignment     []string        `json:"identity_alignment"`
	DeliveryResult        string          `json:"delivery_result"`
	AuthenticationResults []string        `json:"authentication_results"`
	DKIM                  DocumentDKIM    `json:"dkim"`
	SPF                   DocumentSPF     `json:"spf"`
	Extra                 []DocumentField `json:"extra"`
	Subject               string          `json:"subject"`
	MessageID             string          `json:"message_id"`
	OriginalHeader        string          `json:"original_header"`
	OriginalBody          string          `json:"original_body"`
	Warnings              []string        `json:"warnings"`
}

// DocumentDKIM is [DKIM] as JSON.
type DocumentDKIM struct {
	Domain              string `json:"domain"`
	Identity            string `json:"identity"`
	Selector            string `json:"selector"`
	CanonicalizedHeader string `json:"canonicalized_header"`
	CanonicalizedBody   string `json:"canonicalized_body"`
	SelectorDNS         string `json:"selector_dns"`
	ADSPDNS             string `json:"adsp_dns"`
}

// DocumentSPF is [SPF] as JSON.
type DocumentSPF struct {
	DNS []DocumentSPFRecord `json:"dns"`
}

// DocumentSPFRecord is an [SPFRecord] as JSON.
type DocumentSPFRecord struct {
	Type   string `json:"type"`
	Domain string `json:"domain"`
	Record string `json:"record"`
}

// DocumentField is a [Field] as JSON.
type DocumentField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Document gives the report as it is printed. All of it is valid UTF-8 without NUL, as databases want it: bytes that are not stand as
// U+FFFD.
func (r *Report) Document() Document {
	d := Document{
		Reporter: r.Reporter, ReporterEmail: r.ReporterEmail, ReportID: r.ReportID, Date: orNull(r.Date, r.Date.IsZero()),
		FeedbackType: r.FeedbackType, Version: r.Version, UserAgent: r.UserAgent, ReportingMTA: r.ReportingMTA,
		ArrivalDate: orNull(r.ArrivalDate, r.ArrivalDate.IsZero()), SourcePort: orNull(r.SourcePort, r.SourcePort == 0),
		Incidents: orNull(r.Incidents, r.Incidents == 0), AuthorDomain: r.AuthorDomain, ReportedDomain: r.ReportedDomain(),
		ReportedDomains: list(r.ReportedDomains), ReportedURIs: list(r.ReportedURIs), OriginalEnvelopeID: r.OriginalEnvelopeID,
		OriginalMailFrom: r.OriginalMailFrom, OriginalRcptTo: list(r.OriginalRcptTo),
		AuthFailure: r.AuthFailure, IdentityAlignment: list(r.IdentityAlignment), DeliveryResult: r.DeliveryResult,
		AuthenticationResults: list(r.AuthenticationResults),
		DKIM: DocumentDKIM{r.DKIM.Domain, r.DKIM.Identity, r.DKIM.Selector, lines(string(r.DKIM.CanonicalizedHeader)),
			lines(string(r.DKIM.CanonicalizedBody)), r.DKIM.SelectorDNS, r.DKIM.ADSPDNS},
		SPF: DocumentSPF{DNS: []DocumentSPFRecord{}}, Extra: []DocumentField{},
		Subject: r.Subject, MessageID: r.MessageID, OriginalHeader: lines(r.OriginalHeader), OriginalBody: lines(string(r.OriginalBody)),
		Warnings: list(r.Warnings),
	}
	if r.SourceIP.IsValid() {
		d.SourceIP = r.SourceIP.String()
	}
	for _, record := range r.SPF.DNS {
		d.SPF.DNS = append(d.SPF.DNS, DocumentSPFRecord(record))
	}
	for _, f := range r.Extra {
		d.Extra = append(d.Extra, DocumentField(f))
	}
	return d
}

func orNull[T any](v T, null bool) *T {
	if null {
		return nil
	}
	return &v
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
