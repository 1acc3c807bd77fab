package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// ReportsIn asks for reports.
type ReportsIn struct {
	Kind     string `query:"kind" doc:"aggregate, tls or failure; all if empty"`
	Domain   string `query:"domain" doc:"Only about this domain"`
	Reporter string `query:"reporter" doc:"Only of this reporter, by its whole name"`
	Text     string `query:"text" doc:"Only with this text in the id, the domain, or the reporter's name or address"`
	Only     string `query:"only" doc:"conflicting or unverified; all if empty"`
	Days     int    `query:"days" default:"30" doc:"That count on one of the last so many days"`
	Before   int64  `query:"before" doc:"Only those that come after the report of this number in the list"`
}

// Reports are those that somebody may see, and how they come in.
type Reports struct {
	Reports []ReportLine `json:"reports"` // the latest day first
	Next    int64        `json:"next"`    // the value of before for those that come after these; 0: there are no more
	Domains []string     `json:"domains"` // that can be asked for
	Intake  ReportIntake `json:"intake"`
	Uploads bool         `json:"uploads"` // who asks may upload reports

	all iter.Seq[ReportLine] // of a table: those of the pages that follow too
}

// A ReportLine is a report in a list.
type ReportLine struct {
	ID          int64     `json:"id"`
	Kind        string    `json:"kind"` // aggregate, tls, failure
	Domain      string    `json:"domain"`
	Reporter    string    `json:"reporter"`
	ReportID    string    `json:"report_id"`
	Begin       time.Time `json:"begin"`
	End         time.Time `json:"end"`
	Day         time.Time `json:"day"` // that it counts on
	At          time.Time `json:"at"`  // when it came
	Messages    int64     `json:"messages"`
	Records     int64     `json:"records"`
	Verified    bool      `json:"verified"`
	Conflicting bool      `json:"conflicting"`
	Warnings    int       `json:"warnings"`
	Closed      bool      `json:"closed"` // it tells of persons, and is for those alone who are analysts of the domain
}

// ReportIntake tells how reports come in.
type ReportIntake struct {
	Inputs  []ReportInput  `json:"inputs"`  // of who sees everything; empty for others
	Refused int64          `json:"refused"` // likewise: what came in the last days and could not be read
	Silent  []SilentDomain `json:"silent"`  // domains of ours of which no report has come for days
	Trouble []string       `json:"trouble"` // what keeps reports from coming in; of who sees everything
	Days    int            `json:"days"`    // that this is about
	Pending bool           `json:"pending"` // it is being counted
}

// A ReportInput is a way by which reports come.
type ReportInput struct {
	Name       string    `json:"name"`
	Configured bool      `json:"configured"`
	Arrived    int64     `json:"arrived"` // files and messages in the last days
	Reports    int64     `json:"reports"`
	Refused    int64     `json:"refused"`
	Last       time.Time `json:"last"` // when something came last; zero: not in the last days
}

// A SilentDomain is one of which no report has come for days.
type SilentDomain struct {
	Domain string    `json:"domain"`
	Last   time.Time `json:"last"` // zero: never
}

const (
	reportsOnPage   = 50
	reportsAtOnce   = 500
	mostReportsDays = 3660
	silentAfter     = 3 * 24 * time.Hour
	mostSilent      = 100 // domains that are looked at
)

var reportKinds = []string{store.Aggregate, store.TLS, store.Failure}

// Reports lists reports.
func (d *Desk) Reports(ctx context.Context, who *people.Access, in *ReportsIn) (*Reports, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	domains, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	f, err := d.reportFilter(who, in, domains)
	if err != nil {
		return nil, err
	}
	out := &Reports{Reports: []ReportLine{}, Domains: append([]string{}, domains...), Uploads: who.Anywhere() >= people.Analyst}
	if err := d.mayAskDays(who, in.Days); err != nil {
		return nil, err
	}
	if in.Text != "" { // all reports are gone through for it
		if err := d.mayAsk(who, "reports text "+in.Text); err != nil {
			return nil, err
		}
	}
	key, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	found, err := keep.Get(ctx, d.Answers, "reports "+string(key), func(ctx context.Context) ([]store.ReportInfo, error) { return d.Store.Reports(ctx, f) })
	if err != nil {
		return nil, err
	}
	for i := range found.Value[:min(len(found.Value), reportsOnPage)] {
		out.Reports = append(out.Reports, reportLine(who, &found.Value[i]))
	}
	if len(found.Value) > reportsOnPage {
		out.Next = found.Value[reportsOnPage-1].ID
	}
	out.all = d.eachReport(ctx, who, f)
	out.Intake, err = d.intake(ctx, who)
	return out, err
}

// eachReport gives all reports that a filter lets through, some at a time.
func (d *Desk) eachReport(ctx context.Context, who *people.Access, f store.ReportFilter) iter.Seq[ReportLine] {
	return func(yield func(ReportLine) bool) {
		for f.Limit = reportsAtOnce; ; {
			some, err := d.Store.Reports(ctx, f)
			if err != nil {
				d.log().Error("a table of reports ends early", "error", err.Error())
				return
			}
			for i := range some {
				if !yield(reportLine(who, &some[i])) {
					return
				}
				f.Before = some[i].ID
			}
			if len(some) < f.Limit {
				return
			}
		}
	}
}

// reportFilter is what the store is asked for: nothing that somebody may not see.
func (d *Desk) reportFilter(who *people.Access, in *ReportsIn, seen []string) (f store.ReportFilter, err error) {
	if in.Days == 0 {
		in.Days = days
	}
	switch {
	case in.Kind != "" && !slices.Contains(reportKinds, in.Kind):
		return f, invalid("kind", "There are the kinds %s.", strings.Join(reportKinds, ", "))
	case in.Only != "" && in.Only != "conflicting" && in.Only != "unverified":
		return f, invalid("only", "Ask for those that are conflicting or unverified.")
	case in.Days < 1 || in.Days > mostReportsDays:
		return f, invalid("days", "Ask for 1 to %d days.", mostReportsDays)
	}
	// A report may count on a day to come, where its reporter's clock is wrong.
	f = store.ReportFilter{
		Kind: in.Kind, Reporter: in.Reporter, Text: in.Text, From: insight.DayOf(d.now()).AddDate(0, 0, 1-in.Days), Conflicting: in.Only == "conflicting",
		Unverified: in.Only == "unverified", Before: max(in.Before, 0), Limit: reportsOnPage + 1,
	}
	if who.Everywhere() < people.Viewer {
		f.Domains = append([]string{}, seen...)
	}
	if in.Domain != "" {
		if f.Domain, err = dns.ToASCII(in.Domain); err != nil {
			return f, invalid("domain", "That is no domain.")
		}
		if who.Over(f.Domain) < people.Viewer {
			return f, fmt.Errorf("reports about %s: %w", in.Domain, ErrNotFound)
		}
	}
	return f, nil
}

func reportLine(who *people.Access, i *store.ReportInfo) ReportLine {
	l := ReportLine{
		ID: i.ID, Kind: i.Kind, Domain: i.Domain, Reporter: cmp.Or(i.Reporter, i.Email), ReportID: i.ReportID, Begin: i.Begin, End: i.End, Day: i.Day, At: i.At,
		Messages: i.Messages, Records: i.Records, Verified: i.Verified, Conflicting: i.Conflicting, Warnings: len(i.Warnings),
	}
	if !seesReport(who, i) {
		l.Closed, l.ReportID = true, ""
	}
	return l
}

// seesReport tells whether somebody may see what a report says. One of a failure tells of persons.
func seesReport(who *people.Access, i *store.ReportInfo) bool {
	need := people.Viewer
	if i.Kind == store.Failure {
		need = people.Analyst
	}
	return who.Over(i.Domain) >= need
}

// intake is how reports come in, as far as somebody may know.
func (d *Desk) intake(ctx context.Context, who *people.Access) (ReportIntake, error) {
	out := ReportIntake{Inputs: []ReportInput{}, Silent: []SilentDomain{}, Trouble: []string{}, Days: days}
	last, err := d.lastReports(ctx)
	if errors.Is(err, keep.ErrPending) {
		out.Pending = true
	} else if err != nil {
		return out, err
	}
	for _, s := range last {
		if d.now().Sub(s.Last) > silentAfter && who.Over(s.Domain) >= people.Viewer {
			out.Silent = append(out.Silent, s)
		}
	}
	if who.Everywhere() < people.Viewer {
		return out, nil
	}
	inputs, err := d.inputs(ctx)
	if errors.Is(err, keep.ErrPending) {
		out.Pending = true
	} else if err != nil {
		return out, err
	}
	out.Inputs = append(out.Inputs, inputs...)
	for _, i := range inputs {
		out.Refused += i.Refused
	}
	status, err := d.status(ctx)
	for _, problem := range status.Problems {
		if text, ok := strings.CutPrefix(problem, "reports: "); ok {
			out.Trouble = append(out.Trouble, strings.TrimPrefix(text, "degraded: "))
		}
	}
	return out, err
}

// status is that of the gate that the dashboard stands in, as far as it is known by now: it asks DNS.
func (d *Desk) status(ctx context.Context) (control.Status, error) {
	if d.Status == nil {
		return control.Status{}, nil
	}
	kept, err := keep.Get(ctx, d.Answers, "status", func(ctx context.Context) (control.Status, error) { return d.Status(ctx), nil })
	if errors.Is(err, keep.ErrPending) {
		err = nil
	}
	return kept.Value, err
}

// lastReports tells of each domain of ours when a report came last.
func (d *Desk) lastReports(ctx context.Context) ([]SilentDomain, error) {
	kept, err := keep.Get(ctx, d.Answers, "reports last", func(ctx context.Context) ([]SilentDomain, error) {
		var all []SilentDomain
		ours := d.Config().Reports.Domains
		for _, domain := range ours[:min(len(ours), mostSilent)] {
			last, err := d.Store.Reports(ctx, store.ReportFilter{Domain: domain, Limit: 1})
			if err != nil {
				return nil, err
			}
			s := SilentDomain{Domain: domain}
			if len(last) > 0 {
				s.Last = last[0].At
			}
			all = append(all, s)
		}
		return all, nil
	})
	return kept.Value, err
}

// inputs are the ways by which reports come: those that are configured, and those by which some came.
func (d *Desk) inputs(ctx context.Context) ([]ReportInput, error) {
	kept, err := keep.Get(ctx, d.Answers, "reports inputs", func(ctx context.Context) ([]store.InputFigures, error) {
		return d.Store.Inputs(ctx, insight.DayOf(d.now()).AddDate(0, 0, 1-days))
	})
	var all []ReportInput
	for _, name := range inputNames(d.Config()) {
		all = append(all, ReportInput{Name: name, Configured: true})
	}
	for _, f := range kept.Value {
		i := slices.IndexFunc(all, func(i ReportInput) bool { return i.Name == f.Input })
		if i < 0 {
			i = len(all)
			all = append(all, ReportInput{Name: f.Input})
		}
		all[i].Arrived, all[i].Reports, all[i].Refused, all[i].Last = f.Arrived, f.Reports, f.Refused, f.Last
	}
	return all, err
}

// Tables has all reports that fit, and the inputs.
func (r *Reports) Tables() []Table {
	return []Table{{
		Name: "reports",
		Columns: []string{"report", "kind", "domain", "reporter", "report id", "begin", "end", "day", "came", "messages", "records", "verified", "conflicting",
			"warnings"},
		Rows: func(yield func([]string) bool) {
			for l := range r.all {
				if !yield([]string{count(l.ID), l.Kind, l.Domain, l.Reporter, l.ReportID, stamp(l.Begin), stamp(l.End), l.Day.Format(time.DateOnly), stamp(l.At),
					count(l.Messages), count(l.Records), fmt.Sprint(l.Verified), fmt.Sprint(l.Conflicting), fmt.Sprint(l.Warnings)}) {
					return
				}
			}
		},
	}, {
		Name: "inputs", Columns: []string{"input", "arrived", "reports", "refused", "last"},
		Rows: func(yield func([]string) bool) {
			for _, i := range r.Intake.Inputs {
				if !yield([]string{i.Name, count(i.Arrived), count(i.Reports), count(i.Refused), stamp(i.Last)}) {
					return
				}
			}
		},
	}}
}
