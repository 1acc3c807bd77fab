package signing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gatepost-mail/gatepost/dkim"
)

const (
	maxState   = 1 << 20 // bytes of state.json
	maxKeys    = 500     // of a domain; a key a month fills it in forty years
	keepGone   = 100     // removed keys that are remembered, so that no selector is used twice
	maxProblem = 300     // characters
)

// ParseState reads a state.json. Nothing that it does not know gets past it: a state that is not understood is not acted on.
func ParseState(text []byte) (*Domain, error) {
	if len(text) > maxState {
		return nil, fmt.Errorf("larger than %d bytes: this is no state file", maxState)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	d := new(Domain)
	if err := decoder.Decode(d); err != nil {
		return nil, explainJSON(text, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: there is more behind the end", lineAt(text, decoder.InputOffset()))
	}
	return d, d.check()
}

func explainJSON(text []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("line %d: %v", lineAt(text, syntax.Offset), err)
	case errors.As(err, &kind) && kind.Field == "":
		return fmt.Errorf("line %d: a %s is in the wrong place", lineAt(text, kind.Offset), kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("line %d: %s cannot be a %s", lineAt(text, kind.Offset), kind.Field, kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the file ends early")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n"))
}

// check holds a state to what can be.
func (d *Domain) check() error {
	if name, err := DomainName(d.Name); err != nil || name != d.Name {
		return fmt.Errorf("domain %q: not a domain to sign for", d.Name)
	}
	if len(d.Keys) > maxKeys {
		return fmt.Errorf("%d keys; %d are the most", len(d.Keys), maxKeys)
	}
	seen := map[string]bool{}
	for i := range d.Keys {
		k := &d.Keys[i]
		if err := k.check(); err != nil {
			return fmt.Errorf("key %q: %w", k.Selector, err)
		}
		if seen[k.Selector] {
			return fmt.Errorf("key %q: it is there twice", k.Selector)
		}
		seen[k.Selector] = true
		k.Since, k.Created, k.Ready, k.Checked = tidy(k.Since), tidy(k.Created), tidy(k.Ready), tidy(k.Checked)
	}
	return nil
}

// tidy makes times that are read and times that are written compare as equal.
func tidy(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

func (k *Key) check() error {
	if name, err := SelectorName(k.Selector); err != nil || name != k.Selector {
		return errors.New("not a selector")
	}
	switch {
	case !slices.Contains(Algorithms, k.Algorithm):
		return fmt.Errorf("algorithm %q: there are rsa and ed25519", k.Algorithm)
	case !slices.Contains(states, k.State):
		return fmt.Errorf("state %q: no such state", k.State)
	case !slices.Contains([]Check{Unchecked, OK, Missing, Other, Several, NoKey, IsRevoked}, k.Check):
		return fmt.Errorf("check %q: no such result", k.Check)
	case k.File == "" && k.State != Removed:
		return errors.New("file: it is missing")
	case k.File != "" && (!isPlain(k.File) || k.File == stateName || k.File == lockName):
		return fmt.Errorf("file %q: not the name of a key file", k.File)
	case !sane(k.Since) || !sane(k.Created) || !k.Ready.IsZero() && !sane(k.Ready) || !k.Checked.IsZero() && !sane(k.Checked):
		return errors.New("a time is missing or cannot be")
	}
	if k.Record == "" && (k.State == Making || k.State == Removed) {
		return nil // never made, or given up before
	}
	public, err := dkim.ParseKey(k.Record)
	switch {
	case err != nil:
		return fmt.Errorf("record: %w", err)
	case public.Type != string(k.Algorithm):
		return fmt.Errorf("record: k=%s, but the algorithm is %s", public.Type, k.Algorithm)
	}
	return nil
}

// sane bounds times to years that RFC 3339 can write.
func sane(t time.Time) bool { return t.Year() >= 1970 && t.Year() <= 9000 }

// format writes what ParseState reads. The oldest of too many removed keys are left out.
func (d *Domain) format() ([]byte, error) {
	gone := 0
	for _, k := range d.Keys {
		if k.State == Removed && k.File == "" {
			gone++
		}
	}
	d.Keys = slices.DeleteFunc(d.Keys, func(k Key) bool {
		if gone <= keepGone || k.State != Removed || k.File != "" {
			return false
		}
		gone--
		return true
	})
	for i := range d.Keys {
		d.Keys[i].Problem = oneLine(d.Keys[i].Problem)
	}
	if d.Keys == nil {
		d.Keys = []Key{}
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// oneLine bounds a text and takes out of it what does not print: it may hold what a name server said.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > maxProblem {
		s = string(r[:maxProblem-1]) + "…"
	}
	return s
}
