package notice

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

//go:embed languages/*.toml
var shipped embed.FS

// base is the language whose messages all others have to have.
const base = "en"

// A file is a language as it is written down.
type file struct {
	Language string                       `toml:"language"`
	Text     map[string]string            `toml:"text"`
	Plural   map[string]map[string]string `toml:"plural"` // by "one", "other" and so on, as the first argument is
	Fault    map[string]map[string]string `toml:"fault"`  // title, what, why, advice
}

// messages are all of a file by their keys, the plural ones by each form.
func (f *file) messages() map[string]string {
	all := maps.Clone(f.Text)
	if all == nil {
		all = map[string]string{}
	}
	for name, s := range f.Fault {
		for key, text := range s {
			all["fault."+name+"."+key] = text
		}
	}
	for name, forms := range f.Plural {
		for form, text := range forms {
			all["plural."+name+"."+form] = text
		}
	}
	return all
}

// A Catalogue has the sentences of letters in several languages.
type Catalogue struct {
	builder   *catalog.Builder
	arguments map[string]int // how many a message takes, by its key
	tags      map[string]language.Tag
}

// Languages is the catalogue that comes with Gatepost.
var Languages = sync.OnceValue(func() *Catalogue {
	c, err := newCatalogue("", nil)
	if err != nil {
		panic(err) // a test reads it
	}
	return c
})

// Load adds the file of an administrator to the languages: another one, or other words for one of ours. The error is a
// [*tomlfile.Error], or that of reading the file.
func Load(path string) (*Catalogue, error) {
	if path == "" {
		return Languages(), nil
	}
	text, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return newCatalogue(path, text)
}

func newCatalogue(path string, own []byte) (*Catalogue, error) {
	entries, err := shipped.ReadDir("languages")
	if err != nil {
		return nil, err
	}
	files := map[string]*file{}
	for _, e := range entries {
		text, err := shipped.ReadFile("languages/" + e.Name())
		if err != nil {
			return nil, err
		}
		f, err := parse(e.Name(), text)
		if err != nil {
			return nil, err
		}
		files[f.Language] = f
	}
	if own != nil {
		f, err := parse(path, own)
		if err != nil {
			return nil, err
		}
		if err := complete(f, files[base]); err != nil {
			return nil, &tomlfile.Error{File: path, Err: err}
		}
		files[f.Language] = f
	}
	c := &Catalogue{builder: catalog.NewBuilder(catalog.Fallback(language.English)), arguments: map[string]int{}, tags: map[string]language.Tag{}}
	for key, text := range files[base].messages() {
		c.arguments[key] = slices.Max(append(places(text), 0))
	}
	for _, f := range files {
		if err := c.add(f); err != nil {
			return nil, &tomlfile.Error{File: cmp.Or(path, f.Language), Err: err}
		}
	}
	return c, nil
}

func parse(name string, text []byte) (*file, error) {
	f := new(file)
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(f)
	var wrong *toml.DecodeError
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict) && len(strict.Errors) > 0:
		wrong = &strict.Errors[0]
		err = fmt.Errorf("there is no key %q; there are language, text, plural and fault", strings.Join(wrong.Key(), "."))
	case errors.As(err, &wrong):
		err = errors.New(strings.TrimPrefix(wrong.Error(), "toml: "))
	case err != nil:
		return nil, &tomlfile.Error{File: name, Err: err}
	}
	if wrong != nil {
		line, column := wrong.Position()
		return nil, &tomlfile.Error{File: name, Line: line, Column: column, Err: err}
	}
	if _, err := language.Parse(f.Language); err != nil || f.Language == "" {
		return nil, &tomlfile.Error{File: name, Err: fmt.Errorf("language %q: write it as \"en\" or \"pt-BR\"", f.Language)}
	}
	return f, nil
}

// complete tells what a file lacks, or has that a letter cannot be made with.
func complete(f, of *file) error {
	want, have := of.messages(), f.messages()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		text, ok := have[key]
		if strings.HasPrefix(key, "plural.") && !strings.HasSuffix(key, ".other") {
			continue // each language has forms of its own
		}
		if !ok || strings.TrimSpace(text) == "" {
			return fmt.Errorf("%s is missing; in English it is %q", key, want[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		original, ok := want[key]
		if form, isPlural := strings.CutPrefix(key, "plural."); isPlural {
			name, word, _ := strings.Cut(form, ".")
			original, ok = want["plural."+name+".other"]
			if !slices.Contains([]string{"zero", "one", "two", "few", "many", "other"}, word) {
				return fmt.Errorf("%s: %q is no plural form; there are zero, one, two, few, many, other", key, word)
			}
		}
		switch {
		case !ok:
			return fmt.Errorf("%s: no letter says that", key)
		case strings.Contains(have[key], "${") || strings.Count(have[key], "%") != strings.Count(have[key], "%["):
			return fmt.Errorf("%s: a %% stands only before [1] and its like", key)
		case !slices.Equal(places(have[key]), places(original)):
			return fmt.Errorf("%s: it must have the same places to fill as in English: %q", key, original)
		}
	}
	return nil
}

// places are the numbers of what is put into a message, sorted, each once.
func places(text string) []int {
	all := []int{}
	for {
		_, rest, ok := strings.Cut(text, "%[")
		if !ok {
			slices.Sort(all)
			return slices.Compact(all)
		}
		number, after, _ := strings.Cut(rest, "]")
		if n, err := strconv.Atoi(number); err == nil {
			all = append(all, n)
		}
		text = after
	}
}

func (c *Catalogue) add(f *file) error {
	tag := language.Make(f.Language)
	c.tags[f.Language] = tag
	for key, text := range f.messages() {
		if strings.HasPrefix(key, "plural.") {
			continue
		}
		if err := c.builder.SetString(tag, key, text); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for name, forms := range f.Plural {
		var cases []any
		for _, form := range []string{"zero", "one", "two", "few", "many", "other"} {
			if text, ok := forms[form]; ok {
				cases = append(cases, form, text)
			}
		}
		if err := c.builder.Set(tag, "plural."+name, plural.Selectf(1, "%d", cases...)); err != nil {
			return fmt.Errorf("plural.%s: %w", name, err)
		}
		c.arguments["plural."+name] = max(1, c.arguments["plural."+name+".other"])
	}
	return nil
}

// Names are the languages that there are.
func (c *Catalogue) Names() []string { return slices.Sorted(maps.Keys(c.tags)) }

// Has tells whether there is a language.
func (c *Catalogue) Has(name string) bool {
	_, ok := c.tags[name]
	return ok
}

// A speaker says things in one language.
type speaker struct {
	*message.Printer
	catalogue *Catalogue
}

func (c *Catalogue) speaker(name string) speaker {
	tag, ok := c.tags[name]
	if !ok {
		tag = c.tags[base]
	}
	return speaker{message.NewPrinter(tag, message.Catalog(c.builder)), c}
}

// say gives a message with what is put into it; arguments that it has no place for are left out.
func (s speaker) say(key string, args ...any) string {
	return s.Sprintf(message.Key(key, key), args[:min(len(args), s.catalogue.arguments[key])]...)
}

// tlds are top-level domains whose people mostly read one language of ours.
var tlds = map[string]string{
	"de": "de", "at": "de", "li": "de", "berlin": "de", "hamburg": "de", "koeln": "de", "wien": "de", "bayern": "de", "gmbh": "de",
	"fr": "fr", "mc": "fr", "re": "fr", "gp": "fr", "mq": "fr", "nc": "fr", "pf": "fr", "paris": "fr", "bzh": "fr", "quebec": "fr",
	"sn": "fr", "ci": "fr", "es": "es", "mx": "es", "ar": "es", "cl": "es", "pe": "es", "uy": "es", "py": "es", "bo": "es", "ec": "es", "ve": "es",
	"cr": "es", "gt": "es", "hn": "es", "ni": "es", "pa": "es", "sv": "es", "do": "es", "cu": "es", "madrid": "es", "nl": "nl", "sr": "nl", "frl": "nl", "amsterdam": "nl",
	"vlaanderen": "nl", "pt": "pt", "br": "pt", "ao": "pt", "mz": "pt", "cv": "pt", "rio": "pt",
}

// LanguageOf guesses what the owner of a domain reads: its top-level domain may say so. English where it does not, as for be and ch,
// which have several.
func (c *Catalogue) LanguageOf(domain string) string {
	tld := domain[strings.LastIndexByte(domain, '.')+1:]
	if name, ok := tlds[tld]; ok && c.Has(name) {
		return name
	}
	if len(tld) == 2 && c.Has(tld) && !slices.Contains([]string{base, "de", "fr", "es", "nl", "pt"}, tld) {
		return tld // a language of an administrator's own that is called as its country
	}
	return base
}
