package tlsrpt

import "time"

// A Document is a report in the shape in which Gatepost prints it as JSON: the members of RFC 8460 4.4 in snake case. What a report did not
// have is empty or null.
type Document struct {
	OrganizationName string            `json:"organization_name"`
	DateRange        DocumentDateRange `json:"date_range"`
	ContactInfo      string            `json:"contact_info"`
	ReportID         string            `json:"report_id"`
	Policies         []DocumentPolicy  `json:"policies"`
	Warnings         []string          `json:"warnings"`
}

// DocumentDateRange is when a report begins and ends.
type DocumentDateRange struct {
	Start *time.Time `json:"start_datetime"`
	End   *time.Time `json:"end_datetime"`
}

// DocumentPolicy is a [Policy] as JSON.
type DocumentPolicy struct {
	Policy  DocumentPolicyRecord `json:"policy"`
	Summary DocumentSummary      `json:"summary"`
	Details []DocumentFailure    `json:"failure_details"`
}

// DocumentPolicyRecord is which policy it was.
type DocumentPolicyRecord struct {
	Type    string   `json:"policy_type"`
	Strings []string `json:"policy_string"`
	Domain  string   `json:"policy_domain"`
	MXHosts []string `json:"mx_host"`
}

// DocumentSummary is how many sessions there were.
type DocumentSummary struct {
	Successful int64 `json:"total_successful_session_count"`
	Failed     int64 `json:"total_failure_session_count"`
}

// DocumentFailure is a [Failure] as JSON.
type DocumentFailure struct {
	ResultType            string `json:"result_type"`
	SendingMTAIP          string `json:"sending_mta_ip"`
	ReceivingMXHostname   string `json:"receiving_mx_hostname"`
	ReceivingMXHelo       string `json:"receiving_mx_helo"`
	ReceivingIP           string `json:"receiving_ip"`
	Sessions              int64  `json:"failed_session_count"`
	AdditionalInformation string `json:"additional_information"`
	ReasonCode            string `json:"failure_reason_code"`
}

// Document gives the report as it is printed.
func (r *Report) Document() Document {
	d := Document{
		OrganizationName: r.OrganizationName, ContactInfo: r.ContactInfo, ReportID: r.ReportID,
		DateRange: DocumentDateRange{orNull(r.Begin), orNull(r.End)},
		Policies:  make([]DocumentPolicy, 0, len(r.Policies)), Warnings: list(r.Warnings),
	}
	for _, p := range r.Policies {
		policy := DocumentPolicy{
			Policy:  DocumentPolicyRecord{p.Type, list(p.Strings), p.Domain, list(p.MXHosts)},
			Summary: DocumentSummary{p.Successful, p.Failed},
			Details: make([]DocumentFailure, 0, len(p.Failures)),
		}
		for _, f := range p.Failures {
			policy.Details = append(policy.Details, DocumentFailure{f.ResultType, address(f.SendingMTAIP), f.ReceivingMXHostname, f.ReceivingMXHelo,
				address(f.ReceivingIP), f.Sessions, f.AdditionalInformation, f.ReasonCode})
		}
		d.Policies = append(d.Policies, policy)
	}
	return d
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
