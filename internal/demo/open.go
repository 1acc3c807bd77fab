package demo

import (
	"context"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// An Opened demo is what its files say.
type Opened struct {
	Config *config.Config
	Zone   *dns.Zone
	Store  store.Store // to be closed
}

// Open reads the files.
func (d *Demo) Open(ctx context.Context) (*Opened, error) {
	c, err := config.Load(d.Config)
	if err != nil {
		return nil, err
	}
	zone, err := dns.ReadZone(d.Zone)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, d.Store, store.Options{})
	if err != nil {
		return nil, err
	}
	return &Opened{c, zone, s}, nil
}
