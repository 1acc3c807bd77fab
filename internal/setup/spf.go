package setup

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/spf"
)

// spf lets in who sends, and nobody else.
func (m *maker) spf() error {
	d := m.Domain
	r := Record{Change: publish.Change{Name: d, Type: "TXT"}, For: ForSPF, Why: "It names who sends for the domain, and that nobody else does."}
	if !m.a.Sends {
		r.Why = "It says that nobody sends for the domain."
	}
	f := m.present.at(d, "TXT")
	var texts []string
	for _, text := range f.values {
		if spf.IsRecord(text) {
			texts = append(texts, text)
		}
	}
	base := "v=spf1"
	if len(texts) > 0 {
		base, r.Old = texts[0], texts[0]
	}
	if !m.a.Sends {
		r.New = "v=spf1 -all"
	} else {
		text, err := m.senders(base, texts)
		if err != nil {
			return err
		}
		r.New = text
	}
	switch {
	case f.unknown != nil:
		r.Held = "what is there could not be looked at: " + f.unknown.Error()
	case f.alias != "":
		r.Held = "the name is an alias for " + f.alias + ", so that the record belongs there"
	}
	if r.Held != "" {
		r.Old = ""
	}
	m.add(r)
	for _, text := range texts[min(1, len(texts)):] {
		m.add(Record{Change: publish.Change{Name: d, Type: "TXT", Old: text}, For: ForSPF,
			Why: "Two records are an error, and none counts (RFC 7208 4.5): what it lets in stands in the other now."})
	}
	return nil
}

// senders adds to a record all that sends, and what the other records of the domain let in.
func (m *maker) senders(text string, texts []string) (string, error) {
	var terms []string
	for _, other := range texts[min(1, len(texts)):] {
		record, err := spf.Parse(other)
		if err != nil {
			return "", fmt.Errorf("%s has several SPF records, and one of them cannot be read: %w; make them one first", m.Domain, err)
		}
		for i := range record.Terms {
			if t := &record.Terms[i]; t.Qualifier != 0 && t.Kind != spf.KindAll {
				terms = append(terms, t.Text)
			}
		}
	}
	for _, s := range m.a.Servers {
		term, err := serverTerm(s)
		if err != nil {
			return "", err
		}
		terms = append(terms, term)
	}
	for _, s := range m.a.Services {
		service := m.table.Service(s.ID)
		for _, r := range s.records(service, m.Domain) {
			if r.For != ForSPF {
				continue
			}
			term := includeOf(r.Value)
			if len(braces(term)) > 0 { // what the record has without it is right as far as it goes
				m.note(fmt.Sprintf("%s: add %s to the SPF record, before its end, once you know what stands in braces.", service.Name, term))
				continue
			}
			terms = append(terms, term)
		}
	}
	fresh := text == "v=spf1"
	for _, term := range terms {
		next, err := spf.Add(text, term)
		if err != nil {
			return "", fmt.Errorf("the SPF record of %s: %w", m.Domain, err)
		}
		text = next
	}
	qualifier := byte('-')
	if m.a.Softfail {
		qualifier = '~'
	}
	next, err := spf.SetAll(text, qualifier)
	switch {
	case err == nil:
		if !fresh && next != text && qualifier == '-' {
			m.note("The SPF record ended otherwise until now. With -all, what it does not name is refused by many receivers before DMARC is looked at: see first that your reports hold no such source of yours.")
		}
		text = next
	case !strings.Contains(strings.ToLower(text), "redirect="):
		return "", fmt.Errorf("the SPF record of %s: %w", m.Domain, err)
	default:
		m.note("The SPF record leaves its end to another, by redirect=, and is left so.")
	}
	return text, nil
}

// includeOf is the include among the words of a service's advice.
func includeOf(advice string) string {
	for _, word := range strings.Fields(advice) {
		if strings.HasPrefix(word, "include:") {
			return word
		}
	}
	return ""
}
