package insight

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// EveryDomain stands for all, where people name a domain that a mark is for.
const EveryDomain = "*"

// Classes are the kinds that a source can be marked as, in the order in which people see them.
var Classes = []senders.Kind{senders.Misconfigured, senders.Passing, senders.Forwarded, senders.Unclear, senders.Abuse}

// A Word is what somebody says of a source: what it is to a domain, whatever the evidence says.
type Word struct {
	Domain string // or EveryDomain
	Source string // an address, a network or the id of a service
	Class  senders.Kind
	Reason string
	Author string
}

// Mark is the word as the store has it.
func (w *Word) Mark(now time.Time) (store.SourceMark, error) {
	domain, source, err := ParseMark(w.Domain, w.Source)
	switch {
	case err != nil:
		return store.SourceMark{}, err
	case !slices.Contains(Classes, w.Class):
		return store.SourceMark{}, fmt.Errorf("%q is no class", w.Class)
	case w.Reason == "":
		return store.SourceMark{}, errors.New("a reason is missing")
	}
	return store.SourceMark{Domain: domain, Source: source, Class: string(w.Class), Reason: w.Reason, Author: w.Author, At: now.UTC().Truncate(time.Microsecond)}, nil
}

// ParseMark reads a domain and a source as the store has them.
func ParseMark(name, source string) (domain, normal string, err error) {
	if name != EveryDomain {
		if domain, err = dns.ToASCII(name); err != nil {
			return "", "", fmt.Errorf("%q is no domain", name)
		}
	}
	if ip, err := netip.ParseAddr(source); err == nil {
		return domain, ip.Unmap().WithZone("").String(), nil
	}
	if p, err := netip.ParsePrefix(source); err == nil {
		return domain, p.Masked().String(), nil
	}
	if source == "" || strings.ContainsAny(source, "/: ") {
		return "", "", fmt.Errorf("%q is no address, network or service", source)
	}
	return domain, strings.ToLower(source), nil
}

// marksOf are those that are about any of some sources: those of the domain first, and those that name one closely before others.
func marksOf(marks []store.SourceMark, of []*SourceFacts) []store.SourceMark {
	all := []store.SourceMark{}
	weight := map[store.SourceMark]int{}
	for _, m := range marks {
		for _, s := range of {
			if w := s.hasMark(&m); w >= 0 {
				if m.Domain != "" {
					w += 2000
				}
				if _, ok := weight[m]; !ok {
					all = append(all, m)
				}
				weight[m] = max(weight[m], w)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b store.SourceMark) int { return cmp.Compare(weight[b], weight[a]) })
	return all
}
