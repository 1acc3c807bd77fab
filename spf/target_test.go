package spf

import (
	"errors"
	"testing"
)

func TestTargetIsKnownWithoutAMessageWhereMacrosNameDomainsOnly(t *testing.T) {
	for _, c := range []struct {
		term, want string
		err        error
	}{
		{"a", "inner.example.net", nil},
		{"include:_SPF.Example.org.", "_spf.example.org", nil},
		{"include:%{d}._spf.example.org", "inner.example.net._spf.example.org", nil},
		{"exists:%{o1r}.%%.example.org", "example.%.example.org", nil},
		{"include:%{i}._spf.example.org", "", ErrMacro},
		{"exists:%{L}.example.org", "", ErrMacro},
		{"redirect=%{d1}", "", ErrTarget},
		{"include:a..example.org", "", ErrTarget},
	} {
		term, err := ParseTerm(c.term)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := term.Target("inner.example.net", "example.com"); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", c.term, got, err, c.want, c.err)
		}
	}
}

func TestUsesFindsAMacroInEitherCase(t *testing.T) {
	for spec, want := range map[string]bool{"a:%{p}.example.com": true, "a:%%{p}.example.com": false, "a:%{d}.%{P2r-}.example.com": true, "a:%{d}.p.example.com": false} {
		term, _ := ParseTerm(spec)
		if term == nil {
			term = &Term{DomainSpec: spec[2:]}
		}
		if got := term.Uses('p'); got != want {
			t.Errorf("%s: got %t, want %t", spec, got, want)
		}
	}
}
