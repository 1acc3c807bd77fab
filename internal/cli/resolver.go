package cli

import (
	"os"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/resolver"
)

// resolver is who answers DNS by the common flags.
func (c common) resolver() (dns.Resolver, error) {
	return resolver.New(resolver.Options{Servers: c.Resolvers, Zone: c.Zone})
}

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
