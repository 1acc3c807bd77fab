package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// resolver is who answers DNS by the common flags: a zone alone stands in place of the network, so that a test never asks it; in
// front of servers that were named it answers for what it holds.
func (c common) resolver() (dns.Resolver, error) {
	var zone *dns.Zone
	if c.Zone != "" {
		f, err := openFile(c.Zone)
		if err != nil {
			return nil, fmt.Errorf("zone: %w", err)
		}
		defer f.Close()
		if zone, err = dns.ParseZone(f, c.Zone); err != nil {
			return nil, zoneError(c.Zone, err)
		}
		if len(c.Resolvers) == 0 {
			return zone, nil
		}
	}
	client := dns.NewClient(dns.ClientOptions{Servers: c.Resolvers})
	if zone != nil {
		return dns.Overlay(zone, client), nil
	}
	return client, nil
}

// zoneError puts the place of a fault in a master file where editors look for it: FILE:LINE:COLUMN.
func zoneError(path string, err error) error {
	text, place, found := strings.Cut(err.Error(), " at line: ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "zone: "), path+": ")
	if found {
		path += ":" + place
	}
	return fmt.Errorf("zone: %s: %s; mend it, it is no master file (RFC 1035 5)", path, clip(strings.TrimPrefix(text, "dns: "), maxFault))
}

// maxFault bounds what is shown of a line that is wrong.
const maxFault = 120

// hostName is who we are where no flag says so.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	if name, err = dns.ToASCII(strings.TrimSpace(name)); err != nil {
		return "localhost"
	}
	return name
}
