package whatif_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
	"github.com/gatepost-mail/gatepost/internal/whatif"
)

// Each question is about a month with a million rows of reports, of which the largest domain has two fifths, or a million observations.
func BenchmarkQuestions(b *testing.B) {
	mix := storetest.Mix{Domains: 300, Reporters: 40, Sources: 200_000, Days: 30, RowsADay: 33_400, Last: storetest.Years.Last}
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var some []store.Arrival
	flush := func() {
		if _, err := s.AddArrivals(b.Context(), some); err != nil {
			b.Fatal(err)
		}
		some = some[:0]
	}
	for a := range mix.Arrivals() {
		if some = append(some, a); len(some) == 100 {
			flush()
		}
	}
	flush()
	p := insight.Period{From: mix.Last.AddDate(0, 0, -29), To: mix.Last}
	for i := range 30 {
		if err := s.AddBatch(b.Context(), storetest.GateMail(p.From.AddDate(0, 0, i), i, 33_400, 0)); err != nil {
			b.Fatal(err)
		}
	}
	d := mix.Domain(0)
	text := fmt.Sprintf("%s. IN TXT \"v=spf1 ip4:0.0.0.0/1 -all\"\n_dmarc.%s. IN TXT \"v=DMARC1; p=none; rua=mailto:a@%s\"\n", d, d, d)
	z, err := dns.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		b.Fatal(err)
	}
	a := &whatif.Asker{Store: s, Insight: &insight.Asker{Store: s, Table: senders.Known(), DNS: z, Trend: 30}}
	strict, _ := policy.Named("strict")
	standard, _ := policy.Named("standard")
	for _, q := range []struct {
		name string
		ask  func() (any, error)
	}{
		{"dmarc", func() (any, error) {
			return a.DMARC(b.Context(), whatif.DMARCChange{Domain: d, Period: p, Policy: dmarc.DispositionReject})
		}},
		{"spf", func() (any, error) {
			return a.SPF(b.Context(), whatif.SPFChange{Domain: d, Period: p, Record: "v=spf1 ip4:0.0.0.0/2 ~all"})
		}},
		{"policy", func() (any, error) {
			return a.Policy(b.Context(), whatif.PolicyChange{Period: p, Policy: strict, InForce: standard})
		}},
		{"readiness", func() (any, error) {
			f, err := a.Insight.Fetch(b.Context(), []string{d}, p)
			if err != nil {
				return nil, err
			}
			return f.Readiness(0), nil
		}},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := q.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
