package dashboard

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// ReportIn asks for a report.
type ReportIn struct {
	ID   int64 `path:"id" doc:"Its number"`
	From int64 `query:"from" doc:"The first record to show, counted from 0"`
}

// A Report is one, as it came and as it was read.
type Report struct {
	ReportLine
	Email     string          `json:"email"` // of the reporter
	Part      string          `json:"part"`  // where in what came it was
	Warnings  []string        `json:"warnings"`
	Facts     []ReportFact    `json:"facts"`  // what it says of itself
	Policy    []ReportFact    `json:"policy"` // that its reporter saw published
	Errors    []string        `json:"errors"` // that its reporter had
	Sums      *ReportSums     `json:"sums"`   // of an aggregate report; null: they are being counted, or its records are deleted
	Kept      bool            `json:"kept"`   // its records are
	Record    []ReportRecord  `json:"record"` // some of them, from the one that was asked for on
	From      int64           `json:"from"`
	Next      int64           `json:"next"` // the value of from for those that follow; 0: there are no more
	TLS       []TLSPolicyRead `json:"tls"`
	Hidden    int             `json:"hidden"`  // policies of a TLS report that are about domains which are not shown to who asks
	Failure   []ReportFact    `json:"failure"` // what a failure report tells of the message
	Header    []string        `json:"header"`  // of that message, by lines
	Redacted  bool            `json:"redacted"`
	Others    []ReportLine    `json:"others"` // of the same reporter, id and period, with other contents
	Arrivals  []ReportArrival `json:"arrivals"`
	Raw       ReportRaw       `json:"raw"`
	PruneDays int             `json:"prune_days"` // after which failure reports are deleted; 0: never

	rows iter.Seq2[store.Row, error] // of a table: all of them
}

// A ReportFact is something that is said, by its name.
type ReportFact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// ReportSums count messages of an aggregate report.
type ReportSums struct {
	Messages int64 `json:"messages"`
	Passed   int64 `json:"passed"`
	Sources  int64 `json:"sources"`
}

// A ReportRecord is one of an aggregate report.
type ReportRecord struct {
	Number       int64    `json:"number"` // counted from 0
	Source       string   `json:"source"`
	Messages     int64    `json:"messages"`
	Passed       bool     `json:"passed"`
	Disposition  string   `json:"disposition"`
	DKIM         string   `json:"dkim"` // aligned
	SPF          string   `json:"spf"`  // aligned
	HeaderFrom   string   `json:"header_from"`
	EnvelopeFrom string   `json:"envelope_from"`
	EnvelopeTo   string   `json:"envelope_to"`
	Signatures   []string `json:"signatures"` // "pass example.com s1"
	Senders      []string `json:"senders"`    // of SPF: "pass example.com mfrom"
	Reasons      []string `json:"reasons"`    // why the reporter did other than the policy asks
}

// A TLSPolicyRead is what a TLS report tells of one policy.
type TLSPolicyRead struct {
	Domain   string        `json:"domain"`
	Type     string        `json:"type"`
	MX       []string      `json:"mx"`
	Secured  int64         `json:"secured"`
	Failed   int64         `json:"failed"`
	Failures []TLSFailLine `json:"failures"`
}

// A ReportArrival is something that a report came in.
type ReportArrival struct {
	Hash         string    `json:"hash"` // SHA-256 of the bytes
	Name         string    `json:"name"`
	Input        string    `json:"input"`
	At           time.Time `json:"at"`
	Size         int64     `json:"size"`
	ClientIP     string    `json:"client_ip"`
	MailFrom     string    `json:"mail_from"`
	AuthorDomain string    `json:"author_domain"`
	DMARC        string    `json:"dmarc"`   // of the mail, by our own core; empty: it came by a way on which nobody looks
	Address      string    `json:"address"` // the domains whose secret address or token it was sent to
	Times        int64     `json:"times"`
	Last         time.Time `json:"last"`
	Kept         bool      `json:"kept"` // its bytes are
	Reports      int       `json:"reports"`
}

// A Download is something to be saved.
type Download struct {
	Name string
	Size int64
	Body io.ReadCloser
}

const (
	recordsOnPage = 50
	mostShared    = 1000 // reports in one arrival that are looked at for who does not see everything
)

// Title is what the page is called.
func (r *Report) Title() string { return fmt.Sprintf("Report %d", r.ID) }

// Crumbs lead back.
func (r *Report) Crumbs() []Crumb { return []Crumb{{"Reports", "/reports"}} }

// Report shows one.
func (d *Desk) Report(ctx context.Context, who *people.Access, in *ReportIn) (*Report, error) {
	info, err := d.reportFor(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	read, err := reports.Stored(info, d.Store.ReportRows(ctx, info.ID))
	if err != nil {
		return nil, err
	}
	out := &Report{
		ReportLine: reportLine(who, info), Email: info.Email, Part: info.Part, Warnings: append([]string{}, info.Warnings...), Kept: info.Kept, Facts: []ReportFact{},
		Policy: []ReportFact{}, Errors: []string{}, Record: []ReportRecord{}, TLS: []TLSPolicyRead{}, Failure: []ReportFact{}, Header: []string{},
		Others: []ReportLine{}, Arrivals: []ReportArrival{}, PruneDays: int(time.Duration(d.Config().Reports.FailureAge) / (24 * time.Hour)),
	}
	switch info.Kind {
	case store.Aggregate:
		err = d.readAggregate(ctx, info, read, in.From, out)
	case store.TLS:
		out.readTLS(who, read.TLS)
	case store.Failure:
		err = out.readFailure(info.Document)
	}
	if err != nil {
		return nil, err
	}
	if info.Conflicting {
		same, err := d.Store.Reports(ctx, store.ReportFilter{Same: info.ID, Limit: recordsOnPage})
		if err != nil {
			return nil, err
		}
		for i := range same {
			if same[i].ID != info.ID && seesReport(who, &same[i]) {
				out.Others = append(out.Others, reportLine(who, &same[i]))
			}
		}
	}
	return out, d.readArrivals(ctx, who, info, out)
}

// reportFor is a report that somebody may see. One that they may not see is as if it were not there.
func (d *Desk) reportFor(ctx context.Context, who *people.Access, id int64) (*store.ReportInfo, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	info, err := d.Store.Report(ctx, id)
	switch {
	case errors.Is(err, store.ErrNoReport):
		return nil, fmt.Errorf("report %d: %w", id, ErrNotFound)
	case err != nil:
		return nil, err
	case !seesReport(who, &info):
		return nil, fmt.Errorf("report %d is not for %s: %w", id, who.Name, ErrNotFound)
	}
	return &info, nil
}

// readArrivals tells how the report came, and shows what came.
func (d *Desk) readArrivals(ctx context.Context, who *people.Access, info *store.ReportInfo, out *Report) error {
	for raw, err := range d.Store.Raws(ctx, store.RawFilter{Report: info.ID, Limit: recordsOnPage}) {
		if err != nil {
			return err
		}
		a := arrivalOf(&raw)
		a.Address = strings.Join(slices.DeleteFunc(strings.Fields(raw.TokenDomain), func(domain string) bool { return who.Over(domain) < people.Viewer }), " ")
		out.Arrivals = append(out.Arrivals, a)
		if !raw.Kept || out.Raw.Download {
			continue
		}
		sees, err := d.seesRaw(ctx, who, &raw)
		if err != nil {
			return err
		}
		if !sees {
			out.Raw.Why = "What it came in holds reports about other domains, or parts that could not be read. Only who may see all of them may see it."
			continue
		}
		if out.Raw, err = d.rawText(ctx, info, &raw); err != nil {
			return err
		}
	}
	if !out.Raw.Download && out.Raw.Why == "" {
		out.Raw.Why = "The bytes that it came in are no longer kept: see reports.raw_age. What was read of them stays."
	}
	out.Raw.Lines = append([]string{}, out.Raw.Lines...)
	return nil
}

func arrivalOf(r *store.RawInfo) ReportArrival {
	return ReportArrival{
		Hash: hex.EncodeToString(r.Hash[:]), Name: r.Name, Input: r.Input, At: r.At, Size: r.Size, ClientIP: r.ClientIP, MailFrom: r.MailFrom,
		AuthorDomain: r.AuthorDomain, DMARC: r.DMARC, Address: r.TokenDomain, Times: r.Times, Last: r.Last, Kept: r.Kept, Reports: r.Reports,
	}
}

// seesRaw tells whether somebody may see the whole of what arrived: all reports in it, and that there is nothing else.
func (d *Desk) seesRaw(ctx context.Context, who *people.Access, raw *store.RawInfo) (bool, error) {
	if who.Everywhere() >= people.Analyst {
		return true, nil
	}
	if len(raw.Refusals) > 0 || raw.Reports == 0 || raw.Reports > mostShared {
		return false, nil
	}
	all, err := d.Store.Reports(ctx, store.ReportFilter{Raw: raw.ID, Limit: mostShared + 1})
	if err != nil || len(all) == 0 || len(all) > mostShared {
		return false, err
	}
	for i := range all {
		if !seesReport(who, &all[i]) {
			return false, nil
		}
		if all[i].Kind != store.TLS {
			continue
		}
		whole, err := d.Store.Report(ctx, all[i].ID)
		if err != nil {
			return false, err
		}
		read, err := reports.Stored(&whole, nil)
		if err != nil {
			return false, err
		}
		for _, p := range read.TLS.Policies {
			if who.Over(cmp.Or(p.Domain, whole.Domain)) < people.Viewer {
				return false, nil
			}
		}
	}
	return true, nil
}

// ReportRaw gives the bytes that a report came in.
func (d *Desk) ReportRaw(ctx context.Context, who *people.Access, in *ReportRawIn) (*Download, error) {
	info, err := d.reportFor(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	for raw, err := range d.Store.Raws(ctx, store.RawFilter{Report: info.ID, Kept: true, Limit: recordsOnPage}) {
		if err != nil {
			return nil, err
		}
		sees, err := d.seesRaw(ctx, who, &raw)
		if err != nil {
			return nil, err
		}
		if sees {
			return d.file(ctx, &raw)
		}
	}
	return nil, fmt.Errorf("the bytes of report %d: %w", in.ID, ErrNotFound)
}

// ReportRawIn asks for what a report came in.
type ReportRawIn struct {
	ID int64 `path:"id" doc:"The report's number"`
}

func (d *Desk) file(ctx context.Context, raw *store.RawInfo) (*Download, error) {
	body, err := d.Store.OpenRaw(ctx, raw.Hash)
	if errors.Is(err, store.ErrNoRaw) {
		return nil, fmt.Errorf("what arrived as %d: %w", raw.ID, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return &Download{Name: fileName(raw), Size: raw.Size, Body: body}, nil
}

// fileName is what a file is saved as: of its own name only what no system minds.
func fileName(raw *store.RawInfo) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-!@", r):
			return r
		case r == '\\', r == '/':
			return '/'
		}
		return '_'
	}, raw.Name)
	name = strings.TrimLeft(path.Base(name), "./")
	if len(name) > 100 {
		name = name[len(name)-100:] // with what tells its kind
	}
	return hex.EncodeToString(raw.Hash[:4]) + "-" + cmp.Or(name, "report")
}

// readAggregate tells what an aggregate report says, and some of its records.
func (d *Desk) readAggregate(ctx context.Context, info *store.ReportInfo, read *reports.Report, from int64, out *Report) error {
	f := read.Aggregate
	out.Facts = reportFacts("version", f.Version, "generator", f.Generator, "contact", f.ExtraContact)
	p := f.Policy
	out.Policy = reportFacts("domain", p.Domain, "p", p.P, "sp", p.SP, "np", p.NP, "adkim", p.ADKIM, "aspf", p.ASPF, "pct", p.Pct, "fo", p.FO, "t", p.Testing,
		"found by", p.DiscoveryMethod)
	out.Errors = append(out.Errors, f.Errors...)
	for _, e := range f.Extensions {
		out.Facts = append(out.Facts, ReportFact{"extension " + e.Name, e.XML})
	}
	if !info.Kept {
		return nil
	}
	out.From, out.rows = min(max(from, 0), info.Records), read.Rows()
	n := int64(-1)
	for row, err := range read.Rows() {
		if err != nil {
			return err
		}
		if n++; n < out.From {
			continue
		}
		if n == out.From+recordsOnPage {
			out.Next = n
			break
		}
		out.Record = append(out.Record, recordOf(n, &row))
	}
	sums, err := keep.Get(ctx, d.Answers, fmt.Sprintf("report sums %d %x", info.ID, info.Raws), func(ctx context.Context) (*ReportSums, error) {
		return d.sumUp(ctx, info.ID)
	})
	if errors.Is(err, keep.ErrPending) {
		return nil
	}
	out.Sums = sums.Value
	return err
}

// mostSources are those that are told apart where a report is summed up.
const mostSources = 100_000

func (d *Desk) sumUp(ctx context.Context, id int64) (*ReportSums, error) {
	s, sources := &ReportSums{}, map[netip.Addr]bool{}
	for row, err := range d.Store.ReportRows(ctx, id) {
		if err != nil {
			return nil, err
		}
		s.Messages += row.Count
		if row.Passes() {
			s.Passed += row.Count
		}
		if len(sources) < mostSources {
			sources[row.SourceIP] = true
		}
	}
	s.Sources = int64(len(sources))
	return s, nil
}

func recordOf(n int64, r *store.Row) ReportRecord {
	out := ReportRecord{
		Number: n, Messages: r.Count, Passed: r.Passes(), Disposition: r.Disposition, DKIM: r.DKIM, SPF: r.SPF, HeaderFrom: r.HeaderFrom,
		EnvelopeFrom: r.EnvelopeFrom, EnvelopeTo: r.EnvelopeTo, Signatures: []string{}, Senders: []string{}, Reasons: []string{},
	}
	if r.SourceIP.IsValid() {
		out.Source = r.SourceIP.String()
	}
	for _, s := range r.AuthDKIM {
		out.Signatures = append(out.Signatures, joinWords(s.Result, s.Domain, s.Selector, s.HumanResult))
	}
	for _, s := range r.AuthSPF {
		out.Senders = append(out.Senders, joinWords(s.Result, s.Domain, s.Scope, s.HumanResult))
	}
	for _, s := range r.Reasons {
		out.Reasons = append(out.Reasons, joinWords(s.Type, s.Comment))
	}
	return out
}

func joinWords(all ...string) string {
	return strings.Join(strings.Fields(strings.Join(all, " ")), " ")
}

// reportFacts are pairs of a name and a text, without those of which the text is empty.
func reportFacts(pairs ...string) []ReportFact {
	all := []ReportFact{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			all = append(all, ReportFact{pairs[i], pairs[i+1]})
		}
	}
	return all
}
