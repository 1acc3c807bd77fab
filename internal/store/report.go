package store

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/netip"
	"time"
)

// Reports is the part of a [Store] that keeps the reports which others send about our domains.
//
// The figures that it answers with are of roll-ups, which stay when the rows that they were made of are deleted. They count messages.
type Reports interface {
	// AddArrivals writes each arrival whole or not at all, all of them in one transaction. Bytes that came before change nothing but how
	// often they came; a report that came in other bytes is not counted again. A report whose rows fail, or an Open that does, fails all.
	AddArrivals(ctx context.Context, all []Arrival) ([]Added, error)

	// Reread replaces what was read from a raw by what a newer parser reads from it, with the figures, in one transaction. Of the Raw, the
	// hash is enough: when and how it came stays as it was. Reports whose rows were deleted keep their figures. It wraps [ErrNoRaw].
	Reread(ctx context.Context, a Arrival) (Added, error)

	// Reports gives those that the filter lets through, the latest day first.
	Reports(ctx context.Context, f ReportFilter) ([]ReportInfo, error)

	// Report gives one, with its document. It wraps [ErrNoReport].
	Report(ctx context.Context, id int64) (ReportInfo, error)

	// ReportRows gives the records of a report as they came.
	ReportRows(ctx context.Context, id int64) iter.Seq2[Row, error]

	// Raws gives what arrived, in that order unless the filter asks for the other, in bounded memory. What is added or deleted meanwhile may be among it or not.
	Raws(ctx context.Context, f RawFilter) iter.Seq2[RawInfo, error]

	// Inputs tells by which ways something came since a time whose bytes are kept, in the order of their names.
	Inputs(ctx context.Context, since time.Time) ([]InputFigures, error)

	// OpenRaw gives the bytes that arrived. It wraps [ErrNoRaw], also where they were deleted.
	OpenRaw(ctx context.Context, h Hash) (io.ReadCloser, error)

	// Domains gives those of the question's domains that reports are about, or all if it names none, with what was counted in its period.
	Domains(ctx context.Context, q Question) ([]DomainFigures, error)

	// ReportDays gives the figures of each day that has any, of all the domains together.
	ReportDays(ctx context.Context, q Question) ([]DayFigures, error)

	// TopSources gives the sources of the most messages, those first. It cannot be asked of one reporter.
	TopSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error)

	// Source gives all that is known of one source.
	Source(ctx context.Context, q Question, ip netip.Addr) (SourceDetail, error)

	// Alike gives messages of some sources, those together that reports tell the same of, the most messages first; no more than the limit, or
	// than [MaxAlike] where it is zero.
	Alike(ctx context.Context, q Question, ips []netip.Addr, limit int) ([]Alike, error)

	// NewSources gives those that were seen for the first time on a day within the question's period, the most messages in it first.
	NewSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error)

	// Reporters tells who sent aggregate reports on a period within the question's, the first name first.
	Reporters(ctx context.Context, q Question) ([]ReporterInfo, error)

	// Policies tells what reporters saw published, the latest seen first.
	Policies(ctx context.Context, q Question) ([]PolicySeen, error)

	// TLSDays gives the sessions of each day by policy type, receiving host and result. TLSFailures gives what reporters told of those
	// that failed, the most sessions first.
	TLSDays(ctx context.Context, q Question) ([]TLSDay, error)
	TLSFailures(ctx context.Context, q Question, limit int) ([]TLSFailure, error)

	// Failures gives failure reports, the latest first.
	Failures(ctx context.Context, f FailureFilter) ([]FailureInfo, error)

	// RedactFailures takes from failure reports all that may tell of a person, and the bytes that they came in, a part at a time, and tells
	// whether that was all: of one domain or of all, and of those that came before a time, or all.
	RedactFailures(ctx context.Context, domain string, before time.Time) (done bool, err error)

	// SetMark overrules the class of a source for a domain; RemoveMark wraps [ErrNoMark]. Marks gives those of a domain, or all.
	SetMark(ctx context.Context, m SourceMark) error
	RemoveMark(ctx context.Context, domain, source string) error
	Marks(ctx context.Context, domain string) ([]SourceMark, error)

	// Addresses gives what was found out about those that were looked at. AddressesBefore gives sources of reports that were not looked at
	// since a time, those never looked at first; with a zero time, only these.
	Addresses(ctx context.Context, ips []netip.Addr) ([]Address, error)
	PutAddresses(ctx context.Context, all []Address) error
	AddressesBefore(ctx context.Context, before time.Time, limit int) ([]netip.Addr, error)
}

// The errors that callers tell apart.
var (
	ErrNoReport = errors.New("no such report")
	ErrNoRaw    = errors.New("the bytes are not in the store")
	ErrNoMark   = errors.New("no such mark")
	ErrNotHash  = errors.New("not the beginning of a hash")
)

// A Question is what figures are asked of.
type Question struct {
	Domains  []string  // Policy Domains; all if empty
	From, To time.Time // days, both included; without limit where zero
	Reporter string    // one only
	Verified bool      // without reports that are not verified
}

// Figures count messages.
type Figures struct {
	Messages    int64 `json:"messages"`
	Passed      int64 `json:"passed"` // DMARC
	DKIM        int64 `json:"dkim"`   // passed and aligned
	SPF         int64 `json:"spf"`    // passed and aligned
	Quarantined int64 `json:"quarantined"`
	Rejected    int64 `json:"rejected"`
}

// Failed is how many did not pass DMARC.
func (f Figures) Failed() int64 { return f.Messages - f.Passed }

// Delivered is how many had neither of the dispositions that keep a message from its recipient's inbox.
func (f Figures) Delivered() int64 { return f.Messages - f.Quarantined - f.Rejected }

// DayFigures are those of a day.
type DayFigures struct {
	Day time.Time `json:"day"`
	Figures
}

// DomainFigures are those of a domain, and of the days from First to Last that have any.
type DomainFigures struct {
	Domain string    `json:"domain"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Figures
}

// SourceFigures are those of a source. An invalid IP stands for records that had none.
type SourceFigures struct {
	IP    netip.Addr `json:"ip"`
	First time.Time  `json:"first,omitzero"` // the first day that it was ever seen on; of NewSources only
	Figures
}

// SourceDetail is all that is known of one source. Each list has the most messages first and a hundred lines at the most.
type SourceDetail struct {
	IP    netip.Addr `json:"ip"`
	First time.Time  `json:"first,omitzero"` // the days that it was ever seen on
	Last  time.Time  `json:"last,omitzero"`
	Figures
	Days         []DayFigures `json:"days"`
	HeaderFrom   []Part       `json:"header_from"`
	EnvelopeFrom []Part       `json:"envelope_from"`
	DKIM         []Part       `json:"dkim"` // each signature's domain, selector and result
	SPF          []Part       `json:"spf"`  // domain, scope and result
	Results      []Part       `json:"results"`
	Dispositions []Part       `json:"dispositions"`
	Reasons      []Part       `json:"reasons"` // why a reporter did other than the policy asks
	Reporters    []Part       `json:"reporters"`
}

// A Part of a source's messages has something in common. Only the members that its list is about are set.
type Part struct {
	Name     string `json:"name,omitempty"` // a domain, reporter, disposition or reason
	Selector string `json:"selector,omitempty"`
	Scope    string `json:"scope,omitempty"`
	Result   string `json:"result,omitempty"`
	DKIM     string `json:"dkim,omitempty"` // as evaluated for DMARC
	SPF      string `json:"spf,omitempty"`
	Messages int64  `json:"messages"`
	Passed   int64  `json:"passed"`
}

// A ReporterInfo tells how a reporter keeps reporting.
type ReporterInfo struct {
	Reporter string    `json:"reporter"`
	Reports  int64     `json:"reports"`
	Messages int64     `json:"messages"`
	Begin    time.Time `json:"begin"` // of the first period
	End      time.Time `json:"end"`   // of the last
	Last     time.Time `json:"last"`  // when the last report came
}

// A PolicySeen is a policy as reporters saw it published.
type PolicySeen struct {
	Domain    string          `json:"domain"`
	Policy    json.RawMessage `json:"policy"` // as in a report's document
	Reports   int64           `json:"reports"`
	Reporters int64           `json:"reporters"`
	First     time.Time       `json:"first"` // the begin of the first period
	Last      time.Time       `json:"last"`  // the end of the last
}

// A TLSDay counts the sessions of a day.
type TLSDay struct {
	Day        time.Time `json:"day"`
	PolicyType string    `json:"policy_type"`
	MX         string    `json:"mx"`     // the receiving host; empty where the report does not tell
	Result     string    `json:"result"` // success, or a result type of RFC 8460 4.3; empty for failures that no detail tells of
	Sessions   int64     `json:"sessions"`
}

// A ReportFilter lets through what every member that is set asks for.
type ReportFilter struct {
	Kind        string
	Domain      string
	Domains     []string // one of these; any if nil, and none if there are none
	Reporter    string
	From, To    time.Time // days that reports count on, both included
	Conflicting bool
	Unverified  bool
	Raw         int64  // the ID of a raw that it came in
	Same        int64  // the ID of a report whose kind, reporter, id, domain and period it has; that one is among them
	Text        string // in the report's id, its reporter's name or address, or its domain
	Before      int64  // only what comes after this report in the list
	Limit       int    // 1000 if zero
}

// A ReportInfo is a report without its rows.
type ReportInfo struct {
	ID          int64           `json:"id"`
	Kind        string          `json:"kind"`
	Domain      string          `json:"domain"`
	Reporter    string          `json:"reporter"`
	Email       string          `json:"reporter_email"`
	ReportID    string          `json:"report_id"`
	Begin       time.Time       `json:"begin"`
	End         time.Time       `json:"end"`
	Day         time.Time       `json:"day"` // that it counts on
	At          time.Time       `json:"at"`  // when it came first
	Part        string          `json:"part"`
	Verified    bool            `json:"verified"`
	Conflicting bool            `json:"conflicting"`
	Records     int64           `json:"records"`
	Messages    int64           `json:"messages"`
	Kept        bool            `json:"kept"` // its rows are there
	Warnings    []string        `json:"warnings"`
	Raws        []Hash          `json:"-"`                  // that it came in; only of one that was asked for by its ID
	Document    json.RawMessage `json:"document,omitempty"` // likewise
}

// A RawFilter lets through what every member that is set asks for.
type RawFilter struct {
	Refusals bool   // something in it could not be read
	Refused  bool   // nothing in it could
	Kept     bool   // its bytes are there
	Hash     string // in hexadecimal; its first digits are enough
	Report   int64  // the ID of a report that came in it
	After    int64  // an ID
	Latest   bool   // those that came last first
	Before   int64  // likewise: only what came before this ID
	Limit    int    // no limit if zero
}

// InputFigures tell what came by one way.
type InputFigures struct {
	Input   string    `json:"input"`
	Arrived int64     `json:"arrived"` // files and messages
	Reports int64     `json:"reports"`
	Refused int64     `json:"refused"` // of those that arrived, in which nothing could be read
	Last    time.Time `json:"last"`    // when the last came
}

// A RawInfo is what is known of something that arrived.
type RawInfo struct {
	ID       int64
	Raw      // Open is nil
	Kept     bool
	Reports  int
	Refusals []string
	Times    int64 // it came
	Last     time.Time
}

// A FailureFilter lets through what every member that is set asks for.
type FailureFilter struct {
	Domain   string
	From, To time.Time // days on which they came, both included
	Limit    int       // 1000 if zero
}

// A FailureInfo is a failure report.
type FailureInfo struct {
	Report         int64
	At             time.Time // when it came
	ReportedDomain string
	FailedMessage
	Redacted bool
	Document json.RawMessage
}

// A SourceMark is an administrator's word on the class of a source for a domain.
type SourceMark struct {
	Domain string // empty for all
	Source string // an address, a network or a service
	Class  string
	Reason string
	Author string
	At     time.Time
}

// NameUnknown stands in an Address for a name that DNS did not tell.
const NameUnknown = "?"

// An Address is what was found out about a source.
type Address struct {
	IP        netip.Addr
	PTR       string // empty if there is none, and NameUnknown if DNS did not tell
	Confirmed bool   // the name leads back to the address
	ASN       uint32
	ASName    string
	Country   string
	Service   string
	LookedAt  time.Time
}
