// Package massreports makes aggregate reports by the thousand, the same each time, and knows what is in them: for benchmarks, and for tests
// that count again.
package massreports

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// A Mix is some reports. Their sizes are as those that a domain gets: most have a few records, some have hundreds.
type Mix struct {
	Reports int
	Rows    int // of all together, about
	Most    int // of one
	Domains int
	Days    int
	Last    time.Time // the last day
}

// Usual is what the goals of docs/performance.md are about: 2,000 reports of 150,000 records, 1 to 500 each.
var Usual = Mix{Reports: 2000, Rows: 150_000, Most: 500, Domains: 20, Days: 100, Last: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}

const reporters = 20

// A Report is one of them.
type Report struct {
	ID       string
	Domain   string
	Reporter string
	Begin    time.Time
	Rows     int
	seed     uint64
}

// Report gives the report with a number from 0.
func (m Mix) Report(n int) Report {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	skew := float64(m.Most)*float64(m.Reports)/float64(m.Rows) - 1
	rows := m.Rows / m.Reports
	if skew > 0 {
		rows = 1 + int(float64(m.Most-1)*math.Pow(random.Float64(), skew))
	}
	domain := min(int(random.ExpFloat64()*float64(m.Domains)/5), m.Domains-1)
	reporter := n % reporters
	return Report{
		ID: fmt.Sprintf("%d.%d", n, random.Uint32()), Domain: fmt.Sprintf("d%d.example", domain), Reporter: fmt.Sprintf("reporter%d.example", reporter),
		Begin: m.Last.AddDate(0, 0, -n%max(m.Days, 1)), Rows: rows, seed: uint64(n),
	}
}

// Sum is what a report counts.
type Sum struct{ Messages, Passed int64 }

// Write writes the report as XML.
func (r Report) Write(w io.Writer) (Sum, error) {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `<?xml version="1.0" encoding="UTF-8"?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>%s</org_name>
    <email>dmarc@%s</email>
    <report_id>%s</report_id>
    <date_range><begin>%d</begin><end>%d</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>%s</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp><pct>100</pct>
  </policy_published>
`, r.Reporter, r.Reporter, r.ID, r.Begin.Unix(), r.Begin.Unix()+86399, r.Domain)
	random := rand.New(rand.NewPCG(2, r.seed))
	var sum Sum
	for range r.Rows {
		count := 1 + int64(random.ExpFloat64()*5)
		source := min(uint32(random.ExpFloat64()*3000), 1<<16-1)
		dkim, spf, disposition := "pass", "pass", "none"
		switch random.IntN(10) {
		case 0:
			dkim, spf, disposition = "fail", "fail", "reject"
		case 1, 2:
			spf = "fail"
		}
		sum.Messages += count
		if dkim == "pass" || spf == "pass" {
			sum.Passed += count
		}
		fmt.Fprintf(b, `  <record>
    <row>
      <source_ip>10.7.%d.%d</source_ip>
      <count>%d</count>
      <policy_evaluated><disposition>%s</disposition><dkim>%s</dkim><spf>%s</spf></policy_evaluated>
    </row>
    <identifiers><envelope_from>bounce.%s</envelope_from><header_from>%s</header_from></identifiers>
    <auth_results>
      <dkim><domain>%s</domain><selector>s%d</selector><result>%s</result></dkim>
      <spf><domain>bounce.%s</domain><scope>mfrom</scope><result>%s</result></spf>
    </auth_results>
  </record>
`, source>>8, source&255, count, disposition, dkim, spf, r.Domain, r.Domain, r.Domain, random.IntN(3), dkim, r.Domain, spf)
	}
	fmt.Fprint(b, "</feedback>\n")
	return sum, b.Flush()
}

// Name is the file's name as RFC 9990 wants it.
func (r Report) Name() string {
	return fmt.Sprintf("%s!%s!%d!%d!%s.xml.gz", r.Reporter, r.Domain, r.Begin.Unix(), r.Begin.Unix()+86399, r.ID)
}

// Files writes the reports into a directory, one a file, packed with gzip, and gives what they count by domain, and how many records.
func (m Mix) Files(dir string) (sums map[string]Sum, rows int, err error) {
	sums = map[string]Sum{}
	for n := range m.Reports {
		r := m.Report(n)
		sum, err := r.file(filepath.Join(dir, r.Name()))
		if err != nil {
			return nil, 0, err
		}
		s := sums[r.Domain]
		sums[r.Domain] = Sum{s.Messages + sum.Messages, s.Passed + sum.Passed}
		rows += r.Rows
	}
	return sums, rows, nil
}

func (r Report) file(path string) (Sum, error) {
	f, err := os.Create(path)
	if err != nil {
		return Sum{}, err
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	sum, err := r.Write(z)
	if err != nil {
		return sum, err
	}
	if err := z.Close(); err != nil {
		return sum, err
	}
	return sum, f.Close()
}
