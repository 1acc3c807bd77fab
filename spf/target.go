package spf

import (
	"errors"
	"strings"
)

// ErrMacro is why a term has no target of its own: which name it asks for depends on the message.
var ErrMacro = errors.New("its macros depend on the message")

// Target is the name that a term asks for where it stands in the record of domain and the policy of sender is evaluated. Macros for these two
// are expanded; with others the error is [ErrMacro], and [ErrTarget] where no such name can exist.
func (t *Term) Target(domain, sender string) (string, error) {
	if strings.IndexByte(t.DomainSpec, '%') >= 0 && varies(t.DomainSpec) {
		return "", ErrMacro
	}
	var q Query
	e := evaluation{q: &q, domain: sender}
	name, ok, err := e.target(t.DomainSpec, domain)
	if err != nil || !ok {
		return "", ErrTarget
	}
	if (t.Kind == KindInclude || t.Kind == KindRedirect) && !isFull(name) {
		return "", ErrTarget
	}
	return name, nil
}

// varies tells whether a macro-string says something else for another message.
func varies(s string) bool {
	for {
		percent := strings.IndexByte(s, '%')
		if percent < 0 {
			return false
		}
		s = s[percent:]
		m, n, _ := scanMacro(s, explainLetters)
		if n == 0 {
			return false
		}
		if strings.IndexByte("do%_-", m.letter) < 0 {
			return true
		}
		s = s[n:]
	}
}

// Uses tells whether a term has a macro of a letter, which is given in lower case.
func (t *Term) Uses(letter byte) bool {
	for s := t.DomainSpec; ; {
		percent := strings.IndexByte(s, '%')
		if percent < 0 {
			return false
		}
		m, n, _ := scanMacro(s[percent:], explainLetters)
		if n == 0 {
			return false
		}
		if m.letter == letter {
			return true
		}
		s = s[percent+n:]
	}
}
