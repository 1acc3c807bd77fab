// Package reports reads the reports that others send: DMARC aggregate and failure reports, and TLS reports, whatever they come wrapped in.
//
//	for res, err := range reports.Read(file, reports.Options{}) {
//		switch {
//		case err != nil:
//			return err // the bytes could not be had: try again later
//		case res.Report == nil:
//			log.Print(res.Refusal)
//		default:
//			keep(res.Report.Store())
//			res.Report.Close()
//		}
//	}
//
// A report is read to its end before it is given: one that is cut off is refused whole, with the reason. An aggregate report with few
// records is held in memory; of a long one, the records are read again each time that they are asked for.
package reports

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/report/aggregate"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// Options are the bounds of what is read. The zero value has good ones.
type Options struct {
	Unwrap    unwrap.Limits
	Aggregate aggregate.Options
	Failure   failure.Options
	TLS       tlsrpt.Options
	Held      int // the most records of a report that are held in memory. 2000
}

const defaultHeld = 2000

// A Result is a report, or why something is none.
type Result struct {
	Report  *Report // to be closed by whom it is given to; nil if refused
	Refusal *Refusal
}

// A Refusal is something that looked as if it could be a report, and could not be read. It stands for all that came if there was nothing
// of that kind.
type Refusal struct {
	Path   string // where it lies in what came; empty for the whole
	Reason string
}

func (r *Refusal) String() string {
	if r.Path == "" {
		return r.Reason
	}
	return r.Path + ": " + r.Reason
}

// Read reads all reports in what r gives. An error is the last that it yields, and means that the bytes could not be had or put aside: it
// says nothing about them. What is no report and harmless, such as a greeting, is passed over if there was a report or a refusal beside it.
func Read(r io.Reader, o Options) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		x := &reading{options: o, yield: yield, seen: map[identity]bool{}}
		err := unwrap.Each(r, o.Unwrap, x.part)
		if errors.Is(err, errEnough) {
			return
		}
		if err == nil && !x.given {
			err = x.refuse(Refusal{Reason: x.others.String()})
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Result{}, err)
		}
	}
}

// errEnough ends the reading when the caller wants no more.
var errEnough = errors.New("enough")

// A reading is one call of Read.
type reading struct {
	options Options
	yield   func(Result, error) bool
	seen    map[identity]bool // the reports that were given
	given   bool
	others  others
}

// An identity tells two reports in the same bytes apart: a hash, since there may be very many with very long ids.
type identity [16]byte

func identify(r *Report) identity {
	hash := sha256.New()
	hash.Write(r.Content[:])
	io.WriteString(hash, r.Kind+"\x00"+r.ReportID)
	return identity(hash.Sum(nil)[:len(identity{})])
}

// part reads one part.
func (x *reading) part(p unwrap.Part) error {
	if p.Refused != nil {
		return x.refuse(Refusal{p.Path, p.Refused.Error()})
	}
	var r *Report
	var err error
	switch p.Kind {
	case unwrap.XML:
		r, err = readAggregate(p.Body, x.options)
		if errors.Is(err, aggregate.ErrNotReport) {
			x.others.add("XML that is no aggregate report")
			return nil
		}
	case unwrap.JSON:
		r, err = readTLS(p.Body, x.options)
		if errors.Is(err, tlsrpt.ErrNoReport) {
			x.others.add("JSON that is no TLS report")
			return nil
		}
	case unwrap.Mail:
		if p.Guessed && x.given { // the text beside a report
			return nil
		}
		r, err = readFailure(p.Body, x.options)
		if p.Guessed && errors.Is(err, failure.ErrNoReport) {
			return nil
		}
	default:
		x.others.add(p.What)
		return nil
	}
	if err != nil {
		if system := (*unreadable)(nil); errors.As(err, &system) {
			return system.err
		}
		return x.refuse(Refusal{p.Path, reason(err)})
	}
	id := identify(r)
	if x.seen[id] { // the same report twice, as some send it in two forms
		return r.Close()
	}
	x.seen[id] = true
	r.Path = p.Path
	r.finish(p.Notes)
	x.given = true
	if !x.yield(Result{Report: r}, nil) {
		return errEnough
	}
	return nil
}

func (x *reading) refuse(r Refusal) error {
	x.given = true
	if !x.yield(Result{Refusal: &r}, nil) {
		return errEnough
	}
	return nil
}

// reason leaves out the name of the package that an error comes from.
func reason(err error) string {
	text := err.Error()
	for _, prefix := range []string{"aggregate: ", "failure report: ", "TLS report: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}

// An unreadable is an error of reading a temporary file.
type unreadable struct{ err error }

func (u *unreadable) Error() string { return u.err.Error() }

// body reads a part. That it cannot be read is nothing that the report did.
type body struct{ r io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		err = &unreadable{err}
	}
	return n, err
}

// others are the parts that are no reports.
type others struct {
	words []string
	more  int
}

const mostOthers = 5

func (o *others) add(what string) {
	switch {
	case slices.Contains(o.words, what):
	case len(o.words) < mostOthers:
		o.words = append(o.words, what)
	default:
		o.more++
	}
}

func (o *others) String() string {
	if len(o.words) == 0 {
		return "no report in it"
	}
	text := strings.Join(o.words, ", ")
	if o.more > 0 {
		text += fmt.Sprintf(" and %d more", o.more)
	}
	return text + "; no report in it"
}

// A Report is one that was read.
type Report struct {
	Kind       string // store.Aggregate, store.Failure or store.TLS
	Path       string // where it lay in what came
	Content    store.Hash
	Reporter   string
	Email      string
	ReportID   string
	Domain     string
	Begin, End time.Time
	Warnings   []string

	Aggregate *aggregate.Feedback // all but the records, of an aggregate report
	Failure   *failure.Report
	TLS       *tlsrpt.Report

	Place json.RawMessage // where it stands in the store: the member "store" of its JSON; none if empty

	records int64              // of an aggregate report
	held    []aggregate.Record // all of them, unless body is there
	weight  int                // of those held
	body    *io.SectionReader
	spool   *unwrap.Spool // of body; nil if that is not the report's own
	source  *unwrap.Spool // what it was read from, while it is yielded
	options aggregate.Options
	stored  iter.Seq2[store.Row, error] // of a report of the store, in the place of both
	head    []byte                      // the document without its warnings and the brace at its end
}

// Close gives up what the report holds. Its records cannot be read any more.
func (r *Report) Close() error {
	r.held, r.weight, r.body = nil, 0, nil
	if r.spool == nil {
		return nil
	}
	return r.spool.Close()
}

// Store gives the report as the store takes it. It may be written until the report is closed.
func (r *Report) Store() store.Report {
	s := store.Report{
		Kind: r.Kind, Reporter: r.Reporter, Email: r.Email, ReportID: r.ReportID, Domain: r.Domain, Begin: r.Begin, End: r.End,
		Content: r.Content, Part: r.Path, Warnings: r.Warnings, Document: r.Document(),
	}
	switch r.Kind {
	case store.Aggregate:
		s.Rows, s.Held = r.Rows(), r.weight
	case store.Failure:
		s.Failure = failed(r.Failure)
	case store.TLS:
		s.TLS = policies(r.TLS)
	}
	return s
}

// Count tells how many records an aggregate report has.
func (r *Report) Count() int64 { return r.records }

// Held tells how many records are held in memory, all of them or none. One with long texts counts as several.
func (r *Report) Held() int { return r.weight }

const mostText = 1 << 10 // bytes of what names a report

// bounded cuts a text to what a database takes well: no more than mostText bytes of UTF-8 without NUL.
func bounded(s string) string {
	if len(s) > mostText {
		s = strings.Clone(s[:mostText]) // so that the rest of it can go
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "")
}

// finish bounds what names the report, and puts the liberties of unwrapping before those of reading.
func (r *Report) finish(notes []string) {
	r.Reporter, r.Email, r.ReportID, r.Domain = bounded(r.Reporter), bounded(r.Email), bounded(r.ReportID), bounded(r.Domain)
	all := make([]string, 0, len(notes)+len(r.Warnings))
	for _, w := range slices.Concat(notes, r.Warnings) {
		all = append(all, cmp.Or(bounded(w), "?"))
	}
	r.Warnings = all
}
