package store_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// message is the nth of a mix: some domains send much, and one message of ten comes from one that is seen but once.
func message(n int) store.Decision {
	domain := fmt.Sprintf("d%d.example", n%50)
	if n%10 == 0 {
		domain = fmt.Sprintf("once%d.example", n)
	}
	ip := netip.AddrFrom4([4]byte{192, 0, byte(n % 5), byte(n % 50)})
	return store.Decision{
		Time: time.Unix(1795521600, int64(n)*1000).UTC(), Reference: fmt.Sprintf("r%08x", n*2654435761), QueueID: "4Bq1ZC0Xk2z1abc",
		MessageID: fmt.Sprintf("<20261124.%d@mail.example.com>", n), ClientIP: ip, Helo: "mx." + domain, MailFrom: "bounce@" + domain,
		EnvelopeDomain: domain, Recipients: []string{"someone@example.org"}, AuthorDomain: domain,
		SPF:  []store.SPF{{Identity: "mailfrom", Domain: domain, Result: "pass"}, {Identity: "helo", Domain: "mx." + domain, Result: "none"}},
		DKIM: []store.Signature{{Result: "pass", SDID: domain, Selector: "s1"}}, ARC: "none", DMARC: "pass", PolicyDomain: domain,
		Policy: "reject", Disposition: "none", Record: "v=DMARC1; p=reject; rua=mailto:dmarc@" + domain, AlignedSPF: true, AlignedDKIM: true,
		Verdict: "accept", Mode: "enforce", Done: "accept",
	}
}

// One op is one message; a batch is what a second brings at 500 messages a second.
func BenchmarkAddBatch(b *testing.B) {
	s := opened(b, filepath.Join(b.TempDir(), "gatepost.db"), store.Options{Create: true})
	b.ReportAllocs()
	for n, number := 0, int64(1); n < b.N; number++ {
		batch := store.Batch{Source: "bench", Number: number}
		counts := map[string]*store.Count{}
		for range 500 {
			d := message(n)
			n++
			batch.Decisions = append(batch.Decisions, d)
			o := store.Observe(&d)
			key, _ := o.AppendBinary(nil)
			if counts[string(key)] == nil {
				counts[string(key)] = &store.Count{Observation: o}
			}
			counts[string(key)].Count++
		}
		for _, c := range counts {
			batch.Counts = append(batch.Counts, *c)
		}
		if err := s.AddBatch(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

// A flood: every message has names of its own, once the day has as many rows as it may, and while it has not.
func BenchmarkAddFlood(b *testing.B) {
	for _, c := range []struct {
		name string
		most int
	}{{"bounded", 1000}, {"unbounded", 1 << 30}} {
		b.Run(c.name, func(b *testing.B) {
			s := opened(b, filepath.Join(b.TempDir(), "gatepost.db"), store.Options{Create: true, Observations: c.most})
			b.ReportAllocs()
			for n, number := 0, int64(1); n < b.N; number++ {
				batch := store.Batch{Source: "bench", Number: number}
				for range 500 {
					d := flood(n)
					n++
					batch.Decisions = append(batch.Decisions, d)
					batch.Counts = append(batch.Counts, store.Count{Observation: store.Observe(&d), Count: 1})
				}
				if err := s.AddBatch(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// flood is the nth message of a sender who makes up a name wherever it can.
func flood(n int) store.Decision {
	d := message(n)
	domain := fmt.Sprintf("x%d.example", n)
	d.Helo, d.EnvelopeDomain, d.AuthorDomain, d.PolicyDomain, d.DKIM[0].SDID = domain, domain, domain, domain, domain
	d.ClientIP = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, byte(n >> 16), byte(n >> 8), byte(n), 15: 1})
	return d
}
