package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

const (
	mostSources      = 50     // in a table
	mostSummed       = 20_000 // that are told apart while a report is summed up
	mostWarningsSeen = 20
)

// report writes one report for people.
func (s screen) report(file string, r *reports.Report) error {
	title := printable(file)
	if r.Path != "" {
		title += " (" + printable(r.Path) + ")"
	}
	for i, line := range wrap(title, s.width) {
		if i > 0 {
			line = "  " + line
		}
		s.line(s.paint(bold, elide(line, s.width)))
	}
	var sum *reportSum
	switch r.Kind {
	case store.Aggregate:
		var err error
		if sum, err = sumUp(r); err != nil {
			return err
		}
		s.aggregate(r, sum)
	case store.Failure:
		s.failure(r.Failure)
	case store.TLS:
		s.value("report", strings.TrimSpace("TLS report "+r.ReportID))
		s.reporter(r.Reporter, r.Email)
		s.value("period", period(r.Begin, r.End))
	}
	for i, w := range r.Warnings {
		if i == mostWarningsSeen {
			s.value("", fmt.Sprintf("and %d more; --json has them all", len(r.Warnings)-i))
			break
		}
		s.value(map[bool]string{true: "warnings"}[i == 0], w)
	}
	switch r.Kind {
	case store.Aggregate:
		s.sources(sum)
	case store.TLS:
		s.policies(r.TLS)
	}
	return nil
}

// value writes a name and what is so, if anything is. What has no spaces to break it at loses its middle.
func (s screen) value(name, value string) {
	for i, line := range wrap(clip(printable(value), 500), s.width-factColumn) {
		if i > 0 {
			name = ""
		}
		s.line("  " + pad(name, factColumn-2) + elide(line, s.width-factColumn))
	}
}

func (s screen) reporter(name, email string) {
	switch {
	case email == "":
	case name == "":
		name = "<" + email + ">"
	default:
		name += " <" + email + ">"
	}
	s.value("reporter", cmp.Or(name, "does not say who it is"))
}

func (s screen) aggregate(r *reports.Report, sum *reportSum) {
	s.value("report", "DMARC aggregate report "+r.ReportID)
	s.reporter(r.Reporter, r.Email)
	s.value("domain", r.Domain)
	s.value("period", period(r.Begin, r.End))
	p := r.Aggregate.Policy
	var policy []string
	for _, tag := range [][2]string{{"p", p.P}, {"sp", p.SP}, {"np", p.NP}, {"adkim", p.ADKIM}, {"aspf", p.ASPF}, {"pct", p.Pct}, {"fo", p.FO}, {"t", p.Testing}} {
		if tag[1] != "" {
			policy = append(policy, tag[0]+"="+tag[1])
		}
	}
	s.value("policy", strings.Join(policy, "; "))
	for _, e := range r.Aggregate.Errors {
		s.value("error", e)
	}
	messages := fmt.Sprintf("%d in %s", sum.messages, plural(int(r.Count()), "record"))
	if sum.messages > 0 {
		messages += fmt.Sprintf(", %d of them pass DMARC", sum.passed)
	}
	s.value("messages", messages)
}

func period(begin, end time.Time) string {
	const form = "2006-01-02 15:04:05"
	switch {
	case begin.IsZero() && end.IsZero():
		return "not said"
	case end.IsZero():
		return "from " + begin.UTC().Format(form) + " UTC"
	case begin.IsZero():
		return "to " + end.UTC().Format(form) + " UTC"
	}
	return begin.UTC().Format(form) + " to " + end.UTC().Format(form) + " UTC"
}

// A sourceKey is what a line of the table of sources is about.
type sourceKey struct{ source, spf, dkim, disposition string }

type sourceLine struct {
	sourceKey
	messages int64
}

// A reportSum is a report summed up by source.
type reportSum struct {
	lines            []sourceLine
	messages, passed int64
	further          int64 // messages of sources that are too many to be told apart
}

func sumUp(r *reports.Report) (*reportSum, error) {
	sum := &reportSum{}
	by := map[sourceKey]int64{}
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		sum.messages += row.Count
		if row.Passes() {
			sum.passed += row.Count
		}
		k := sourceKey{row.SourceIP.String(), row.SPF, row.DKIM, row.Disposition}
		if _, known := by[k]; !known && len(by) >= mostSummed {
			sum.further += row.Count
			continue
		}
		by[k] += row.Count
	}
	for k, n := range by {
		sum.lines = append(sum.lines, sourceLine{k, n})
	}
	slices.SortFunc(sum.lines, func(a, b sourceLine) int {
		return cmp.Or(cmp.Compare(b.messages, a.messages), cmp.Compare(a.source, b.source), cmp.Compare(a.spf+a.dkim+a.disposition, b.spf+b.dkim+b.disposition))
	})
	return sum, nil
}

// The columns of the table of sources; the first is as wide as it needs to be.
const (
	messagesWidth    = 10
	wordWidth        = 8
	dispositionWidth = 11
)

func (s screen) sources(sum *reportSum) {
	if len(sum.lines) == 0 {
		return
	}
	shown := sum.lines[:min(len(sum.lines), mostSources)]
	width := len("source")
	for _, l := range shown {
		width = max(width, len(l.source))
	}
	s.line("")
	s.line(s.paint(dim, "  "+column("source", width)+fmt.Sprintf("%*s", messagesWidth, "messages")+"  "+column("SPF", wordWidth)+column("DKIM", wordWidth)+"disposition"))
	for _, l := range shown {
		s.line("  " + column(l.source, width) + fmt.Sprintf("%*d", messagesWidth, l.messages) + "  " + s.word(l.spf, wordWidth) +
			s.word(l.dkim, wordWidth) + clip(printable(cmp.Or(l.disposition, "-")), dispositionWidth))
	}
	if len(sum.lines) > len(shown) || sum.further > 0 {
		rest := sum.further
		for _, l := range sum.lines[len(shown):] {
			rest += l.messages
		}
		s.line(fmt.Sprintf("  and %d messages of further sources; --json has them all", rest))
	}
}

// column fills a text with spaces, by characters.
func column(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// word is a result in its colour, in a column.
func (s screen) word(result string, width int) string {
	text := clip(printable(cmp.Or(result, "-")), width-1)
	return s.paint(colorOf(result), text) + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

func (s screen) failure(f *failure.Report) {
	s.value("report", strings.TrimSpace("failure report "+f.ReportID))
	s.reporter(f.Reporter, f.ReporterEmail)
	s.value("domain", f.ReportedDomain())
	s.value("author domain", f.AuthorDomain)
	if f.SourceIP.IsValid() {
		s.value("source", f.SourceIP.String())
	}
	if !f.ArrivalDate.IsZero() {
		s.value("arrived", f.ArrivalDate.UTC().Format("2006-01-02 15:04:05")+" UTC")
	}
	s.value("failed", strings.TrimSpace(f.FeedbackType+" "+f.AuthFailure))
	s.value("delivery", f.DeliveryResult)
	s.value("mail from", f.OriginalMailFrom)
	s.value("rcpt to", strings.Join(f.OriginalRcptTo, " "))
	s.value("subject", f.Subject)
	for _, r := range f.AuthenticationResults {
		s.value("results", r)
	}
}

// mostFailures is how many kinds of failures are shown of a policy.
const mostFailures = 20

func (s screen) policies(t *tlsrpt.Report) {
	for _, p := range t.Policies {
		s.line("")
		s.value("domain", p.Domain)
		s.value("policy", p.Type+" "+strings.Join(p.MXHosts, " "))
		s.value("sessions", fmt.Sprintf("%d secured, %d failed", p.Successful, p.Failed))
		for i, f := range p.Failures {
			if i == mostFailures {
				s.value("", fmt.Sprintf("and %d more; --json has them all", len(p.Failures)-i))
				break
			}
			s.value("failed", failureOf(f))
		}
	}
}

// failureOf is "3 certificate-expired at mx.example.com, from 192.0.2.1".
func failureOf(f tlsrpt.Failure) string {
	text := fmt.Sprintf("%d %s", f.Sessions, f.ResultType)
	host := f.ReceivingMXHostname
	if host == "" && f.ReceivingIP.IsValid() {
		host = f.ReceivingIP.String()
	}
	if host != "" {
		text += " at " + host
	}
	if f.SendingMTAIP.IsValid() {
		text += ", from " + f.SendingMTAIP.String()
	}
	if f.ReasonCode != "" {
		text += ": " + f.ReasonCode
	}
	return text
}
