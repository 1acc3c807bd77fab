// Package mxcheck has the checks of a domain's mail servers, and the TLS that they offer (RFC 5321, 7505, 8996).
package mxcheck

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// Checks are all of them, in the order in which they are told.
func Checks() []check.Check {
	return slices.Concat(records, names, addresses, reverse, offered, certificates)
}

// harm is what a mail server that nobody can reach does to the grade. Where another one takes the mail, some of it is late or lost; where none
// does, all of it comes back.
func harm(f *facts.Facts, broken *facts.Host) check.Grade {
	for _, h := range f.MX.Distinct() {
		if h.Name != broken.Name && !h.Free && len(h.Global()) > 0 {
			return check.C
		}
	}
	return check.D
}

// removal takes the records of a mail server away.
func removal(f *facts.Facts, host string) []publish.Change {
	var all []publish.Change
	for _, mx := range f.MX.Asked.MX {
		if mx.Host == host {
			all = append(all, publish.Change{Name: f.MX.Asked.Answer.Name, Type: "MX", Old: publish.MX(mx)})
		}
	}
	return all
}

// spare gives the removal of a mail server where another one is there to take the mail, and nothing where it is the only one: to take
// that away too would not help.
func spare(f *facts.Facts, broken *facts.Host) []publish.Change {
	if !own(f) {
		return nil
	}
	for _, h := range f.MX.Distinct() {
		if h.Name != broken.Name && len(h.Global()) > 0 {
			return removal(f, broken.Name)
		}
	}
	return nil
}

// own tells whether the records are the domain's own: one that is an alias has those of another, and its owner cannot change them.
func own(f *facts.Facts) bool { return f.MX.Asked.Answer.Name == f.Domain }

// replace is the advice where there is nothing exact to publish.
const replace = "Put the name of a server that takes the domain's mail into the MX record, or remove the record."

// hostname tells whether a name can be written into a record as it is: DNS lets any octet stand in a name, and this one may be a stranger's.
func hostname(name string) bool {
	ascii, err := dns.ToASCII(name)
	return err == nil && ascii == name && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '.' || r == '_')
	})
}

func list(ips []netip.Addr) string {
	all := make([]string, len(ips))
	for i, ip := range ips {
		all[i] = ip.String()
	}
	return strings.Join(all, ", ")
}

// each looks at every mail server once.
func each(look func(*facts.Facts, *facts.Host) *check.Seen) func(*facts.Facts) []check.Seen {
	return func(f *facts.Facts) []check.Seen {
		var all []check.Seen
		for _, h := range f.MX.Distinct() {
			if seen := look(f, h); seen != nil {
				all = append(all, *seen)
			}
		}
		return all
	}
}
