// Package publish is about changes to what a domain publishes: how one is written down for whoever makes it, and what the world would
// look like once it was made.
//
//	c := publish.Change{Name: "example.com", Type: "TXT", Old: "v=spf1 mx ~all", New: "v=spf1 mx -all"}
//	fmt.Print(c.Zone())                              // example.com. 3600 IN TXT "v=spf1 mx -all"
//	r := publish.Overlay(resolver, []publish.Change{c}) // answers as if it were there
package publish

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// File is the Type of a change to a file on a web server.
const File = "file"

// TTL is what new records are given, in seconds.
const TTL = 3600

// A Change puts one record, or one file, in the place of another.
//
// The value of a TXT record is its text, in one piece; that of any other is its RDATA as it stands in a master file, with names that end
// in a dot.
type Change struct {
	Name string // who owns the record, as an A-label without a final dot; the URL of a file
	Type string // TXT, MX, CNAME, TLSA, …; [File]
	Old  string // the value that goes; empty where nothing does
	New  string // the value that comes; empty where none does

	Elsewhere bool // it is in a zone of somebody else, who has to make it
}

// Zone writes the new record as a line of a master file (RFC 1035 5.1), a text split into strings where it is long; empty where
// there is none. A file is written as it is.
func (c Change) Zone() string {
	switch {
	case c.New == "":
		return ""
	case c.Type == File:
		return c.New
	case c.Type == "TXT":
		return line(c.Name, c.Type, dns.QuoteText(c.New)...)
	}
	return line(c.Name, c.Type, c.New)
}

func line(name, typ string, values ...string) string {
	head := fmt.Sprintf("%s. %d IN %s ", strings.TrimSuffix(name, "."), TTL, typ)
	if len(values) == 1 {
		return head + values[0] + "\n"
	}
	return head + "(\n\t" + strings.Join(values, "\n\t") + " )\n"
}
