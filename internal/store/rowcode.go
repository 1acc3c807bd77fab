package store

import (
	"encoding/binary"
	"errors"
	"strings"
)

// The bounds of what a record may bring, in elements; a reporter writes all of it.
const (
	maxReasons    = 16
	maxRowDKIM    = 16
	maxRowSPF     = 4
	maxMessages   = 1 << 32 // of a record: no sum of them can overflow
	chunkRows     = 2000
	chunkBytes    = 128 << 10
	maxChunkBytes = chunkBytes + 64<<10 // with the last row
)

// fields goes through the members in an order that never changes. New members are added at the end.
func (r *Row) fields(c *coder) {
	c.addr(&r.SourceIP)
	c.number(&r.Count)
	c.text(&r.Disposition, maxWord)
	c.text(&r.DKIM, maxWord)
	c.text(&r.SPF, maxWord)
	c.text(&r.HeaderFrom, maxDomain)
	c.text(&r.EnvelopeFrom, maxAddress)
	c.text(&r.EnvelopeTo, maxAddress)
	c.reasons(&r.Reasons)
	c.authDKIM(&r.AuthDKIM)
	c.authSPF(&r.AuthSPF)
}

func (c *coder) reasons(v *[]Reason) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxReasons)
	if c.reading {
		*v = list[Reason](n)
	}
	for i := range n {
		c.text(&(*v)[i].Type, maxWord)
		c.text(&(*v)[i].Comment, maxText)
	}
}

func (c *coder) authDKIM(v *[]AuthDKIM) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxRowDKIM)
	if c.reading {
		*v = list[AuthDKIM](n)
	}
	for i := range n {
		a := &(*v)[i]
		c.text(&a.Domain, maxDomain)
		c.text(&a.Selector, maxDomain)
		c.text(&a.Result, maxWord)
		c.text(&a.HumanResult, maxText)
	}
}

func (c *coder) authSPF(v *[]AuthSPF) {
	if c.done() {
		return
	}
	n := c.length(len(*v), maxRowSPF)
	if c.reading {
		*v = list[AuthSPF](n)
	}
	for i := range n {
		a := &(*v)[i]
		c.text(&a.Domain, maxDomain)
		c.text(&a.Scope, maxWord)
		c.text(&a.Result, maxWord)
		c.text(&a.HumanResult, maxText)
	}
}

// appendRow appends a row with its length in front, so that an older program can skip the members that it does not know.
func appendRow(b []byte, r *Row) []byte {
	count := min(max(r.Count, 0), maxMessages)
	bounded := *r
	bounded.Count = count
	start := len(b)
	c := coder{buf: append(b, 0, 0, 0)}
	bounded.fields(&c)
	// Three bytes hold every length that the bounds allow.
	n := uint(len(c.buf) - start - 3)
	c.buf[start], c.buf[start+1], c.buf[start+2] = byte(n), byte(n>>8), byte(n>>16)
	return c.buf
}

var errRow = errors.New("store: bytes that are no record of a report")

// cutRow reads the first row of b, and gives what follows it.
func cutRow(b []byte, r *Row) (rest []byte, err error) {
	if len(b) < 3 {
		return nil, errRow
	}
	n := int(b[0]) | int(b[1])<<8 | int(b[2])<<16
	if n > len(b)-3 {
		return nil, errRow
	}
	*r = Row{}
	c := coder{rest: string(b[3 : 3+n]), reading: true}
	r.fields(&c)
	if c.err != nil {
		return nil, errRow
	}
	return b[3+n:], nil
}

// A facet is all that makes a row but its source and its count.
type facet struct {
	HeaderFrom, EnvelopeFrom string
	DKIM, SPF, Disposition   string
	Auth                     facetAuth
}

type facetAuth struct {
	DKIM    []facetDKIM `json:"dkim,omitempty"`
	SPF     []facetSPF  `json:"spf,omitempty"`
	Reasons []string    `json:"reasons,omitempty"`
}

type facetDKIM struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Result   string `json:"result"`
}

type facetSPF struct {
	Domain string `json:"domain"`
	Scope  string `json:"scope"`
	Result string `json:"result"`
}

// appendFacet appends what facets differ in, of a row that is within bounds.
func appendFacet(b []byte, r *Row) []byte {
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	name := func(s string) { text(strings.ToLower(s)) }
	name(r.HeaderFrom)
	name(r.EnvelopeFrom)
	text(r.DKIM)
	text(r.SPF)
	text(r.Disposition)
	b = append(b, byte(len(r.Reasons)), byte(len(r.AuthDKIM)), byte(len(r.AuthSPF)))
	for i := range r.Reasons {
		text(r.Reasons[i].Type)
	}
	for i := range r.AuthDKIM {
		a := &r.AuthDKIM[i]
		name(a.Domain)
		text(a.Selector)
		text(a.Result)
	}
	for i := range r.AuthSPF {
		a := &r.AuthSPF[i]
		name(a.Domain)
		text(a.Scope)
		text(a.Result)
	}
	return b
}

func facetOf(r *Row) *facet {
	f := &facet{HeaderFrom: strings.ToLower(r.HeaderFrom), EnvelopeFrom: strings.ToLower(r.EnvelopeFrom), DKIM: r.DKIM, SPF: r.SPF,
		Disposition: r.Disposition}
	for _, a := range r.AuthDKIM {
		f.Auth.DKIM = append(f.Auth.DKIM, facetDKIM{strings.ToLower(a.Domain), a.Selector, a.Result})
	}
	for _, a := range r.AuthSPF {
		f.Auth.SPF = append(f.Auth.SPF, facetSPF{strings.ToLower(a.Domain), a.Scope, a.Result})
	}
	for _, a := range r.Reasons {
		f.Auth.Reasons = append(f.Auth.Reasons, a.Type)
	}
	return f
}
