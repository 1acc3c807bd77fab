package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

const reportsListHelp = `List the reports in the store, the latest day first: the number by which
"gatepost reports show" knows it, the day that it counts on, its kind, the
domain that it is about, who reports, and how many messages it counts.

A "!" marks a report in conflict: there is another of this reporter, id and
period with other contents. A "?" marks one that is not verified: it came by
mail that did not pass DMARC, or to the address of another domain.

With --refused, what arrived and could not be read, or not as a whole, is listed
instead, the latest last: when it came, the beginning of its hash, what it is
called, and why.

Exit status: 0 listed, though there be none; 2 it could not be done.`

// A reportSelection says which reports.
type reportSelection struct {
	domain, kind, reporter, search, since, until string
	conflicting, unverified                      bool
}

var reportKinds = []string{store.Aggregate, store.Failure, store.TLS}

func (o *reportSelection) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.domain, "domain", "", "only about this `DOMAIN`")
	f.StringVar(&o.reporter, "reporter", "", "only of this reporter, by its whole `NAME`")
	f.StringVar(&o.search, "search", "", "only with this `TEXT` in the id, the domain, or the reporter's name or address")
	f.StringVar(&o.since, "since", "", "only from this `DAY` on: a date, or days back (7d)")
	f.StringVar(&o.until, "until", "", "only up to this `DAY`, which is included")
	f.BoolVar(&o.conflicting, "conflicting", false, "only those in conflict with another")
	f.BoolVar(&o.unverified, "unverified", false, "only those that are not verified")
}

// filter makes a question of the flags.
func (o *reportSelection) filter(cmd *cobra.Command) (f store.ReportFilter, err error) {
	f = store.ReportFilter{Kind: o.kind, Reporter: o.reporter, Text: o.search, Conflicting: o.conflicting, Unverified: o.unverified}
	if o.kind != "" && !slices.Contains(reportKinds, o.kind) {
		return f, usageError(cmd, "--kind %q: no such kind; there are %s%s", o.kind, strings.Join(reportKinds, ", "),
			didYouMean("", nearest.Word(o.kind, reportKinds)))
	}
	if o.domain != "" {
		if f.Domain, err = dns.ToASCII(o.domain); err != nil {
			return f, usageError(cmd, "--domain %q: not a domain name", o.domain)
		}
	}
	if o.since != "" {
		if f.From, err = when.Since(o.since, present(cmd)); err != nil {
			return f, usageError(cmd, "--since %q: %v", o.since, err)
		}
	}
	if o.until != "" {
		if f.To, err = when.Since(o.until, present(cmd)); err != nil {
			return f, usageError(cmd, "--until %q: %v", o.until, err)
		}
	}
	return f, nil
}

// reportsAtOnce is how many reports are asked of the store at once.
const reportsAtOnce = 500

// eachReport gives those that the filter lets through, the latest day first, in bounded memory. Limit 0 stands for all.
func eachReport(ctx context.Context, s store.Store, f store.ReportFilter, limit int) iter.Seq2[*store.ReportInfo, error] {
	return func(yield func(*store.ReportInfo, error) bool) {
		for left := limit; ; {
			f.Limit = reportsAtOnce
			if limit > 0 {
				f.Limit = min(f.Limit, left)
			}
			some, err := s.Reports(ctx, f)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range some {
				if !yield(&some[i], nil) {
					return
				}
			}
			if left -= len(some); len(some) < f.Limit || limit > 0 && left == 0 {
				return
			}
			f.Before = some[len(some)-1].ID
		}
	}
}

// listFlags are the flags of reports list.
type listFlags struct {
	store   storeFlags
	which   reportSelection
	refused bool
	limit   int
}

func reportsListCommand() *cobra.Command {
	var o listFlags
	cmd := &cobra.Command{
		Use:   "list [--domain D] [--kind K] [--since DAY] [--refused]",
		Short: "List the reports in the store, or what was refused",
		Long:  reportsListHelp,
		Example: `  gatepost reports list --domain example.com --since 7d
  gatepost reports list --refused
  gatepost reports list --limit 0 --json | jq -r .reporter | sort | uniq -c`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReportsList(cmd, &o) },
	}
	o.which.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.which.kind, "kind", "", "only of this `KIND`: "+strings.Join(reportKinds, ", "))
	f.BoolVar(&o.refused, "refused", false, "what could not be read, instead")
	f.IntVarP(&o.limit, "limit", "n", 50, "this many of them; 0 for all")
	o.store.add(cmd)
	return cmd
}

func runReportsList(cmd *cobra.Command, o *listFlags) error {
	filter, err := o.which.filter(cmd)
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return usageError(cmd, "--limit %d: it takes 0 or more", o.limit)
	}
	if o.refused {
		only := o.which
		only.since, only.until = "", ""
		if only != (reportSelection{}) {
			return usageError(cmd, "--refused: what was refused has no domain, kind or reporter; it takes --since, --until and --limit only")
		}
	}
	ctx := cmd.Context()
	s, err := o.store.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	if o.refused {
		return listRefused(cmd, s, filter.From, filter.To, o.limit)
	}
	p := newReportLister(cmd)
	limit := o.limit
	if limit > 0 {
		limit++ // to know whether there are more
	}
	n := 0
	for r, err := range eachReport(ctx, s, filter, limit) {
		if err != nil {
			return err
		}
		if n++; o.limit > 0 && n > o.limit {
			p.more = true
			break
		}
		if err := p.print(r); err != nil {
			return err
		}
	}
	p.end(n)
	return nil
}

// A reportLister prints a line for each report.
type reportLister struct {
	out  screen
	err  io.Writer
	json bool
	more bool
	seen map[byte]bool // marks

	domain, reporter int // widths
}

func newReportLister(cmd *cobra.Command) *reportLister {
	c := commonFlags(cmd)
	p := &reportLister{out: newScreen(cmd.OutOrStdout(), c.NoColor), err: cmd.ErrOrStderr(), json: c.JSON, seen: map[byte]bool{}}
	spare := p.out.width - minWidth
	p.domain = 10 + spare/2
	p.reporter = 5 + spare - spare/2
	return p
}

func (p *reportLister) print(r *store.ReportInfo) error {
	if p.json {
		return printJSONLine(p.out.w, r)
	}
	if len(p.seen) == 0 {
		p.seen[0] = true
		p.out.line(p.out.paint(dim, p.row("number", "day", "kind", "domain", "reporter", "messages", "")))
	}
	marks := ""
	if r.Conflicting {
		marks += "!"
		p.seen['!'] = true
	}
	if !r.Verified {
		marks += "?"
		p.seen['?'] = true
	}
	messages := "-"
	if r.Kind == store.Aggregate {
		messages = fmt.Sprint(r.Messages)
	}
	_, err := io.WriteString(p.out.w, strings.TrimRight(p.row(fmt.Sprint(r.ID), r.Day.Format(time.DateOnly), r.Kind, r.Domain, cmp.Or(r.Reporter, r.Email, "-"),
		messages, marks), " ")+"\n")
	return err
}

func (p *reportLister) row(id, day, kind, domain, reporter, messages, marks string) string {
	return fmt.Sprintf("%-6s  %-10s  %-9s  %s  %s %8s %s", id, day, kind, column(elide(printable(cmp.Or(domain, "-")), p.domain), p.domain),
		column(clip(printable(reporter), p.reporter), p.reporter), messages, marks)
}

// end says what the marks mean, and that there are more.
func (p *reportLister) end(n int) {
	if p.json {
		return
	}
	if n == 0 {
		fmt.Fprintln(p.err, "There are no such reports.")
	}
	var legend []string
	if p.seen['!'] {
		legend = append(legend, "!: in conflict with another")
	}
	if p.seen['?'] {
		legend = append(legend, "?: not verified")
	}
	if len(legend) > 0 {
		p.out.line("\n" + strings.Join(legend, "; "))
	}
	if p.more {
		fmt.Fprintln(p.err, "There are more; --limit 0 lists all.")
	}
}

// A listedRaw is what arrived, as JSON.
type listedRaw struct {
	Hash         string    `json:"hash"`
	Size         int64     `json:"size"`
	Name         string    `json:"name"`
	Input        string    `json:"input"`
	At           time.Time `json:"at"`
	ClientIP     string    `json:"client_ip"`
	MailFrom     string    `json:"mail_from"`
	AuthorDomain string    `json:"author_domain"`
	DMARC        string    `json:"dmarc"`
	TokenDomain  string    `json:"token_domain"`
	Kept         bool      `json:"kept"`
	Times        int64     `json:"times"`
	Last         time.Time `json:"last"`
	Reports      int       `json:"reports"`
	Refused      []string  `json:"refused"`
}

func listed(r *store.RawInfo) listedRaw {
	return listedRaw{hashText(r.Hash), r.Size, r.Name, r.Input, r.At, r.ClientIP, r.MailFrom, r.AuthorDomain, r.DMARC, r.TokenDomain, r.Kept, r.Times,
		r.Last, r.Reports, append([]string{}, r.Refusals...)}
}

// listRefused lists what could not be read, the last so many.
func listRefused(cmd *cobra.Command, s store.Store, from, to time.Time, limit int) error {
	c := commonFlags(cmd)
	out := newScreen(cmd.OutOrStdout(), c.NoColor)
	print := func(r *store.RawInfo) error {
		if c.JSON {
			return printJSONLine(out.w, listed(r))
		}
		return out.refused(r)
	}
	var last []store.RawInfo // a ring, once it is full
	n := 0
	for r, err := range s.Raws(cmd.Context(), store.RawFilter{Refusals: true}) {
		switch {
		case err != nil:
			return err
		case !from.IsZero() && r.At.Before(from) || !to.IsZero() && !r.At.Before(to.Truncate(24*time.Hour).AddDate(0, 0, 1)):
			continue
		}
		n++
		switch {
		case limit == 0:
			if err := print(&r); err != nil {
				return err
			}
		case len(last) < limit:
			last = append(last, r)
		default:
			last[(n-1)%limit] = r
		}
	}
	for i := range last {
		if err := print(&last[(i+n%len(last))%len(last)]); err != nil {
			return err
		}
	}
	switch {
	case n == 0 && !c.JSON:
		fmt.Fprintln(cmd.ErrOrStderr(), "Nothing was refused.")
	case limit > 0 && n > limit && !c.JSON:
		fmt.Fprintln(cmd.ErrOrStderr(), "There are more; --limit 0 lists all.")
	}
	return nil
}

// shortHash is how many digits of a hash are shown in a list.
const shortHash = 12

func (s screen) refused(r *store.RawInfo) error {
	var b strings.Builder
	head := r.At.UTC().Format("2006-01-02 15:04") + "  " + hashText(r.Hash)[:shortHash] + "  "
	b.WriteString(head + elide(printable(r.Name), s.width-len(head)) + "\n")
	for _, reason := range r.Refusals {
		for _, line := range wrap(clip(printable(reason), 500), s.width-4) {
			b.WriteString("    " + line + "\n")
		}
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

// place is where a report stands in the store, as JSON.
type place struct {
	ID          int64       `json:"id"`
	Day         string      `json:"day"`
	At          time.Time   `json:"at"`
	Part        string      `json:"part"`
	Verified    bool        `json:"verified"`
	Conflicting bool        `json:"conflicting"`
	Others      []int64     `json:"others,omitempty"` // in conflict with it
	Records     int64       `json:"records"`
	Messages    int64       `json:"messages"`
	Kept        bool        `json:"kept"` // its records are
	Raws        []listedRaw `json:"raws,omitempty"`
}

func placeOf(r *store.ReportInfo) place {
	return place{ID: r.ID, Day: r.Day.Format(time.DateOnly), At: r.At, Part: r.Part, Verified: r.Verified, Conflicting: r.Conflicting, Records: r.Records,
		Messages: r.Messages, Kept: r.Kept}
}

func (p place) json() json.RawMessage {
	b, _ := json.Marshal(p) // texts and numbers
	return b
}
