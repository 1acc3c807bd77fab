package setup

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Seen is what all servers say of the plan at one moment.
type Seen struct {
	Servers int
	Records int
	Missing []string // what a server does not show as it should be
	Silent  []string // what a server did not answer
}

// Done tells whether every server shows every record.
func (s *Seen) Done() bool { return len(s.Missing)+len(s.Silent) == 0 }

// Verify asks every server for every record of the plan that is to be in DNS, again and again until all agree or ctx ends. Each round is
// told, the last one is returned.
func (p *Plan) Verify(ctx context.Context, servers []Server, every time.Duration, tell func(Seen)) Seen {
	for {
		round, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*rounds*askTime*2)
		seen := p.verify(round, servers)
		cancel()
		tell(seen)
		if seen.Done() {
			return seen
		}
		select {
		case <-ctx.Done():
			return seen
		case <-time.After(every):
		}
	}
}

func (p *Plan) verify(ctx context.Context, servers []Server) Seen {
	s := Seen{Servers: len(servers)}
	var records []*Record
	for i := range p.Records {
		if r := &p.Records[i]; r.Ready() || r.There() && r.Type != "file" {
			records = append(records, r)
		}
	}
	s.Records = len(records)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, server := range servers {
		wg.Go(func() {
			for _, r := range records {
				missing, err := r.seen(ctx, server.Resolver)
				mu.Lock()
				switch {
				case err != nil:
					s.Silent = append(s.Silent, fmt.Sprintf("%s: %s %s: %s", server.Name, r.Name, r.Type, dns.Detail(err)))
				case missing != "":
					s.Missing = append(s.Missing, fmt.Sprintf("%s: %s %s: %s", server.Name, r.Name, r.Type, missing))
				}
				mu.Unlock()
				if err != nil {
					return // it will not answer the next either
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(s.Missing)
	slices.Sort(s.Silent)
	return s
}

// seen says what is wrong with what a server shows; nothing, if it is as it should be.
func (r *Record) seen(ctx context.Context, server dns.Resolver) (string, error) {
	f := lookAt(ctx, server, Place{r.Name, r.Type})
	switch {
	case f.unknown != nil:
		return "", f.unknown
	case r.New != "" && !f.has(r.Type, r.New):
		if len(f.values) == 0 {
			return "there is no record", nil
		}
		return "it is not among the records", nil
	case r.Old != "" && r.Old != r.New && f.has(r.Type, r.Old):
		return "the old record is there still", nil
	}
	return "", nil
}
