package dkim

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// maxFields bounds the fields that are tried one by one.
const maxFields = 100

// single gives the changes that come alone.
func (d *diagnosis) single() []change {
	var changes []change
	for _, at := range d.picked[:min(len(d.picked), maxFields)] {
		f := d.header[at]
		changes = append(changes, change{fmt.Sprintf("without the field %s, which was added in transit", named(f)), []edit{{at: at}}})
		if d.missing(f.Name) {
			changes = append(changes, change{fmt.Sprintf("with the field %s twice, one of which was taken out in transit", named(f)), []edit{{at, 2, f}}})
		}
	}
	changes = append(changes, d.words()...)
	changes = append(changes, d.encodings()...)
	if d.sig.Canonicalization.Header == Simple {
		changes = append(changes, d.folds()...)
	}
	return changes
}

func named(f message.Field) string { return quoteName(f.Name) }

// missing tells whether h= names a field more often than it is there.
func (d *diagnosis) missing(name string) bool {
	signed := 0
	for _, n := range d.sig.Headers {
		if strings.EqualFold(n, name) {
			signed++
		}
	}
	return signed > d.header.Count(name)
}

// words tries fields with their encoded words decoded (RFC 2047): a relay that cannot do SMTPUTF8 encodes them.
func (d *diagnosis) words() []change {
	decoder := new(mime.WordDecoder)
	all := change{said: "with its encoded words as UTF-8: they were encoded in transit"}
	for _, at := range d.picked {
		f := d.header[at]
		if !strings.Contains(f.Raw, "=?") {
			continue
		}
		if text, err := decoder.DecodeHeader(unfold(f.Value())); err == nil {
			all.edits = append(all.edits, edit{at, 1, message.NewField(f.Name, text)})
		}
	}
	changes := made(all)
	if len(all.edits) > 1 {
		for _, e := range all.edits[:min(len(all.edits), maxFields)] {
			changes = append(changes, change{fmt.Sprintf("with the field %s as UTF-8: it was encoded in transit", named(e.field)), []edit{e}})
		}
	}
	return changes
}

// encodings tries what a relay may have made another encoding of the body from.
func (d *diagnosis) encodings() []change {
	var changes []change
	for _, at := range d.picked {
		f := d.header[at]
		if !f.Is("Content-Transfer-Encoding") {
			continue
		}
		for _, encoding := range []string{"7bit", "8bit", "quoted-printable", "base64", "binary"} {
			changes = append(changes, change{
				fmt.Sprintf("with %s %s: it was changed in transit", named(f), quote(encoding)), []edit{{at, 1, message.NewField(f.Name, " "+encoding)}},
			})
		}
	}
	return changes
}

// folds tries fields as they may have been before a relay folded them anew, which only a simple signature minds.
func (d *diagnosis) folds() []change {
	var changes []change
	for _, m := range []struct {
		said string
		mend func(string) string
	}{
		{"on one line", unfold},
		{"on one line with single spaces", func(s string) string { return " " + strings.Join(strings.Fields(s), " ") }},
	} {
		all := change{said: "with its fields " + m.said + ": they were folded anew in transit"}
		for _, at := range d.picked {
			f := d.header[at]
			if value := m.mend(f.Value()); value != f.Value() {
				e := edit{at, 1, message.NewField(f.Name, value)}
				all.edits = append(all.edits, e)
				if len(changes) < maxFields {
					changes = append(changes, change{fmt.Sprintf("with the field %s %s: it was folded anew in transit", named(f), m.said), []edit{e}})
				}
			}
		}
		changes = append(changes, made(all)...)
	}
	return changes
}

func unfold(s string) string { return strings.ReplaceAll(s, "\r\n", "") }

// listFields are what a mailing list puts into a message, beside those that begin with List-.
var listFields = []string{"sender", "precedence", "errors-to", "mailing-list", "x-mailing-list", "x-beenthere", "archived-at"}

// together gives the changes that a list makes together with those of Subject and From.
func (d *diagnosis) together() []change {
	var added, answers change
	var names []string
	for _, at := range d.picked {
		f := d.header[at]
		lower := strings.ToLower(f.Name)
		switch {
		case lower == "reply-to":
			answers = change{"without the field Reply-To, which was added in transit", []edit{{at: at}}}
		case strings.HasPrefix(lower, "list-") || slices.Contains(listFields, lower):
			added.edits = append(added.edits, edit{at: at})
			if len(names) < 10 && !slices.Contains(names, named(f)) {
				names = append(names, named(f))
			}
		}
	}
	added.said = fmt.Sprintf("without %s, added in transit", list(names))
	both := change{
		fmt.Sprintf("without %s, added in transit", list(append([]string{"Reply-To"}, names...))), append(slices.Clone(added.edits), answers.edits...),
	}
	changes := made(added, answers)
	if len(changes) == 2 {
		changes = append(changes, both)
	}
	if wrapped := d.wrapped(); len(wrapped.edits) > 0 {
		changes = append(changes, wrapped)
		for _, c := range changes[:len(changes)-1] {
			changes = append(changes, change{wrapped.said + "; and " + c.said, append(slices.Clone(c.edits), wrapped.edits...)})
		}
	}
	return changes
}

// wrapped takes the content fields from the first part of the body: a list that adds a footer to a message of one part moves them there.
func (d *diagnosis) wrapped() change {
	text := d.body[:min(len(d.body), 64<<10)]
	start := partStart(text)
	if start < 0 {
		return change{}
	}
	part := message.Header(splitFields(string(text[len(firstLine(text))+2 : start-2])))
	c := change{said: "with the content fields of the first part: the message was wrapped in a multipart message in transit"}
	for _, at := range d.picked {
		f := d.header[at]
		if !strings.HasPrefix(strings.ToLower(f.Name), "content-") {
			continue
		}
		e := edit{at: at}
		if inner, ok := part.First(f.Name); ok {
			e = edit{at, 1, message.NewField(f.Name, inner.Value())}
		}
		c.edits = append(c.edits, e)
	}
	return c
}

// splitFields cuts the header of a part, whose lines end in CRLF, into its fields.
func splitFields(header string) []message.Field {
	const most = 50
	var fields []message.Field
	for line := range strings.SplitSeq(strings.TrimSuffix(header, "\r\n"), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		switch last := len(fields) - 1; {
		case len(fields) == most:
			return fields
		case last >= 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")):
			fields[last] = message.NewField(fields[last].Name, fields[last].Value()+"\r\n"+line)
		case ok && isFieldName(name):
			fields = append(fields, message.NewField(name, value))
		}
	}
	return fields
}
