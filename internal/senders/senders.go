// Package senders knows the source of mail: which service an address belongs to, how the customers of that service make their mail
// authenticate, and what a source is to the domain that it wrote in the name of.
//
//	table := senders.Known()                                       // our own table; [Load] adds a file to it
//	m := table.Recognise(senders.Evidence{PTR: confirmed, DKIM: passed}) // which service, by what, and whether that is proof
//	addresses := enricher.Look(ctx, ips)                           // names and networks of addresses, from DNS and from MMDB files
//	class := senders.Classify(&source)                             // yours, forwarder, unknown or abuse; why; what to mend
//
// The table is data: TOML files beneath services/. Services change, and not each fact in it was held against a service's own documents. A
// Match is proof only by what a stranger can't pretend: a name that DNS confirms in both directions, or a signature or SPF that passes.
package senders

import (
	"net/netip"
	"strings"
)

// A Role is what a service does with the mail of others.
type Role string

// The roles.
const (
	Sender    Role = "sender"    // sends for its customers
	Forwarder Role = "forwarder" // passes on what others sent, with their From
	Gateway   Role = "gateway"   // stands in front of the servers of its customers, in either direction or both
	Mailbox   Role = "mailbox"   // people write and read there; forwards too
)

// Cloud is the category of services that rent machines to anyone. That a source is there says nothing of whose it is.
const Cloud = "cloud"

// The ways in which mail can align (RFC 9989 4.4).
const (
	ByDKIM = "dkim"
	BySPF  = "spf"
)

// A Service is one that sends, passes on or filters the mail of others. Domains are suffixes: "example.net" covers all names below.
type Service struct {
	ID       string `toml:"id" json:"id"`
	Name     string `toml:"name" json:"name"`
	Category string `toml:"category" json:"category"`
	Role     Role   `toml:"role" json:"role"`
	Carrier  bool   `toml:"carrier" json:"carrier"` // other services send through it: a signature may name a better one

	// How it is recognised.
	PTR      []string       `toml:"ptr" json:"ptr"`           // confirmed names of its addresses
	DKIM     []string       `toml:"dkim" json:"dkim"`         // what it signs with by default (d=)
	Envelope []string       `toml:"envelope" json:"envelope"` // its default return paths
	HELO     []string       `toml:"helo" json:"helo"`
	SPF      []string       `toml:"spf" json:"spf"` // includes of it, in use or once published
	Networks []netip.Prefix `toml:"networks" json:"networks,omitempty"`

	// How a customer authenticates it.
	Aligns  []string `toml:"aligns" json:"aligns"`   // by what mail of a customer's domain can align; empty: it can't
	Include string   `toml:"include" json:"include"` // what to add to the SPF record, if anything
	Records []Record `toml:"records" json:"records"`
	Note    string   `toml:"note" json:"note"`
	Docs    string   `toml:"docs" json:"docs"`

	own bool // from the administrator's file, which goes before ours
}

// CanAlign tells whether mail of a customer's domain can align by "dkim" or "spf".
func (s *Service) CanAlign(by string) bool {
	for _, a := range s.Aligns {
		if a == by {
			return true
		}
	}
	return false
}

// A Record is one that a customer publishes. What stands in braces in it is the customer's: {domain}, which HowTo fills in, and others
// that the service shows in its settings.
type Record struct {
	For   string `toml:"for" json:"for"` // dkim, return-path, verify
	Name  string `toml:"name" json:"name"`
	Type  string `toml:"type" json:"type"` // CNAME, TXT, MX
	Value string `toml:"value" json:"value"`
}

func (r Record) String() string {
	if r.Type == "TXT" {
		return r.Name + " TXT \"" + r.Value + "\""
	}
	return r.Name + " " + r.Type + " " + r.Value
}

// HowTo are the records that the owner of a domain publishes so that mail from the service authenticates, the SPF record last.
func (s *Service) HowTo(domain string) []Record {
	fill := strings.NewReplacer("{domain}", domain, "{domain-with-dashes}", strings.ReplaceAll(domain, ".", "-"))
	var all []Record
	for _, r := range s.Records {
		r.Name, r.Value = fill.Replace(r.Name), fill.Replace(r.Value)
		all = append(all, r)
	}
	if s.Include != "" {
		all = append(all, Record{For: "spf", Name: domain, Type: "TXT", Value: "v=spf1 … include:" + fill.Replace(s.Include) + " …"})
	}
	return all
}

// A Table is a set of services. It is not changed once made, and may be used by several goroutines.
type Table struct {
	services []*Service
	ids      map[string]*Service
	by       map[string]map[string]*Service // ptr, dkim, envelope, helo, spf: suffix to service
	networks map[int]map[netip.Prefix]*Service
}

// Services are all, in the order of the table: by category, then as written; the administrator's own last.
func (t *Table) Services() []*Service { return t.services }

// Service finds one by its id.
func (t *Table) Service(id string) *Service { return t.ids[id] }

// The kinds of evidence, as a Match names them.
const (
	byNetwork  = "network"
	byPTR      = "ptr"
	byDKIM     = "dkim"
	bySPF      = "spf"
	byEnvelope = "envelope"
	byHELO     = "helo"
	byInclude  = "include"
)

// newTable indexes services. Where two claim a suffix in the same way, the first has it, or else an administrator's own.
func newTable(services []*Service) *Table {
	t := &Table{services: services, ids: map[string]*Service{}, by: map[string]map[string]*Service{}, networks: map[int]map[netip.Prefix]*Service{}}
	for _, s := range services {
		t.ids[s.ID] = s
		for kind, suffixes := range s.suffixes() {
			if t.by[kind] == nil {
				t.by[kind] = map[string]*Service{}
			}
			for _, suffix := range suffixes {
				if t.by[kind][suffix] == nil || s.own {
					t.by[kind][suffix] = s
				}
			}
		}
		for _, p := range s.Networks {
			p = p.Masked()
			bits := p.Bits()
			if p.Addr().Is4() {
				bits += 1000 // apart from those of IPv6
			}
			if t.networks[bits] == nil {
				t.networks[bits] = map[netip.Prefix]*Service{}
			}
			t.networks[bits][p] = s
		}
	}
	return t
}

func (s *Service) suffixes() map[string][]string {
	includes := s.SPF
	if s.Include != "" && !strings.Contains(s.Include, "{") {
		includes = append(includes[:len(includes):len(includes)], s.Include)
	}
	return map[string][]string{byPTR: s.PTR, byDKIM: s.DKIM, byEnvelope: s.Envelope, byHELO: s.HELO, byInclude: includes}
}
