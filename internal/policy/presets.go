package policy

import (
	"embed"
	"fmt"
	"strings"
	"sync"
)

// The presets are policies like those that an administrator writes.
//
//go:embed presets/*.toml
var presets embed.FS

// Names are the presets, the most lenient first.
func Names() []string { return []string{"standard", "strict", "lockdown"} }

// Source is the text of a preset.
func Source(name string) ([]byte, error) {
	for _, known := range Names() {
		if name == known {
			return presets.ReadFile("presets/" + name + ".toml")
		}
	}
	return nil, fmt.Errorf("policy %q: no such preset; there are %s", name, strings.Join(Names(), ", "))
}

var compiled sync.Map // of *Policy, by the preset's name: compiling takes milliseconds

// Preset gives the policy of that name.
func Preset(name string) (*Policy, error) {
	if p, ok := compiled.Load(name); ok {
		return p.(*Policy), nil
	}
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	p, err := Parse(name, text)
	if err != nil {
		return nil, err
	}
	actual, _ := compiled.LoadOrStore(name, p)
	return actual.(*Policy), nil
}

// About says in a line what a preset does: what its text begins with.
func About(name string) string {
	text, err := Source(name)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), "\n")
	_, about, _ := strings.Cut(first, ": ")
	return about
}
