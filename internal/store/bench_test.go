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
