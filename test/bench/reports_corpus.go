package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// traffic is what the reports are about: a few domains, reporters and sources have most of it.
var traffic = storetest.Mix{Domains: 20, Reporters: 25, Sources: 20_000, Last: storetest.Years.Last}

const trafficDays = 60

// A corpus is aggregate reports, each gzipped as reporters send them.
type corpus struct {
	reports  [][]byte
	rows     int
	unpacked int64
}

// makeCorpus makes so many reports with so many rows in all, 1 to 500 in each: as many with 1 to 10 as with 10 to 100. Every other one is
// by RFC 9990.
func makeCorpus(reports, rows int) (*corpus, error) {
	random := rand.New(rand.NewPCG(9990, uint64(reports)))
	c := &corpus{rows: rows}
	for n, count := range sizes(reports, rows, random) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		plain := &counted{w: z}
		if err := writeReport(plain, n, count, random); err != nil {
			return nil, err
		}
		if err := z.Close(); err != nil {
			return nil, err
		}
		c.unpacked += plain.n
		c.reports = append(c.reports, packed.Bytes())
	}
	return c, nil
}

// sizes gives how many rows each report has.
func sizes(reports, rows int, random *rand.Rand) []int {
	const most = 500
	all, sum := make([]int, reports), 0
	for i := range all {
		all[i] = int(math.Exp(random.Float64() * math.Log(most+1)))
		sum += all[i]
	}
	for sum != rows {
		i := random.IntN(reports)
		switch {
		case sum < rows && all[i] < most:
			all[i]++
			sum++
		case sum > rows && all[i] > 1:
			all[i]--
			sum--
		}
	}
	return all
}

func writeReport(w io.Writer, n, rows int, random *rand.Rand) error {
	domain := min(int(random.ExpFloat64()*3), traffic.Domains-1)
	reporter := random.IntN(traffic.Reporters)
	begin := traffic.Last.AddDate(0, 0, -random.IntN(trafficDays))
	f := aggregate.Feedback{
		OrgName: fmt.Sprintf("Reporter %d", reporter), Email: fmt.Sprintf("dmarc@reporter%d.example", reporter),
		ExtraContact: fmt.Sprintf("https://reporter%d.example/dmarc", reporter),
		ReportID:     fmt.Sprintf("%d.%d", begin.Unix(), n), Begin: begin, End: begin.Add(24*time.Hour - time.Second),
		Policy: aggregate.Policy{Domain: traffic.Domain(domain), P: "reject", SP: "none", ADKIM: "r", ASPF: "r", FO: "1"},
	}
	x, err := aggregate.NewWriter(w, f, aggregate.Standard(n%2))
	if err != nil {
		return err
	}
	for _, row := range traffic.Draw(domain, rows, random) {
		if err := x.Write(record(&row, aggregate.Standard(n%2))); err != nil {
			return err
		}
	}
	return x.Close()
}

// record is a row as its reporter writes it.
func record(row *store.Row, s aggregate.Standard) *aggregate.Record {
	r := &aggregate.Record{SourceIP: row.SourceIP, Count: row.Count, Disposition: row.Disposition, DKIM: row.DKIM, SPF: row.SPF,
		HeaderFrom: row.HeaderFrom, EnvelopeFrom: row.EnvelopeFrom, EnvelopeTo: "example.net"}
	for _, x := range row.Reasons {
		if x.Type == "forwarded" && s == aggregate.RFC9990 {
			x.Type = "trusted_forwarder"
		}
		r.Reasons = append(r.Reasons, aggregate.Reason(x))
	}
	for _, x := range row.AuthDKIM {
		r.Auth.DKIM = append(r.Auth.DKIM, aggregate.AuthDKIM(x))
	}
	for _, x := range row.AuthSPF {
		r.Auth.SPF = append(r.Auth.SPF, aggregate.AuthSPF(x))
	}
	return r
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
