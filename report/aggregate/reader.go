package aggregate

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Options are bounds, for what a report may make the reader keep in memory. The zero value has those that every real report is within.
type Options struct {
	MaxRecords   int       // more of them are an error; 0: no bound
	MaxText      int       // bytes of a value, the rest of which is cut off; 0: 4096
	MaxPerRecord int       // reasons, signatures and SPF results of a record, each; extensions and errors too; 0: 100
	MaxExtension int       // bytes of an extension, which is left out if it has more; 0: 16384
	MaxWarnings  int       // that differ from each other; 0: 100
	Now          time.Time // what is later is the future; zero: the time of the reading
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.MaxText, 4096}, {&o.MaxPerRecord, 100}, {&o.MaxExtension, 16 << 10}, {&o.MaxWarnings, 100}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return o
}

// Why a report cannot be read. An error of a [Reader] is one of these, or that of the io.Reader that the report comes from; it says where.
var (
	ErrNotReport  = errors.New("no DMARC aggregate report")
	ErrCutOff     = errors.New("the report is cut off") // it ends within feedback
	ErrTooLarge   = errors.New("more records than are allowed")
	ErrTwoReports = errors.New("a second report follows in the same document")
	ErrTooDeep    = errors.New("elements are nested too deeply")
)

const (
	maxDepth    = 64
	maxPrologue = 1 << 20 // bytes before the feedback element
)

// A Reader reads one report as it comes in. The memory that it takes does not grow with the number of records.
type Reader struct {
	src io.Reader
	lex lexer
	opt Options
	str interner
	err error // sticky; io.EOF after the last record

	open  []byte // the names of the elements that have begun, one after the other
	ends  []int  // where in open each of them ends
	local []int  // and where its name without prefix begins
	close int    // how many of them end here, with no end tag of their own left to come
	quiet bool   // what is being read is left out, with a warning that has been given

	bound []binding
	own   bool // whether names without a prefix are the report's

	partly bool   // whether something of the last value was left out
	buf    []byte // of the value, where it does not stand as it is in the document
	name   []byte // of the element that the value is of
	stray  []byte // text between elements
	full   bool   // whether there is more of it than is kept
	ext    []byte // of the extension being read

	feedback Feedback
	begun    bool // the feedback element has
	had      set  // of the elements of the first level
	records  int  // that have begun
	inRecord int  // the record being read, for warnings
	warnings []Warning
	warned   map[warnKey]int
}

// NewReader reads a report from src, all of it: what src fails with at its end, such as a wrong checksum, is an error of the report.
func NewReader(src io.Reader, o Options) *Reader {
	r := &Reader{opt: o.withDefaults()}
	r.Reset(src)
	return r
}

// Reset makes the reader read another report, with the memory that it has. What Feedback pointed to is that of the new report; warnings
// and strings of the old one stay good.
func (r *Reader) Reset(src io.Reader) {
	*r = Reader{
		src: src, lex: r.lex, opt: r.opt, str: r.str, own: true,
		open: r.open[:0], ends: r.ends[:0], local: r.local[:0], bound: r.bound[:0],
		buf: r.buf[:0], name: r.name[:0], stray: r.stray[:0], ext: r.ext[:0],
	}
}

// Feedback is what the report said beside its records, as far as it has been read: most reporters put all of it before the first record,
// but it is whole only after Next has returned io.EOF.
func (r *Reader) Feedback() *Feedback { return &r.feedback }

// Warnings are the liberties taken so far.
func (r *Reader) Warnings() []Warning { return r.warnings }

// Next reads the next record into rec, whose memory is used again; its strings stay good. It returns io.EOF when the report has come
// to its proper end. After any other error nothing of the report is to be believed: what went before may be half of it.
func (r *Reader) Next(rec *Record) error {
	if r.err == nil && !r.begun {
		r.prologue()
	}
	for r.err == nil {
		switch e := r.child("feedback"); e {
		case record:
			if r.records++; r.opt.MaxRecords > 0 && r.records > r.opt.MaxRecords {
				r.fail(fmt.Errorf("%w: %d", ErrTooLarge, r.opt.MaxRecords))
				break
			}
			r.inRecord = r.records
			whole := r.record(rec)
			r.inRecord = 0
			if whole && r.err == nil {
				return nil
			}
		case version:
			if r.first(&r.had, e, "version") {
				r.version()
			}
		case reportMetadata:
			r.again(&r.had, e, "report_metadata")
			r.metadata()
		case policyPublished:
			r.again(&r.had, e, "policy_published")
			r.policy()
		case extension:
			r.newElement("extension")
			r.enter()
			for r.child("extension") != end {
				r.extension(&r.feedback.Extensions)
			}
		case end:
			if r.err == nil {
				r.epilogue()
			}
		default:
			if e == foreign {
				r.unexpected(e, "feedback", false)
				r.extension(&r.feedback.Extensions)
			} else {
				r.unexpected(e, "feedback", true)
			}
		}
	}
	return r.err
}

// Read reads all of a report into memory. The error is that of [Reader.Next]; with it comes what was read until then.
func Read(src io.Reader, o Options) (*Report, error) {
	r := NewReader(src, o)
	var records []Record
	for {
		var rec Record
		err := r.Next(&rec)
		if err == nil {
			records = append(records, rec)
			continue
		}
		report := &Report{Feedback: *r.Feedback(), Records: records, Warnings: r.Warnings()}
		if err == io.EOF {
			err = nil
		}
		return report, err
	}
}

// fail ends the reading, with the place.
func (r *Reader) fail(err error) {
	if r.err != nil {
		return
	}
	r.lex.tok = r.lex.pos
	place := fmt.Sprintf("line %d", r.lex.line())
	if r.inRecord > 0 {
		place += fmt.Sprintf(", in record %d", r.inRecord)
	} else if r.records > 0 {
		place += fmt.Sprintf(", after record %d", r.records)
	}
	r.err = fmt.Errorf("aggregate: %s: %w", place, err)
}

// cutOff ends the reading where the document does.
func (r *Reader) cutOff() {
	if err := r.lex.failure(); err != nil {
		r.fail(err)
		return
	}
	r.fail(ErrCutOff)
}

// prologue reads up to and with the start of the feedback element, whatever comes before it.
func (r *Reader) prologue() {
	src, ignored := decode(r.src)
	r.lex.reset(src)
	if ignored != "" {
		r.warn(wCharset, "", ignored)
	}
	read, told, wrote := 0, false, false
	for {
		t := r.lex.scan()
		if read += len(r.lex.raw()); read > maxPrologue {
			t = tokenEOF
		}
		switch t {
		case tokenEOF:
			err := r.lex.failure()
			if err == nil {
				err = fmt.Errorf("%w: no feedback element", ErrNotReport)
			}
			r.fail(err)
			return
		case tokenStart:
			if e, spelt := lookup(r.lex.local()); e == feedback {
				if !spelt {
					r.warn(wRootSpelling, "", string(r.lex.local()))
				}
				r.root()
				return
			}
			if !told {
				told = true
				r.warn(wPrologue, shown(r.lex.name), "")
			}
		case tokenText, tokenRef, tokenStray:
			if !wrote && !isSpace(r.lex.text) {
				wrote = true
				r.warn(wPrologue, "text", "")
			}
		}
	}
}

// root begins the feedback element.
func (r *Reader) root() {
	r.begun = true
	if r.lex.doctype {
		r.warn(wDoctype, "", "")
	}
	r.declare(1)
	r.feedback.Namespace, _ = r.namespace(r.lex.prefix())
	r.owned()
	if ns := r.feedback.Namespace; ns != "" && ns != Namespace9990 && ns != Namespace7489 {
		r.warn(wNamespace, "", ns)
	}
	r.enter()
}

// epilogue reads what follows the feedback element, which is nothing, and judges the whole.
func (r *Reader) epilogue() {
	if r.had == 0 && r.records == 0 {
		r.fail(fmt.Errorf("%w: the feedback element holds nothing of one", ErrNotReport))
		return
	}
	told := false
	for {
		t := r.lex.scan()
		switch t {
		case tokenEOF:
			if err := r.lex.failure(); err != nil {
				r.fail(err)
				return
			}
			r.judge()
			r.err = io.EOF
			return
		case tokenStart:
			if e, _ := lookup(r.lex.local()); e == feedback {
				r.fail(ErrTwoReports)
				return
			}
		default:
			if t != tokenEnd && isSpace(r.lex.text) {
				continue
			}
		}
		if !told {
			told = true
			r.warn(wAfter, "", "")
		}
	}
}
