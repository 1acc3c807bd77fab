package reports

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"sync"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// readers are those with the usual options, whose memory is used again.
var readers = sync.Pool{New: func() any { return aggregate.NewReader(eof{}, aggregate.Options{}) }}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// reader gives a reader of r, and what is to be done with it in the end.
func reader(r io.Reader, o aggregate.Options) (*aggregate.Reader, func()) {
	if o != (aggregate.Options{}) {
		return aggregate.NewReader(r, o), func() {}
	}
	a := readers.Get().(*aggregate.Reader)
	a.Reset(r)
	return a, func() {
		a.Reset(eof{})
		readers.Put(a)
	}
}

// readAggregate reads an aggregate report to its end.
func readAggregate(s *unwrap.Spool, o Options) (*Report, error) {
	hash := sha256.New()
	tee := io.TeeReader(body{s.Open()}, hash)
	a, done := reader(tee, o.Aggregate)
	defer done()
	r := &Report{Kind: store.Aggregate, options: o.Aggregate}
	most := cmp.Or(o.Held, defaultHeld)
	held := true
	var rec aggregate.Record
	var copies copier
	for {
		err := a.Next(&rec)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		r.records++
		if !held {
			continue
		}
		if r.held == nil {
			r.held = make([]aggregate.Record, 0, min(1+s.Size()/usualRecord, int64(most)))
		}
		if r.weight += weight(&rec); r.weight <= most {
			r.held = append(r.held, copies.record(&rec))
		} else {
			r.held, r.weight, held = nil, 0, false
		}
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return nil, err
	}
	hash.Sum(r.Content[:0])
	r.source = s
	if !held {
		s.Keep()
		r.spool, r.body = s, s.Open()
	}
	f := *a.Feedback()
	r.Aggregate = &f
	r.Reporter, r.Email, r.ReportID, r.Domain, r.Begin, r.End = f.OrgName, f.Email, f.ReportID, f.Policy.Domain, f.Begin, f.End
	for _, w := range a.Warnings() {
		r.Warnings = append(r.Warnings, w.String())
	}
	var err error
	r.head, err = aggregateHead(r)
	return r, err
}

// usualRecord is about how many bytes of XML a record is.
const usualRecord = 768

// A copier copies records whose memory is used again. The lists of many lie in one piece of memory.
type copier struct {
	reasons []aggregate.Reason
	dkim    []aggregate.AuthDKIM
	spf     []aggregate.AuthSPF
}

func (c *copier) record(rec *aggregate.Record) aggregate.Record {
	r := *rec
	r.Reasons = copied(&c.reasons, rec.Reasons)
	r.Auth.DKIM = copied(&c.dkim, rec.Auth.DKIM)
	r.Auth.SPF = copied(&c.spf, rec.Auth.SPF)
	r.Extensions = slices.Clone(rec.Extensions)
	return r
}

// copied puts a copy of v behind the lists that are in a piece of memory, or into a new and larger one.
func copied[T any](piece *[]T, v []T) []T {
	if len(v) == 0 {
		return nil
	}
	if len(v) > cap(*piece)-len(*piece) {
		*piece = make([]T, 0, max(len(v), min(2*cap(*piece), 64)))
	}
	start := len(*piece)
	*piece = append(*piece, v...)
	return (*piece)[start:len(*piece):len(*piece)]
}

// perWeight is about what a record takes in memory with texts of ordinary length.
const perWeight = 1 << 10

// weight is how many ordinary records a record is worth: one may have very many long texts.
func weight(rec *aggregate.Record) int {
	n := len(rec.HeaderFrom) + len(rec.EnvelopeFrom) + len(rec.EnvelopeTo) + len(rec.Disposition) + len(rec.DKIM) + len(rec.SPF)
	for i := range rec.Reasons {
		n += 32 + len(rec.Reasons[i].Type) + len(rec.Reasons[i].Comment)
	}
	for i := range rec.Auth.DKIM {
		a := &rec.Auth.DKIM[i]
		n += 64 + len(a.Domain) + len(a.Selector) + len(a.Result) + len(a.HumanResult)
	}
	for i := range rec.Auth.SPF {
		a := &rec.Auth.SPF[i]
		n += 64 + len(a.Domain) + len(a.Scope) + len(a.Result) + len(a.HumanResult)
	}
	for i := range rec.Extensions {
		x := &rec.Extensions[i]
		n += 48 + len(x.Namespace) + len(x.Name) + len(x.XML)
	}
	return 1 + n/perWeight
}

var errNoRecords = errors.New("the report was closed")

// Records goes through the records of an aggregate report, as often as it is asked to. A record is good until the next.
func (r *Report) Records() iter.Seq2[*aggregate.Record, error] {
	return func(yield func(*aggregate.Record, error) bool) {
		if r.stored != nil {
			var rec aggregate.Record
			for row, err := range r.stored {
				record(&row, &rec)
				if !yield(&rec, err) || err != nil {
					return
				}
			}
			return
		}
		if r.body == nil {
			if int64(len(r.held)) != r.records {
				yield(nil, errNoRecords)
				return
			}
			for i := range r.held {
				if !yield(&r.held[i], nil) {
					return
				}
			}
			return
		}
		a, done := reader(io.NewSectionReader(r.body, 0, r.body.Size()), r.options)
		defer done()
		var rec aggregate.Record
		for {
			err := a.Next(&rec)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&rec, nil) {
				return
			}
		}
	}
}

// Rows goes through the same records, as the store takes them.
func (r *Report) Rows() iter.Seq2[store.Row, error] {
	if r.stored != nil {
		return r.stored
	}
	return func(yield func(store.Row, error) bool) {
		for rec, err := range r.Records() {
			if err != nil {
				yield(store.Row{}, err)
				return
			}
			if !yield(row(rec), nil) {
				return
			}
		}
	}
}

func row(rec *aggregate.Record) store.Row {
	r := store.Row{
		SourceIP: rec.SourceIP, Count: rec.Count, Disposition: rec.Disposition, DKIM: rec.DKIM, SPF: rec.SPF, HeaderFrom: rec.HeaderFrom,
		EnvelopeFrom: rec.EnvelopeFrom, EnvelopeTo: rec.EnvelopeTo,
	}
	if n := len(rec.Reasons); n > 0 {
		r.Reasons = make([]store.Reason, n)
		for i, x := range rec.Reasons {
			r.Reasons[i] = store.Reason(x)
		}
	}
	if n := len(rec.Auth.DKIM); n > 0 {
		r.AuthDKIM = make([]store.AuthDKIM, n)
		for i, x := range rec.Auth.DKIM {
			r.AuthDKIM[i] = store.AuthDKIM(x)
		}
	}
	if n := len(rec.Auth.SPF); n > 0 {
		r.AuthSPF = make([]store.AuthSPF, n)
		for i, x := range rec.Auth.SPF {
			r.AuthSPF[i] = store.AuthSPF(x)
		}
	}
	return r
}

// percentage reads pct (RFC 7489 6.3); nil if the report has none that is a number.
func percentage(s string) *int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 100 {
		return nil
	}
	return &n
}
