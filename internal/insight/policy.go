package insight

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
)

// policy puts what is published beside what reporters saw.
func policy(d *DomainFacts) Policy {
	pub := d.Published
	p := Policy{Known: pub.Known, At: pub.At, Problem: pub.Problem, Rua: []string{}, Seen: []SeenPolicy{}, Differs: []Difference{}}
	for _, s := range d.Policies {
		if tags := seenTags(s.Policy); tags != nil {
			p.Seen = append(p.Seen, SeenPolicy{Tags: tags, Reporters: s.Reporters, First: s.First, Last: s.Last})
		}
	}
	slices.SortStableFunc(p.Seen, func(a, b SeenPolicy) int { return b.Last.Compare(a.Last) })
	if r := pub.Record; r != nil {
		p.Published, p.P, p.Testing = r.Text, string(pub.Applies), r.Testing
		for _, u := range r.AggregateURIs {
			p.Rua = append(p.Rua, u.Text)
		}
		p.Differs = differences(published(r), p.Seen)
	}
	if !pub.Known && len(p.Seen) > 0 {
		p.P, p.Testing = p.Seen[0].Tags["p"], p.Seen[0].Tags["t"] == "y"
	}
	return p
}

// compared are the tags that say what becomes of mail. What of them is left out has a default (RFC 9989 4.7).
var compared = []string{"p", "sp", "adkim", "aspf", "t"}

func published(r *dmarc.Record) map[string]string {
	word := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	return map[string]string{
		"p": string(r.Policy), "sp": string(r.SubdomainPolicy), "adkim": word(r.StrictDKIM, "s", "r"), "aspf": word(r.StrictSPF, "s", "r"),
		"t": word(r.Testing, "y", "n"),
	}
}

// seenTags reads a policy as a report's document has it. What a reporter leaves out is the default. Nil is what is no policy.
func seenTags(document json.RawMessage) map[string]string {
	var seen struct {
		P       string
		SP      string
		ADKIM   string
		ASPF    string
		Testing bool
	}
	if json.Unmarshal(document, &seen) != nil || seen.P == "" {
		return nil
	}
	t := "n"
	if seen.Testing {
		t = "y"
	}
	p := strings.ToLower(seen.P)
	return map[string]string{"p": p, "sp": cmp.Or(strings.ToLower(seen.SP), p), "adkim": cmp.Or(strings.ToLower(seen.ADKIM), "r"),
		"aspf": cmp.Or(strings.ToLower(seen.ASPF), "r"), "t": t}
}

// differences compares what is published with what was seen last. A policy that was seen until a day before that is one that was
// changed; those that several reporters saw on the last day are all looked at, and what is published may be any of them.
func differences(published map[string]string, seen []SeenPolicy) []Difference {
	all := []Difference{}
	if len(seen) == 0 {
		return all
	}
	latest := seen[0].Last.Add(-oneDay)
	for _, s := range seen {
		if s.Last.Before(latest) {
			break
		}
		var found []Difference
		for _, tag := range compared {
			// An old report has no t, and so tells nothing of it.
			if s.Tags[tag] != published[tag] && tag != "t" {
				found = append(found, Difference{Tag: tag, Published: published[tag], Seen: s.Tags[tag], Reporters: s.Reporters, Last: s.Last})
			}
		}
		if len(found) == 0 {
			return []Difference{}
		}
		if len(all) == 0 {
			all = found
		}
	}
	return all
}

// withTag gives a record with another value for a tag, all else as it is written. A tag that is not there comes after v= and p=.
func withTag(record, name, value string) string {
	parts := strings.Split(record, ";")
	after := 0
	for i, part := range parts {
		key, _, ok := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case name:
			if ok {
				parts[i] = " " + name + "=" + value
				if i == 0 {
					parts[i] = name + "=" + value
				}
				return strings.Join(parts, ";")
			}
		case "v", "p":
			after = i
		}
	}
	parts = slices.Insert(parts, after+1, " "+name+"="+value)
	return strings.Join(parts, ";")
}

// withoutTag gives a record without a tag.
func withoutTag(record, name string) string {
	parts := slices.DeleteFunc(strings.Split(record, ";"), func(part string) bool {
		key, _, _ := strings.Cut(part, "=")
		return strings.ToLower(strings.TrimSpace(key)) == name
	})
	return strings.Join(parts, ";")
}
