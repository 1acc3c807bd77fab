package stscheck

import (
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/mtasts"
)

// defaultAge is the max_age of a policy that we write: weeks, as RFC 8461 3.2 has it.
const defaultAge = 14 * 24 * time.Hour

// newID is an id that the domain never had: the present time, in digits.
func newID(f *facts.Facts) string { return f.At.Format("20060102150405") }

func name(f *facts.Facts) string { return mtasts.Prefix + "." + f.Domain }

// newText puts a text into the place of one of the record's.
func newText(f *facts.Facts, old, text string) publish.Change {
	return publish.Change{Name: name(f), Type: "TXT", Old: old, New: text}
}

// newPolicy puts a policy into the place of the present one. A sender that remembers that one looks again only when the record has
// another id (RFC 8461 3.3), so that comes along.
func newPolicy(f *facts.Facts, text string) []publish.Change {
	s := &f.STS
	changes := []publish.Change{{Name: mtasts.URL(f.Domain), Type: publish.File, Old: s.Fetched.Text, New: text}}
	if s.Fault != nil && s.Fault.Fault != mtasts.FaultSyntax {
		changes[0].Old = "" // what came was no policy at all
	}
	return append(changes, newRecord(f)...)
}

// newRecord gives the record another id; nothing where it has that already.
func newRecord(f *facts.Facts) []publish.Change {
	if len(f.STS.Texts) != 1 {
		return nil
	}
	old := f.STS.Texts[0]
	text, err := mtasts.SetID(old, newID(f))
	if err != nil || text == old {
		return nil
	}
	return []publish.Change{newText(f, old, text)}
}

// edited makes a fix of what an edit of the policy gave.
func edited(f *facts.Facts, text string, err error) []publish.Change {
	if err != nil {
		return nil
	}
	return newPolicy(f, text)
}

// servers are the hosts that mail for the domain goes to: without an MX it is the domain itself (RFC 5321 5.1). Nothing where that is
// unknown.
func servers(f *facts.Facts) []string {
	m := &f.MX
	var all []string
	switch {
	case m.Asked.Found():
		for _, h := range m.Hosts {
			if !slices.Contains(all, h.Name) {
				all = append(all, h.Name)
			}
		}
	case m.Asked.Absent() && (m.A.Found() || m.AAAA.Found()):
		all = append(all, f.Domain)
	}
	return all
}

// uncovered are the servers that a policy does not allow.
func uncovered(f *facts.Facts, p *mtasts.Policy) []string {
	return slices.DeleteFunc(servers(f), p.Covers)
}

// withServers adds the servers that a policy does not allow.
func withServers(f *facts.Facts, text string) (string, error) {
	p, err := mtasts.ParsePolicy([]byte(text))
	if err != nil {
		return "", err
	}
	for _, host := range uncovered(f, p) {
		if text, err = mtasts.AddMX(text, host); err != nil {
			return "", err
		}
	}
	return text, nil
}

// fresh is a policy for a domain that has none that can be read: in testing, so that no mail is stopped by it.
func fresh(f *facts.Facts) string {
	p := mtasts.Policy{Mode: mtasts.Testing, MX: servers(f), MaxAge: defaultAge}
	return p.String()
}

// repaired makes a policy of a text that is none: what can be read stays as it is written, what is missing is added, and what means
// nothing goes. Where it cannot be told what was meant, the policy is one for testing.
func repaired(f *facts.Facts, text string) (string, error) {
	var kept []string
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.Trim(strings.TrimPrefix(line, "\ufeff"), " \t\r\n")
		field, value, ok := strings.Cut(line, ":")
		field = strings.ToLower(strings.TrimRight(field, " \t"))
		value = strings.Trim(value, " \t")
		switch field {
		case "mode":
			value = strings.ToLower(value)
		case "mx":
			value = strings.TrimSuffix(value, ".")
		}
		if field != "mx" && seen[field] || !ok || !means(field, value) {
			continue
		}
		seen[field] = true
		kept = append(kept, field+": "+value)
	}
	if !seen["version"] {
		kept = slices.Insert(kept, 0, "version: STSv1")
	}
	if !seen["mode"] {
		kept = append(kept, "mode: "+string(mtasts.Testing))
	}
	if !seen["max_age"] {
		kept = append(kept, "max_age: "+age(defaultAge))
	}
	if !seen["mx"] {
		for _, host := range servers(f) {
			kept = append(kept, "mx: "+host)
		}
	}
	return withServers(f, strings.Join(kept, "\n")+"\n")
}

// means tells whether a line of a policy can be read: whether a policy with it is one.
func means(field, value string) bool {
	rest := map[string]string{"version": "version: STSv1\n", "mode": "mode: none\n", "max_age": "max_age: 1\n"}
	delete(rest, field)
	text := field + ": " + value + "\n"
	for _, line := range rest {
		text += line
	}
	if field == "mode" {
		text += "mx: mx.example.com\n"
	}
	_, err := mtasts.ParsePolicy([]byte(text))
	return err == nil
}
