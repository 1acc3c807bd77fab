package spf

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoTerm is what an edit wraps that is about a term which the record has not.
var ErrNoTerm = errors.New("the record has no such term")

// Add puts a term into a record: a mechanism behind the last one that stands before "all", a modifier at the end. The rest of the record
// stays as it is, byte for byte. A record that has the term where it is of use is given back unchanged.
//
//	spf.Add("v=spf1 mx -all", "include:_spf.example.net") // v=spf1 mx include:_spf.example.net -all
func Add(record, term string) (string, error) {
	r, t, err := editing(record, term)
	if err != nil {
		return "", fmt.Errorf("adding %s: %w", quote(term), err)
	}
	at := len(version)
	for i := range r.Terms {
		o := &r.Terms[i]
		if o.Same(t) {
			return record, nil
		}
		switch {
		case t.Kind == o.Kind && (t.Kind == KindAll || t.Kind == KindRedirect || t.Kind == KindExp):
			return "", fmt.Errorf("adding %s: the record has %s already", quote(term), quote(o.Text))
		case t.Qualifier == 0:
			at = o.Pos + len(o.Text)
		case o.Kind == KindAll:
			return record[:at] + " " + term + record[at:], nil
		case o.Qualifier != 0:
			at = o.Pos + len(o.Text)
		}
	}
	return record[:at] + " " + term + record[at:], nil
}

// Remove takes a term out of a record, wherever it stands and however it is written, and with it the spaces before it. The rest stays as
// it is, byte for byte. That there is none is an error that wraps [ErrNoTerm].
//
//	spf.Remove("v=spf1 +a ptr -all", "a") // v=spf1 ptr -all
func Remove(record, term string) (string, error) {
	r, t, err := editing(record, term)
	var wrong *SyntaxError
	if errors.As(err, &wrong) && r != nil && len(strings.Fields(term)) == 1 { // what is wrong is to be taken out as it is written
		t, err = &Term{Text: term, Err: wrong}, nil
	}
	if err != nil {
		return "", fmt.Errorf("removing %s: %w", quote(term), err)
	}
	var b strings.Builder
	from, end, found := 0, len(version), false
	for i := range r.Terms {
		o := &r.Terms[i]
		if o.Same(t) {
			b.WriteString(record[from:end])
			from, found = o.Pos+len(o.Text), true
		}
		end = o.Pos + len(o.Text)
	}
	if !found {
		return "", fmt.Errorf("removing %s: %w", quote(term), ErrNoTerm)
	}
	b.WriteString(record[from:])
	return b.String(), nil
}

// SetAll makes a record end in "all" with a qualifier, one of '+', '-', '~' and '?': the first that is there is changed, and where none is,
// one is put behind the last mechanism. A record that leaves the end to another, by redirect=, is not changed but refused, since "all" would
// cut that one off (RFC 7208 6.1).
//
//	spf.SetAll("v=spf1 mx ~all", '-') // v=spf1 mx -all
func SetAll(record string, qualifier byte) (string, error) {
	all := string(qualifier) + "all"
	r, _, err := editing(record, all)
	if err != nil {
		return "", fmt.Errorf("setting all: %w", err)
	}
	redirect := ""
	for i := range r.Terms {
		switch o := &r.Terms[i]; o.Kind {
		case KindAll:
			if o.Qualifier == qualifier {
				return record, nil
			}
			name := o.Text[qualifierLen(o.Text):]
			return record[:o.Pos] + string(qualifier) + name + record[o.Pos+len(o.Text):], nil
		case KindRedirect:
			redirect = o.Text
		}
	}
	if redirect != "" {
		return "", fmt.Errorf("setting all: the record leaves that to %s", quote(redirect))
	}
	return Add(record, all)
}

// editing parses a record, whose faults do not matter to an edit, and a term, which is to have none.
func editing(record, term string) (*Record, *Term, error) {
	r, err := Parse(record)
	if r == nil {
		return nil, nil, err
	}
	t, err := ParseTerm(term)
	return r, t, err
}

// ParseTerm takes a single term apart.
func ParseTerm(term string) (*Term, error) {
	if term == "" || strings.IndexByte(term, ' ') >= 0 {
		return nil, fmt.Errorf("%s is not one term", quote(term))
	}
	r, err := Parse(version + " " + term)
	if err != nil {
		return nil, err
	}
	t := r.Terms[0]
	t.Pos, t.Text = 0, term
	return &t, nil
}

// Same tells whether two terms are one, however they are written. Names of domains have no case; macros have (RFC 7208 7.3).
func (t *Term) Same(o *Term) bool {
	if t.Err != nil || o.Err != nil {
		return t.Text == o.Text
	}
	if t.Kind != o.Kind || t.Qualifier != o.Qualifier || t.Prefix != o.Prefix || t.Bits4 != o.Bits4 || t.Bits6 != o.Bits6 {
		return false
	}
	switch {
	case t.Kind == KindModifier:
		return strings.EqualFold(t.Name(), o.Name()) && t.DomainSpec == o.DomainSpec
	case strings.IndexByte(t.DomainSpec, '%') >= 0:
		return t.DomainSpec == o.DomainSpec
	}
	return strings.EqualFold(strings.TrimSuffix(t.DomainSpec, "."), strings.TrimSuffix(o.DomainSpec, "."))
}
