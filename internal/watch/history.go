package watch

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A history is what is known of what a domain published.
type history struct {
	all []store.Published
	by  map[[2]string][]*store.Published // kind and name: the present one first, then the latest
}

func historyOf(all []store.Published) *history {
	h := &history{all: all, by: map[[2]string][]*store.Published{}}
	for i := range all {
		key := [2]string{all[i].Kind, all[i].Name}
		h.by[key] = append(h.by[key], &all[i])
	}
	return h
}

// present is the text that a record has now; nil where it was never looked at.
func (h *history) present(kind, name string) *store.Published {
	all := h.by[[2]string{kind, name}]
	if len(all) == 0 || !all[0].Present {
		return nil
	}
	return all[0]
}

// before is the text that a record had before the present one; nil where there was none.
func (h *history) before(p *store.Published) *store.Published {
	all := h.by[[2]string{p.Kind, p.Name}]
	if len(all) < 2 || all[0] != p {
		return nil
	}
	return all[1]
}

// seen adds to what is known of a domain which keys it had, and since when each is what it is.
func (h *history) seen(domain string, known facts.Seen) facts.Seen {
	return Remembered(domain, h.all, known)
}

// Remembered adds to what is known of a domain what its history, which the store gives, says of its keys: which there are, and since when
// each is what it is.
func Remembered(domain string, all []store.Published, known facts.Seen) facts.Seen {
	known.Selectors = slices.Clone(known.Selectors)
	known.KeySince = maps.Clone(known.KeySince)
	if known.KeySince == nil {
		known.KeySince = map[string]time.Time{}
	}
	for i := range all {
		p := &all[i]
		selector, ok := strings.CutSuffix(p.Name, keysOf(domain))
		if p.Kind != kindDKIM || !p.Present || p.Text == "" || !ok {
			continue
		}
		if !slices.Contains(known.Selectors, selector) {
			known.Selectors = append(known.Selectors, selector)
		}
		if since, ok := known.KeySince[selector]; !ok || p.Since.Before(since) {
			known.KeySince[selector] = p.Since
		}
	}
	return known
}

// Keys are the key records that a history has as present, each as the text of all that its name has.
func Keys(all []store.Published) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range all {
			if p := &all[i]; p.Kind == kindDKIM && p.Present && p.Text != "" && !yield(p.Text) {
				return
			}
		}
	}
}

// A Change is one of what stands in a record.
type Change struct {
	At            time.Time // when it was seen first
	Before, After string    // empty: there was certainly none
}

// PolicyChanges are those of the DMARC record of a domain, or where it has none of that of the domain above, as far as a history, which
// the store gives, remembers them, the oldest first. What was seen at first is no change.
func PolicyChanges(domain, above string, all []store.Published) []Change {
	for _, name := range []string{domain, above} {
		var texts []store.Published
		for _, p := range all {
			if p.Kind == kindDMARC && p.Name == "_dmarc."+name {
				texts = append(texts, p)
			}
		}
		if len(texts) == 0 || len(texts) == 1 && texts[0].Text == "" {
			continue
		}
		slices.SortStableFunc(texts, func(a, b store.Published) int { return a.First.Compare(b.First) })
		var changes []Change
		last := texts[len(texts)-1]
		for i := 1; i < len(texts); i++ {
			changes = append(changes, Change{texts[i].First, texts[i-1].Text, texts[i].Text})
		}
		for _, p := range texts {
			if p.Present && p.Hash != last.Hash { // it went, and came back
				changes = append(changes, Change{p.Since, last.Text, p.Text})
			}
		}
		return changes
	}
	return nil
}

// LastGrade is the grade that the watch gave a domain last, and when it looked; none where it never did.
func LastGrade(all []store.Published) (letter string, at time.Time) {
	for _, p := range all {
		if p.Kind == kindAudit && p.Present {
			return p.Text, p.Last
		}
	}
	return "", time.Time{}
}
