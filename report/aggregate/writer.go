package aggregate

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// A Standard is one that reports are written by.
type Standard int

// The standards. RFC 9990 is the one in force; some consumers of reports know only the older.
const (
	RFC9990 Standard = iota
	RFC7489          // appendix C; without a namespace, as nearly all of its reporters write
)

// String gives the standard's name.
func (s Standard) String() string {
	if s == RFC7489 {
		return "RFC 7489"
	}
	return "RFC 9990"
}

// maxSignatures is how many a record should have at most (RFC 9990 3.1.3).
const maxSignatures = 100

// A Writer writes one report as its records come.
//
// What the standard has no place for is left out: by RFC 9990, pct, any SPF result but the first of MAIL FROM, errors beyond the first
// (which are joined with it), signatures beyond the hundredth; by RFC 7489, np, testing, the discovery method, the generator,
// extensions and SPF's human result. What the other standard says in another way is said in this one's: a disposition of pass is none
// by RFC 7489, and a reason that only the other knows is other, with a comment. What is required and missing, and a word that the
// standard does not have, is an error: such a report would be of no use to whom it is for.
type Writer struct {
	w        io.Writer
	standard Standard
	b        []byte
	records  int
	err      error // sticky
}

// ErrNoRecords is returned for a report without a record: the standards know none.
var ErrNoRecords = errors.New("aggregate: a report has at least one record")

// NewWriter begins a report. Version and Namespace of f are the standard's own whatever f says; an sp, pct or fo that RFC 7489 requires
// and f does not have is what its absence from the record means: p's value, 100 and 0.
func NewWriter(w io.Writer, f Feedback, s Standard) (*Writer, error) {
	x := &Writer{w: w, standard: s}
	x.b = append(x.b, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"...)
	if s == RFC9990 {
		x.b = append(x.b, `<feedback xmlns="`+Namespace9990+`">`+"\n"...)
	} else {
		x.b = append(x.b, "<feedback>\n"...)
	}
	x.leaf(1, "version", "1.0")
	x.metadata(&f)
	x.policy(f.Policy)
	if s == RFC9990 && slices.ContainsFunc(f.Extensions, func(e Extension) bool { return e.Namespace != "" }) {
		x.open(1, "extension")
		x.extensions(2, f.Extensions)
		x.shut(1, "extension")
	}
	if x.err != nil {
		return nil, fmt.Errorf("aggregate: %w", x.err)
	}
	return x, nil
}

// metadata writes who reports (RFC 9990 3.1.1.3).
func (x *Writer) metadata(f *Feedback) {
	x.open(1, "report_metadata")
	x.required(2, "org_name", f.OrgName)
	x.required(2, "email", f.Email)
	x.optional(2, "extra_contact_info", f.ExtraContact)
	x.required(2, "report_id", f.ReportID)
	if f.Begin.Unix() <= 0 || f.End.Before(f.Begin) {
		x.fail(fmt.Errorf("a period from %v to %v", f.Begin, f.End))
	}
	x.open(2, "date_range")
	x.leaf(3, "begin", strconv.FormatInt(f.Begin.Unix(), 10))
	x.leaf(3, "end", strconv.FormatInt(f.End.Unix(), 10))
	x.shut(2, "date_range")
	if x.standard == RFC9990 {
		x.optional(2, "error", strings.Join(f.Errors, "; "))
		x.optional(2, "generator", f.Generator)
	} else {
		for _, e := range f.Errors {
			x.optional(2, "error", e)
		}
	}
	x.shut(1, "report_metadata")
}

// policy writes the policy found (RFC 9990 3.1.1.5).
func (x *Writer) policy(p Policy) {
	x.open(1, "policy_published")
	x.required(2, "domain", p.Domain)
	if x.standard == RFC9990 {
		x.oneOf(2, "discovery_method", p.DiscoveryMethod, discoveries, true)
		x.oneOf(2, "p", p.P, policies, false)
		x.oneOf(2, "sp", p.SP, policies, true)
		x.oneOf(2, "np", p.NP, policies, true)
		x.optional(2, "fo", p.FO)
		x.oneOf(2, "adkim", p.ADKIM, alignments, true)
		x.oneOf(2, "aspf", p.ASPF, alignments, true)
		x.oneOf(2, "testing", p.Testing, yesNo, true)
	} else {
		x.oneOf(2, "adkim", p.ADKIM, alignments, true)
		x.oneOf(2, "aspf", p.ASPF, alignments, true)
		x.oneOf(2, "p", p.P, policies, false)
		x.oneOf(2, "sp", or(p.SP, p.P), policies, false)
		pct := or(p.Pct, "100")
		if n, err := strconv.Atoi(pct); err != nil || n < 0 || n > 100 {
			x.fail(fmt.Errorf("pct %q: 0 to 100", pct))
		}
		x.leaf(2, "pct", pct)
		x.leaf(2, "fo", or(p.FO, "0"))
	}
	x.shut(1, "policy_published")
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// Write writes a record. One that it refuses is not in the report, which can go on without it.
func (x *Writer) Write(r *Record) error {
	if x.err != nil {
		return x.err
	}
	if len(x.b) > 0 { // the head, or what could not be written before
		if err := x.flush(); err != nil {
			return err
		}
	}
	x.record(r)
	if err := x.err; err != nil {
		x.b, x.err = x.b[:0], nil
		return fmt.Errorf("aggregate: record %d: %w", x.records+1, err)
	}
	x.records++
	return x.flush()
}

func (x *Writer) flush() error {
	_, err := x.w.Write(x.b)
	x.b = x.b[:0]
	x.err = err
	return err
}

// Close ends the report. It does not close what the report is written to.
func (x *Writer) Close() error {
	if x.err != nil {
		return x.err
	}
	if x.records == 0 {
		return ErrNoRecords
	}
	x.b = append(x.b, "</feedback>\n"...)
	if err := x.flush(); err != nil {
		return err
	}
	x.err = errors.New("aggregate: the report is closed")
	return nil
}

// record writes one (RFC 9990 3.1.1.7).
func (x *Writer) record(r *Record) {
	x.open(1, "record")
	x.open(2, "row")
	ip := r.SourceIP.Unmap().WithZone("")
	switch {
	case !ip.IsValid():
		x.fail(errors.New("no source_ip"))
	case x.standard == RFC7489: // its schema does not know ::
		x.leaf(3, "source_ip", ip.StringExpanded())
	default:
		x.leaf(3, "source_ip", ip.String())
	}
	if r.Count < 1 || r.Count > MaxCount {
		x.fail(fmt.Errorf("count %d: a record is of at least one message and at most %d", r.Count, int64(MaxCount)))
	}
	x.leaf(3, "count", strconv.FormatInt(r.Count, 10))
	x.evaluated(r)
	x.shut(2, "row")
	x.open(2, "identifiers")
	x.required(3, "header_from", r.HeaderFrom)
	x.leaf(3, "envelope_from", r.EnvelopeFrom) // empty: the null reverse-path
	x.optional(3, "envelope_to", r.EnvelopeTo)
	x.shut(2, "identifiers")
	x.auth(&r.Auth)
	if x.standard == RFC9990 {
		x.extensions(2, r.Extensions)
	}
	x.shut(1, "record")
}

// evaluated writes what DMARC made of the messages (RFC 9990 3.1.1.9).
func (x *Writer) evaluated(r *Record) {
	x.open(3, "policy_evaluated")
	done := r.Disposition
	if x.standard == RFC7489 && done == "pass" {
		done = "none"
	}
	x.oneOf(4, "disposition", done, dispositions, false)
	x.oneOf(4, "dkim", r.DKIM, evaluated, false)
	x.oneOf(4, "spf", r.SPF, evaluated, false)
	for _, why := range r.Reasons {
		if x.standard == RFC9990 && (why.Type == "forwarded" || why.Type == "sampled_out") ||
			x.standard == RFC7489 && why.Type == "policy_test_mode" {
			why = Reason{"other", strings.TrimSuffix(why.Type+": "+why.Comment, ": ")}
		}
		x.open(4, "reason")
		x.oneOf(5, "type", why.Type, reasonTypes, false)
		x.optional(5, "comment", why.Comment)
		x.shut(4, "reason")
	}
	x.shut(3, "policy_evaluated")
}

// auth writes what DKIM and SPF said (RFC 9990 3.1.1.11).
func (x *Writer) auth(a *Auth) {
	x.open(2, "auth_results")
	for i := range a.DKIM[:min(len(a.DKIM), maxSignatures)] {
		d := &a.DKIM[i]
		x.open(3, "dkim")
		x.required(4, "domain", d.Domain)
		if x.standard == RFC9990 {
			x.leaf(4, "selector", d.Selector)
		} else {
			x.optional(4, "selector", d.Selector)
		}
		x.oneOf(4, "result", d.Result, dkimResults, false)
		x.optional(4, "human_result", d.HumanResult)
		x.shut(3, "dkim")
	}
	written := 0
	for i := range a.SPF {
		s := &a.SPF[i]
		if x.standard == RFC9990 && (written > 0 || s.Scope == "helo") {
			continue
		}
		written++
		x.open(3, "spf")
		x.required(4, "domain", s.Domain)
		switch {
		case x.standard == RFC7489:
			x.oneOf(4, "scope", or(s.Scope, "mfrom"), scopes, false)
		default:
			x.oneOf(4, "scope", s.Scope, scopes, true)
		}
		if x.standard == RFC7489 && s.Result == "policy" {
			x.fail(errors.New(`spf result "policy": RFC 7489 does not have it`))
		}
		x.oneOf(4, "result", s.Result, spfResults, false)
		if x.standard == RFC9990 {
			x.optional(4, "human_result", s.HumanResult)
		}
		x.shut(3, "spf")
	}
	if x.standard == RFC7489 && written == 0 {
		x.fail(errors.New("no SPF result: RFC 7489 requires one"))
	}
	x.shut(2, "auth_results")
}

// extensions writes those that have a namespace (RFC 9990 5).
func (x *Writer) extensions(depth int, all []Extension) {
	for _, e := range all {
		if e.Namespace == "" {
			continue
		}
		if err := wellFormed(e); err != nil {
			x.fail(fmt.Errorf("extension %s: %w", e.Name, err))
		}
		x.indent(depth)
		x.b = append(append(x.b, e.XML...), '\n')
	}
}

// wellFormed tells whether an extension is what it says, and nothing else: one element of its namespace.
func wellFormed(e Extension) error {
	d := xml.NewDecoder(strings.NewReader(e.XML))
	depth, elements := 0, 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				if elements++; elements > 1 || t.Name.Space != e.Namespace || t.Name.Local != e.Name {
					return errors.New("it is not the one element that it is called")
				}
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.Directive, xml.ProcInst:
			return errors.New("it holds what belongs before a document")
		case xml.CharData:
			if depth == 0 && !isSpace(t) {
				return errors.New("text beside the element")
			}
		}
	}
	if elements == 0 {
		return errors.New("no element")
	}
	return nil
}

func (x *Writer) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

func (x *Writer) indent(depth int) {
	x.b = append(x.b, "            "[:2*depth]...)
}

func (x *Writer) open(depth int, name string) {
	x.indent(depth)
	x.b = append(append(append(x.b, '<'), name...), '>', '\n')
}

func (x *Writer) shut(depth int, name string) {
	x.indent(depth)
	x.b = append(append(append(x.b, '<', '/'), name...), '>', '\n')
}

// leaf writes an element that holds a value.
func (x *Writer) leaf(depth int, name, value string) {
	x.indent(depth)
	x.b = append(append(append(x.b, '<'), name...), '>')
	x.b = appendEscaped(x.b, strings.TrimFunc(value, isBlank))
	x.b = append(append(append(x.b, '<', '/'), name...), '>', '\n')
}

// isBlank tells whether a character is nothing at either end of a value.
func isBlank(c rune) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || !isChar(c) }

func (x *Writer) optional(depth int, name, value string) {
	if strings.TrimFunc(value, isBlank) != "" {
		x.leaf(depth, name, value)
	}
}

func (x *Writer) required(depth int, name, value string) {
	if strings.TrimFunc(value, isBlank) == "" {
		x.fail(fmt.Errorf("no %s: %v requires it", name, x.standard))
	}
	x.leaf(depth, name, value)
}

// oneOf writes a word.
func (x *Writer) oneOf(depth int, name, value string, v vocabulary, optional bool) {
	switch {
	case value == "" && optional:
		return
	case v([]byte(value)) == "":
		x.fail(fmt.Errorf("%s %q: %v does not have it", name, value, x.standard))
	}
	x.leaf(depth, name, value)
}
