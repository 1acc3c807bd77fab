package policy

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

// maxRules are those of one file.
const maxRules = 500

// An Error says what is wrong with a file, and where.
type Error = tomlfile.Error

// Named gives a preset, or reads the file: a name with a slash, a backslash or a dot in it is a file's.
func Named(nameOrFile string) (*Policy, error) {
	if strings.ContainsAny(nameOrFile, `/\.`) {
		return Load(nameOrFile)
	}
	p, err := Preset(nameOrFile)
	if err != nil {
		if _, statErr := os.Stat(nameOrFile); statErr == nil {
			return Load(nameOrFile)
		}
	}
	return p, err
}

// Load reads a file. The error is an [*Error], or that of reading it.
func Load(path string) (*Policy, error) {
	text, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// A file is a policy as written.
type file struct {
	Rules []written `toml:"rule"`
	Then  string    `toml:"then"` // a preset, whose rules follow
}

// A written rule is one as it stands in a file.
type written struct {
	Name     string `toml:"name"`
	When     string `toml:"when"`
	Action   Action `toml:"action"`
	Reply    string `toml:"reply"`
	Reason   string `toml:"reason"`
	Mode     string `toml:"mode"`
	Field    string `toml:"field"`
	Value    string `toml:"value"`
	Hold     string `toml:"quarantine"`
	Redirect string `toml:"redirect"`
}

// Parse reads the text of a file of this name.
func Parse(name string, text []byte) (*Policy, error) {
	var f file
	if err := decode(name, text, &f); err != nil {
		return nil, err
	}
	d := &document{name: name, text: text}
	if len(f.Rules) == 0 && f.Then == "" {
		return nil, d.fail("", 0, errors.New(`there is no rule in it; write one as [[rule]] with name, when and action, or then = "strict"`))
	}
	if len(f.Rules) > maxRules {
		return nil, d.fail("rule", maxRules, fmt.Errorf("more than %d rules", maxRules))
	}
	d.locate()
	p := &Policy{Name: name}
	for i := range f.Rules {
		r, err := d.rule(i, &f.Rules[i])
		if err != nil {
			return nil, err
		}
		p.rules = append(p.rules, *r)
	}
	if f.Then != "" {
		rest, err := Preset(f.Then)
		if err != nil {
			return nil, d.failKey(-1, "then", err)
		}
		p.rules = append(p.rules, rest.rules...)
	}
	return p, nil
}

// decode reads TOML strictly, and says in our words what is wrong with it.
func decode(name string, text []byte, into any) error {
	if len(text) > tomlfile.MaxBytes {
		return &Error{File: name, Err: fmt.Errorf("larger than %d bytes: this is no such file", tomlfile.MaxBytes)}
	}
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(into)
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &missing) && len(missing.Errors) > 0:
		wrong = &missing.Errors[0]
		err = unknownKey(wrong.Key(), keysOf(into))
	case errors.As(err, &wrong):
		message := strings.TrimPrefix(wrong.Error(), "toml: ")
		if rest, ok := strings.CutPrefix(message, "cannot decode TOML "); ok {
			kind, _, _ := strings.Cut(rest, " into")
			message = fmt.Sprintf("%s: the value is of the wrong kind: %s", strings.Join(wrong.Key(), "."), kind)
		}
		err = errors.New(plainly(message))
	default:
		return &Error{File: name, Err: errors.New(plainly(strings.TrimPrefix(err.Error(), "toml: ")))}
	}
	l, c := wrong.Position()
	return &Error{File: name, Line: l, Column: c, Err: err}
}

// unknownKey names the part of a dotted key that there is not.
func unknownKey(key, known []string) error {
	word := ""
	for _, part := range key {
		if word = part; !slices.Contains(known, part) {
			break
		}
	}
	if guess := nearest.Word(word, known); guess != "" && guess != word {
		return fmt.Errorf("%s: no such key; did you mean %s?", clipped(word), guess)
	}
	return fmt.Errorf("%s: no such key here; there are %s", clipped(word), strings.Join(known, ", "))
}
