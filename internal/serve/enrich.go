package serve

import (
	"context"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const (
	enrichAtOnce = 100
	enrichAge    = 30 * 24 * time.Hour // until an address is looked at again
	enrichRetry  = time.Hour           // where DNS did not tell
	enrichTime   = 40 * time.Second    // of a run, so that the last look-ups have time to end
	enrichPut    = 5 * time.Second     // until they are in the store, when the time is up
)

// openSenders reads the table of services, and opens the files that tell networks. A gate that has no use for them does without: they
// take time at the start, and memory.
func (s *state) openSenders() (key string, err error) {
	if !hasJobs(s.config) && s.config.Reports.Senders == "" && len(s.config.Reports.Networks) == 0 {
		return "", nil
	}
	table, err := senders.Load(s.config.Reports.Senders)
	if err != nil {
		return "reports.senders", fmt.Errorf("reports.senders: %w", err)
	}
	var networks *senders.Networks
	if paths := s.config.Reports.Networks; len(paths) > 0 {
		if networks, err = senders.OpenNetworks(s.log, paths...); err != nil {
			return "reports.networks", fmt.Errorf("reports.networks: %w", err)
		}
	}
	s.senders = table
	s.enricher = senders.NewEnricher(senders.EnricherOptions{Resolver: s.dns, Table: table, Networks: networks})
	return "", nil
}

// enrich finds out about the sources of reports: those that nobody looked at yet, and those that were looked at long ago.
func (s *Server) enrich(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, enrichTime)
	defer cancel()
	enricher := s.state().enricher
	if enricher == nil { // a reload ends the jobs, and this one with them
		return nil
	}
	for ctx.Err() == nil {
		now := time.Now()
		ips, err := s.back.memory.store.kept.AddressesBefore(ctx, now.Add(-enrichAge), enrichAtOnce)
		if err != nil || len(ips) == 0 {
			return err
		}
		var all []store.Address
		for _, a := range enricher.Look(ctx, ips) {
			if a.Again && ctx.Err() != nil {
				continue // the time was up; DNS may be well
			}
			found := store.Address{
				IP: a.IP, Confirmed: a.Confirmed, ASN: a.ASN, ASName: a.ASName, Country: a.Country, Service: a.Service, LookedAt: a.At,
			}
			switch {
			case a.Again:
				found.PTR, found.LookedAt = store.NameUnknown, now.Add(enrichRetry-enrichAge)
			case len(a.PTR) > 0:
				found.PTR = a.PTR[0]
			}
			all = append(all, found)
		}
		if err := s.putAddresses(ctx, all); err != nil {
			return err
		}
		if len(ips) < enrichAtOnce {
			return nil
		}
	}
	return nil
}

// putAddresses keeps what was found out, though the time is up.
func (s *Server) putAddresses(ctx context.Context, all []store.Address) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enrichPut)
	defer cancel()
	return s.back.memory.store.kept.PutAddresses(ctx, all)
}
