package digest

import (
	"reflect"

	"github.com/gatepost-mail/gatepost/internal/outbox"
)

// A page is a letter before it is HTML or text. All that either says is in it.
type page struct {
	Subject string
	Preview string // what mail programs show beside the subject
	Title   string
	Period  string
	Blocks  []block
	Footer  string
	Link    string
}

// A block is a section of a page. Its members that are set are shown in the order of the struct.
type block struct {
	Heading string
	Stats   []stat
	Text    string
	Step    *step
	Trend   bool // the picture, or the bars
	Rows    []row
	Lines   []string
	More    string
}

// A stat is one number.
type stat struct {
	Label, Value, Note string
	Tone               tone // of the note
}

// A step is what to do next.
type step struct {
	Domain, Text            string
	Name, Type, Value, Docs string // of a record to publish
}

// A row is a source or a domain.
type row struct {
	Name   string
	Tag    string // "new"
	Domain string // where there are several
	Count  string
	Share  string
	Tone   tone // of the share
	Reason string
	Advice string
}

// A tone says how something is.
type tone string

// The tones.
const (
	plain tone = ""
	good  tone = "good"
	warn  tone = "warn"
	bad   tone = "bad"
)

// harmless cleans every text of a page. What strangers wrote is in many of them.
func (p *page) harmless() { cleanAll(reflect.ValueOf(p).Elem()) }

func cleanAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(clean(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			cleanAll(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanAll(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			cleanAll(v.Elem())
		}
	}
}

const longest = 1000

// clean is a text as a letter says it.
func clean(s string) string { return outbox.Plain(s, longest) }

// named is a name that a stranger chose: short, and no address that a mail program makes a link of.
func named(s string) string {
	const most = 60
	s = outbox.PlainName(s, most)
	if s == "" {
		return "(no name)"
	}
	return s
}
