package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// zoneAlone is a master file in place of the network. It keeps what was asked of domains that the file has nothing of: they are taken not
// to exist, and a finding about one may be wrong for that reason alone.
type zoneAlone struct {
	dns.Resolver
	mu      sync.Mutex
	outside map[string]bool
	found   []string // those that findings are about
}

// Lookup implements [dns.Resolver].
func (z *zoneAlone) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	answer, err := z.Resolver.Lookup(ctx, name, typ)
	if !errors.Is(err, dns.ErrNXDomain) {
		return answer, err
	}
	if _, above := z.Resolver.Lookup(ctx, senders.OrganizationalDomain(name), dns.TypeTXT); errors.Is(above, dns.ErrNXDomain) {
		z.mu.Lock()
		z.outside[name] = true
		z.mu.Unlock()
	}
	return answer, err
}

// note keeps the names that a report has findings about.
func (z *zoneAlone) note(r *audit.Report) {
	if z == nil {
		return
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	names := map[string]string{} // as it is asked for, by how a finding calls it
	for name := range z.outside {
		names[name] = name
	}
	for _, host := range r.Facts.MX.Hosts {
		for _, ip := range host.Addrs {
			if reverse := dns.ReverseName(ip); z.outside[reverse] {
				names[ip.String()] = reverse
			}
		}
	}
	for _, f := range r.Findings {
		if f.Severity == check.Unknown || f.Severity == check.Info {
			continue
		}
		for called, name := range names {
			if (mentions(f.Subject, called) || mentions(f.Detail, called)) && !slices.Contains(z.found, name) {
				z.found = append(z.found, name)
			}
		}
	}
}

// mentions tells whether a text holds a name, and not only as a part of a longer one.
func mentions(text, name string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(name)
		before := start == 0 || isNoLetter(rune(text[start-1]))
		rest := strings.TrimPrefix(text[end:], ".")
		if before && (rest == "" || isNoLetter(rune(rest[0]))) {
			return true
		}
		from = end
	}
}

// said is what is to be said of them, if anything.
func (z *zoneAlone) said(file string) error {
	if z == nil || len(z.found) == 0 {
		return nil
	}
	reverse := func(name string) int { return strings.Count(name, ".arpa") } // names that people know come first
	slices.SortFunc(z.found, func(a, b string) int { return cmp.Or(reverse(a)-reverse(b), cmp.Compare(a, b)) })
	names := z.found[0]
	if more := len(z.found) - 1; more > 0 {
		names += " and of " + counted(more, "more name")
	}
	return fmt.Errorf("%s has nothing of %s, which findings are about: what is not in it does not exist; have the network asked with --resolver HOST:PORT",
		file, names)
}

// isNoLetter tells what does not stand in the name of a domain that has mail.
func isNoLetter(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
