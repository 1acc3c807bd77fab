// Package resolver puts together who answers DNS: name servers, a master file in their place, or one in front of them.
//
//	r, err := resolver.New(resolver.Options{Servers: []string{"127.0.0.1:53"}, Zone: "test.zone"})
package resolver

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
)

// Options say who answers.
type Options struct {
	Servers []string // HOST:PORT; those of the system if empty
	Zone    string   // a master file; none if empty
	Cached  func(hit bool)

	PerSecond int // as in [dns.ClientOptions]
	Reuse     int
}

// New gives a resolver. A zone alone stands in place of the network, so that a test never asks it; in front of servers that are named
// it answers for what it holds.
func New(o Options) (dns.Resolver, error) {
	client := dns.ClientOptions{Servers: o.Servers, Cached: o.Cached, PerSecond: o.PerSecond, Reuse: o.Reuse}
	if o.Zone == "" {
		return dns.NewClient(client), nil
	}
	zone, err := readZone(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	if len(o.Servers) == 0 {
		return zone, nil
	}
	return dns.Overlay(zone, dns.NewClient(client)), nil
}

// Unchecked asks the same name servers, those of the system if there are none, for answers that fail DNSSEC too.
func Unchecked(servers []string) dns.Resolver {
	return dns.NewClient(dns.ClientOptions{Servers: servers, CheckingDisabled: true})
}

func readZone(path string) (*dns.Zone, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	zone, err := dns.ParseZone(f, path)
	if err != nil {
		return nil, fault(path, err)
	}
	return zone, nil
}

// maxFault bounds what is shown of a line that is wrong.
const maxFault = 120

// fault puts the place of a fault in a master file where editors look for it: FILE:LINE:COLUMN.
func fault(path string, err error) error {
	text, place, found := strings.Cut(err.Error(), " at line: ")
	text = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(text, "zone: "), path+": "), "dns: ")
	if found {
		path += ":" + place
	}
	if utf8.RuneCountInString(text) > maxFault {
		text = string([]rune(text)[:maxFault]) + "…"
	}
	return fmt.Errorf("%s: %s; mend it, it is no master file (RFC 1035 5)", path, text)
}
