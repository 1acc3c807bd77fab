package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Mix is made up traffic, the same each time: what a site with many domains is sent in years. A few domains, reporters and sources
// have most of it.
type Mix struct {
	Domains, Reporters, Sources, Days int
	RowsADay                          int
	Last                              time.Time // day
}

// Years is the mix that questions are measured with: ten million rows in two years, of which the largest domain has two fifths.
var Years = Mix{Domains: 300, Reporters: 40, Sources: 200_000, Days: 730, RowsADay: 13_700, Last: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}

// Domain is the name of the nth, of which the first is the largest.
func (m Mix) Domain(n int) string { return fmt.Sprintf("domain%d.example", n) }

// IP is the address of the nth source.
func (m Mix) IP(n int) netip.Addr {
	h := uint32(n) * 2654435761
	if n%8 == 7 {
		var b [16]byte
		copy(b[:], []byte{0x20, 1, 0x0d, 0xb8})
		binary.BigEndian.PutUint32(b[12:], h)
		return netip.AddrFrom16(b)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], h)
	return netip.AddrFrom4(b)
}

// share is the part of a day's rows that a domain has.
func (m Mix) share(domain int) float64 {
	if domain == 0 {
		return 0.4
	}
	sum := 0.0
	for n := 1; n < m.Domains; n++ {
		sum += 1 / float64(n)
	}
	return 0.6 / float64(domain) / sum
}

// Source draws a source of a domain: a few of its own send most of its mail, and the rest comes from everywhere.
func (m Mix) source(domain int, zipf *rand.Zipf) (ip netip.Addr, rank int) {
	rank = int(zipf.Uint64())
	return m.IP((rank + domain*7919) % m.Sources), rank
}

// Arrivals gives each report in a wrapping of its own, day by day.
func (m Mix) Arrivals() iter.Seq[store.Arrival] {
	return func(yield func(store.Arrival) bool) {
		random := rand.New(rand.NewPCG(1, 2))
		zipf := m.zipf(random)
		weights, weight := make([]float64, m.Reporters), 0.0
		for r := range weights {
			weights[r] = 1 / math.Sqrt(float64(r+1))
			weight += weights[r]
		}
		n := 0
		for d := range m.Days {
			day := m.Last.AddDate(0, 0, d-m.Days+1)
			for domain := range m.Domains {
				all := float64(m.RowsADay) * m.share(domain)
				for reporter := range m.Reporters {
					rows := all * weights[reporter] / weight
					count := max(int(rows), 12)
					if random.Float64()*float64(count) >= rows { // not every day
						continue
					}
					n++
					if !yield(m.arrival(n, domain, reporter, day, m.rows(domain, count, random, zipf))) {
						return
					}
				}
			}
		}
	}
}

func (m Mix) arrival(n, domain, reporter int, day time.Time, rows []store.Row) store.Arrival {
	raw := fmt.Appendf(nil, "report %d of %s", n, m.Domain(domain))
	return store.Arrival{
		Raw: store.Raw{Hash: sha256.Sum256(raw), Size: int64(len(raw)), Name: fmt.Sprintf("%d.xml", n), Input: "file", At: day.AddDate(0, 0, 1),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }},
		Reports: []store.Report{{
			Kind: store.Aggregate, Reporter: fmt.Sprintf("Reporter %d", reporter), Email: fmt.Sprintf("dmarc@reporter%d.example", reporter),
			ReportID: fmt.Sprint(n), Domain: m.Domain(domain), Begin: day, End: day.Add(24*time.Hour - time.Second), Content: sha256.Sum256(raw[1:]),
			Part: "report.xml", Document: json.RawMessage(`{"kind":"aggregate","policy":{"domain":"` + m.Domain(domain) +
				`","p":"reject","sp":"none","np":"","adkim":"r","aspf":"r","pct":100,"fo":"1","testing":false,"discovery":"treewalk"}}`),
			Rows: Rows(rows...),
		}},
	}
}

// Draw makes up the rows of one report, so many.
func (m Mix) Draw(domain, count int, random *rand.Rand) []store.Row {
	return m.rows(domain, count, random, m.zipf(random))
}

func (m Mix) zipf(random *rand.Rand) *rand.Zipf {
	return rand.NewZipf(random, 1.05, 4, uint64(m.Sources-1))
}

func (m Mix) rows(domain, count int, random *rand.Rand, zipf *rand.Zipf) []store.Row {
	name := m.Domain(domain)
	rows := make([]store.Row, count)
	for i := range rows {
		ip, rank := m.source(domain, zipf)
		r := store.Row{SourceIP: ip, Count: 1 + int64(random.ExpFloat64()*20_000/float64(rank+20)), Disposition: "none", DKIM: "pass", SPF: "pass",
			HeaderFrom: name, EnvelopeFrom: name, AuthDKIM: []store.AuthDKIM{{Domain: name, Selector: fmt.Sprintf("s%d", rank%3), Result: "pass"}},
			AuthSPF: []store.AuthSPF{{Domain: name, Scope: "mfrom", Result: "pass"}}}
		switch kind := (rank + random.IntN(8)) % 20; {
		case kind < 6: // a service with a return path of its own
			service := fmt.Sprintf("service%d.example", rank%60)
			r.SPF, r.EnvelopeFrom = "fail", "bounces."+service
			r.AuthSPF[0].Domain = r.EnvelopeFrom
			r.AuthDKIM = append(r.AuthDKIM, store.AuthDKIM{Domain: service, Selector: "k1", Result: "pass"})
		case kind < 8: // forwarded
			r.SPF, r.AuthSPF[0].Result = "fail", "softfail"
			r.Reasons = []store.Reason{{Type: "forwarded"}}
		case kind < 11: // somebody else
			r.SPF, r.DKIM, r.Disposition, r.AuthDKIM = "fail", "fail", "reject", nil
			r.AuthSPF[0] = store.AuthSPF{Domain: fmt.Sprintf("x%d.example", rank%5000), Scope: "mfrom", Result: "none"}
			r.EnvelopeFrom = r.AuthSPF[0].Domain
			r.Count = 1 + r.Count/20
		}
		rows[i] = r
	}
	return rows
}

// Rows gives rows one after the other, as often as they are asked for.
func Rows(rows ...store.Row) iter.Seq2[store.Row, error] {
	return func(yield func(store.Row, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}
