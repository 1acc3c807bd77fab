package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/resolver"
)

// resolver is who answers DNS by the common flags.
func (c common) resolver() (dns.Resolver, error) {
	return resolver.New(resolver.Options{Servers: c.Resolvers, Zone: c.Zone})
}

// resolverOf is who answers DNS by the common flags, or without them as a configuration says.
func (c common) resolverOf(file *config.Config) (dns.Resolver, error) {
	if len(c.Resolvers) == 0 && c.Zone == "" {
		c.Resolvers, c.Zone = file.Resolver.Servers, file.Resolver.Zone
	}
	return c.resolver()
}

// A patient resolver waits no longer than that for an answer.
type patient struct {
	dns.Resolver
	most time.Duration
}

// Lookup implements [dns.Resolver].
func (p patient) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.most)
	defer cancel()
	return p.Resolver.Lookup(ctx, name, typ)
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
