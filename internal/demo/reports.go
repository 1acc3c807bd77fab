package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// reports writes all reports, day by day, and has them read.
func (m *maker) reports(ctx context.Context) error {
	var failed error
	items := func(yield func(intake.Item) bool) {
		for ago := Days - 1; ago >= 0; ago-- {
			for _, write := range []func(int) ([]intake.Item, error){m.aggregates, m.tls, m.failures} {
				all, err := write(ago)
				if err != nil {
					failed = err
					return
				}
				for _, i := range all {
					if !yield(i) {
						return
					}
				}
			}
		}
	}
	importer := &intake.Importer{Store: m.store, Read: intake.Read}
	err := importer.Import(ctx, items, func(i intake.Item, o intake.Outcome) error {
		m.out.Reports += o.New
		if o.Failed != nil {
			return fmt.Errorf("%s: %w", i.Name, o.Failed)
		}
		return nil
	})
	return errors.Join(err, failed)
}

// aggregates are the aggregate reports about a day.
func (m *maker) aggregates(ago int) (all []intake.Item, err error) {
	for at := range reporters {
		r := &reporters[at]
		for i, domain := range Domains {
			if i >= r.domains {
				break
			}
			records := m.seen(domain, ago, at)
			if len(records) == 0 || ago < r.last {
				continue
			}
			item, err := m.aggregate(r, domain, ago, records)
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
	}
	return all, nil
}

// seen are the records that a reporter has of a day and a domain. The same is drawn whether it reports or not.
func (m *maker) seen(domain string, ago, at int) []aggregate.Record {
	r := &reporters[at]
	var all []aggregate.Record
	for i := range sources {
		s := &sources[i]
		if s.domain != domain {
			continue
		}
		n := m.count(s, ago, at)
		each := n / int64(len(s.ips))
		for j, ip := range s.ips {
			x := s.record(ago)
			x.SourceIP, x.Count = netip.MustParseAddr(ip), each
			if j == 0 {
				x.Count += n - each*int64(len(s.ips))
			}
			if x.Count > 0 {
				all = append(all, x)
			}
		}
	}
	all = append(all, strangers(domain, ago, at)...)
	for i := range all {
		x := &all[i]
		x.Disposition, x.EnvelopeTo = "none", r.domain
		list := len(x.Reasons) > 0 && x.Reasons[0].Type == "mailing_list"
		if list && !r.trustsLists {
			x.Reasons, list = nil, false
		}
		if !x.Passes() && !list {
			x.Disposition = published(domain, ago)
		}
		if r.standard == aggregate.RFC7489 {
			for j := range x.Reasons {
				x.Reasons[j].Type = strings.Replace(x.Reasons[j].Type, "trusted_forwarder", "forwarded", 1)
			}
		}
	}
	return all
}

// count is how many messages of a source a reporter sees on a day.
func (m *maker) count(s *source, ago, at int) int64 {
	n := s.volume(ago, m.day(ago).Weekday())
	varies := 0.85 + 0.3*m.random.Float64()
	if n > 0 && s.exact != nil {
		return s.exact[at]
	}
	return int64(math.Round(n * varies * reporters[at].share))
}

// aggregate writes a report as its reporter does.
func (m *maker) aggregate(r *reporter, domain string, ago int, records []aggregate.Record) (intake.Item, error) {
	begin := m.day(ago)
	f := aggregate.Feedback{
		OrgName: r.name, Email: "dmarc-reports@" + r.domain, ReportID: fmt.Sprintf("%d.%s", begin.Unix(), domain), Begin: begin,
		End:    begin.Add(24*time.Hour - time.Second),
		Policy: aggregate.Policy{Domain: domain, P: published(domain, ago), ADKIM: "r", ASPF: "r"},
	}
	if r.standard == aggregate.RFC9990 {
		f.ReportID, f.Policy.DiscoveryMethod, f.Policy.Testing = f.ReportID+"@"+r.domain, "treewalk", "n"
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w, err := aggregate.NewWriter(z, f, r.standard)
	if err != nil {
		return intake.Item{}, err
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			return intake.Item{}, err
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		return intake.Item{}, err
	}
	name := aggregate.FileName{Receiver: r.domain, Domain: domain, Begin: f.Begin, End: f.End, Gzip: true}.String()
	content := packed.Bytes()
	if r.domain == "merrow.example" && ago == broken {
		content = content[:len(content)/2]
	}
	return m.item(r, name, ago, content), nil
}

// item is a report as it comes in, shortly after the day that it is about.
func (m *maker) item(r *reporter, name string, ago int, content []byte) intake.Item {
	return intake.Item{Name: name, Input: "demo", Received: m.day(ago).Add(24*time.Hour + time.Duration(5+m.random.IntN(50))*time.Minute),
		Sender: intake.Sender{IP: r.ip, MailFrom: "dmarc-reports@" + r.domain, AuthorDomain: r.domain, DMARC: "pass"},
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

// names looks for the names of all sources, as the gate does.
func (m *maker) names(ctx context.Context) error {
	const most, fast = 1000, 100_000
	ips, err := m.store.AddressesBefore(ctx, time.Time{}, most)
	if err != nil {
		return err
	}
	enricher := senders.NewEnricher(senders.EnricherOptions{Resolver: m.zone, PerSecond: fast, Now: func() time.Time { return m.out.Now }})
	var all []store.Address
	for _, a := range enricher.Look(ctx, ips) {
		found := store.Address{IP: a.IP, Confirmed: a.Confirmed, Service: a.Service, LookedAt: a.At}
		if len(a.PTR) > 0 {
			found.PTR = a.PTR[0]
		}
		all = append(all, found)
	}
	return m.store.PutAddresses(ctx, all)
}
