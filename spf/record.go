package spf

import (
	"net/netip"
	"strconv"
	"strings"
)

// A Record is an SPF record taken apart.
type Record struct {
	Text  string // as published
	Terms []Term // in the order of the record, those with errors too
}

// A Term is one directive or modifier of a record (RFC 7208 4.6.1). It stands at Record.Text[Pos:Pos+len(Text)].
type Term struct {
	Text string // as written
	Pos  int    // where in the record, in bytes

	DomainSpec string       // the domain-spec, macros and all, empty if there is none; the value of an unknown modifier
	Prefix     netip.Prefix // of ip4 and ip6
	Err        *SyntaxError // what is wrong with the term; the members after Kind may then be incomplete

	Kind      Kind
	Qualifier byte  // '+', '-', '~' or '?', '+' where none is written; 0 for a modifier
	Bits4     uint8 // the prefix lengths of a and mx: 32 and 128 where none is written
	Bits6     uint8
}

// A Kind says which mechanism or modifier a term is.
type Kind uint8

// The mechanisms (RFC 7208 5) and modifiers (6).
const (
	KindInvalid Kind = iota // no mechanism of this name exists
	KindAll
	KindInclude
	KindA
	KindMX
	KindPTR
	KindIP4
	KindIP6
	KindExists
	KindRedirect
	KindExp
	KindModifier // a modifier that RFC 7208 does not know, and ignores
)

// String is the name of the term in lower case.
func (k Kind) String() string {
	switch k {
	case KindAll:
		return "all"
	case KindInclude:
		return "include"
	case KindA:
		return "a"
	case KindMX:
		return "mx"
	case KindPTR:
		return "ptr"
	case KindIP4:
		return "ip4"
	case KindIP6:
		return "ip6"
	case KindExists:
		return "exists"
	case KindRedirect:
		return "redirect"
	case KindExp:
		return "exp"
	case KindModifier:
		return "unknown modifier"
	}
	return "invalid"
}

// AsksDNS tells whether the term counts toward the limit of ten (RFC 7208 4.6.4).
func (k Kind) AsksDNS() bool {
	switch k {
	case KindInclude, KindA, KindMX, KindPTR, KindExists, KindRedirect:
		return true
	}
	return false
}

// Name is the name of the mechanism or modifier as written, also of one that does not exist.
func (t *Term) Name() string {
	name := t.Text
	if t.Qualifier != 0 {
		name = name[qualifierLen(name):]
		return name[:nameLen(name)]
	}
	name, _, _ = strings.Cut(name, "=")
	return name
}

// Result is what the term makes of a client that it matches (RFC 7208 4.6.2); empty for a modifier.
func (t *Term) Result() Code {
	switch t.Qualifier {
	case '+':
		return Pass
	case '-':
		return Fail
	case '~':
		return SoftFail
	case '?':
		return Neutral
	}
	return ""
}

// String is the term without what goes without saying: names in lower case, no "+", no full prefix length. A term with an error
// is as written.
func (t *Term) String() string {
	if t.Err != nil {
		return t.Text
	}
	switch t.Kind {
	case KindModifier:
		return t.Name() + "=" + t.DomainSpec
	case KindRedirect, KindExp:
		return t.Kind.String() + "=" + t.DomainSpec
	}
	var b strings.Builder
	if t.Qualifier != '+' {
		b.WriteByte(t.Qualifier)
	}
	b.WriteString(t.Kind.String())
	switch t.Kind {
	case KindIP4, KindIP6:
		b.WriteByte(':')
		b.WriteString(t.Prefix.Addr().String())
		if t.Prefix.Bits() != t.Prefix.Addr().BitLen() {
			b.WriteByte('/')
			b.WriteString(strconv.Itoa(t.Prefix.Bits()))
		}
		return b.String()
	}
	if t.DomainSpec != "" {
		b.WriteByte(':')
		b.WriteString(t.DomainSpec)
	}
	if t.Kind == KindA || t.Kind == KindMX {
		if t.Bits4 != 32 {
			b.WriteString("/" + strconv.Itoa(int(t.Bits4)))
		}
		if t.Bits6 != 128 {
			b.WriteString("//" + strconv.Itoa(int(t.Bits6)))
		}
	}
	return b.String()
}

// String is the record with its terms as [Term.String] writes them, one space apart.
func (r *Record) String() string {
	var b strings.Builder
	b.WriteString(version)
	for i := range r.Terms {
		b.WriteByte(' ')
		b.WriteString(r.Terms[i].String())
	}
	return b.String()
}
