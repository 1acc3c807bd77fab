package aggregate

import (
	"bytes"
	stdgzip "compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

const reportHead = `<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <version>1.0</version>
  <report_metadata>
    <org_name>Example Mail</org_name>
    <email>noreply-dmarc@example.net</email>
    <extra_contact_info>https://example.net/dmarc</extra_contact_info>
    <report_id>10238746529384756</report_id>
    <date_range>
      <begin>1795478400</begin>
      <end>1795564799</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>example.com</domain>
    <adkim>r</adkim>
    <aspf>r</aspf>
    <p>reject</p>
    <sp>quarantine</sp>
    <pct>100</pct>
  </policy_published>
`

// writeRow writes a record as a large reporter would: with a reason, several signatures and texts for people now and then.
func writeRow(w io.Writer, r *rand.Rand) {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	ip := fmt.Sprintf("192.0.2.%d", r.IntN(256))
	switch r.IntN(4) {
	case 0:
		ip = fmt.Sprintf("2001:db8:%x:%x::%x", r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16))
	case 1:
		ip = fmt.Sprintf("198.51.100.%d", r.IntN(256))
	}
	fmt.Fprintf(w, `  <record>
    <row>
      <source_ip>%s</source_ip>
      <count>%d</count>
      <policy_evaluated>
        <disposition>%s</disposition>
        <dkim>%s</dkim>
        <spf>%s</spf>
`, ip, 1+r.IntN(1000), pick("none", "none", "quarantine", "reject"), pick("pass", "fail"), pick("pass", "fail"))
	if r.IntN(4) == 0 {
		fmt.Fprintf(w, "        <reason>\n          <type>%s</type>\n          <comment>%s</comment>\n        </reason>\n",
			pick("local_policy", "mailing_list", "forwarded"), pick("arc=pass", "arc=fail", "looks like a list", ""))
	}
	fmt.Fprintf(w, `      </policy_evaluated>
    </row>
    <identifiers>
      <envelope_to>example.net</envelope_to>
      <envelope_from>%s</envelope_from>
      <header_from>%s</header_from>
    </identifiers>
    <auth_results>
`, pick("example.com", "bounces.example.com", "lists.example.org"), pick("example.com", "news.example.com"))
	for range 1 + r.IntN(3) {
		fmt.Fprintf(w, "      <dkim>\n        <domain>%s</domain>\n        <selector>%s</selector>\n        <result>%s</result>\n",
			pick("example.com", "news.example.com", "esp.example.org"), pick("s1", "s2", "20261101", "k1"), pick("pass", "pass", "fail", "permerror"))
		if r.IntN(3) == 0 {
			fmt.Fprintf(w, "        <human_result>%s</human_result>\n", pick("pass (2048-bit key)", "fail (body hash did not verify)", "invalid (public key: not available)"))
		}
		io.WriteString(w, "      </dkim>\n")
	}
	fmt.Fprintf(w, `      <spf>
        <domain>%s</domain>
        <scope>mfrom</scope>
        <result>%s</result>
      </spf>
    </auth_results>
  </record>
`, pick("example.com", "bounces.example.com", "lists.example.org"), pick("pass", "softfail", "none"))
}

func makeReport(rows int, seed uint64) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(9990, seed))
	b.WriteString(reportHead)
	for range rows {
		writeRow(&b, r)
	}
	b.WriteString("</feedback>\n")
	return b.Bytes()
}

// The report as encoding/xml reads it.
type stdFeedback struct {
	XMLName  xml.Name `xml:"feedback"`
	Version  string   `xml:"version"`
	Metadata struct {
		OrgName      string   `xml:"org_name"`
		Email        string   `xml:"email"`
		ExtraContact string   `xml:"extra_contact_info"`
		ReportID     string   `xml:"report_id"`
		Begin        string   `xml:"date_range>begin"`
		End          string   `xml:"date_range>end"`
		Errors       []string `xml:"error"`
		Generator    string   `xml:"generator"`
	} `xml:"report_metadata"`
	Policy struct {
		Domain string `xml:"domain"`
		ADKIM  string `xml:"adkim"`
		ASPF   string `xml:"aspf"`
		P      string `xml:"p"`
		SP     string `xml:"sp"`
		Pct    string `xml:"pct"`
		FO     string `xml:"fo"`
	} `xml:"policy_published"`
	Records []stdRecord `xml:"record"`
}

type stdRecord struct {
	SourceIP    string `xml:"row>source_ip"`
	Count       string `xml:"row>count"`
	Disposition string `xml:"row>policy_evaluated>disposition"`
	DKIM        string `xml:"row>policy_evaluated>dkim"`
	SPF         string `xml:"row>policy_evaluated>spf"`
	Reasons     []struct {
		Type    string `xml:"type"`
		Comment string `xml:"comment"`
	} `xml:"row>policy_evaluated>reason"`
	HeaderFrom   string `xml:"identifiers>header_from"`
	EnvelopeFrom string `xml:"identifiers>envelope_from"`
	EnvelopeTo   string `xml:"identifiers>envelope_to"`
	AuthDKIM     []struct {
		Domain      string `xml:"domain"`
		Selector    string `xml:"selector"`
		Result      string `xml:"result"`
		HumanResult string `xml:"human_result"`
	} `xml:"auth_results>dkim"`
	AuthSPF []struct {
		Domain      string `xml:"domain"`
		Scope       string `xml:"scope"`
		Result      string `xml:"result"`
		HumanResult string `xml:"human_result"`
	} `xml:"auth_results>spf"`
}

// benchReports are gzipped reports of 1 to 500 rows.
func benchReports(b *testing.B) (reports [][]byte, rows int) {
	for i, n := range []int{1, 2, 5, 10, 30, 75, 150, 250, 400, 500} {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(makeReport(n, uint64(i)))
		w.Close()
		reports = append(reports, z.Bytes())
		rows += n
	}
	return reports, rows
}

// BenchmarkRead relates us to the floors, which are gunzip alone and encoding/xml into structs. A turn reads all of the reports.
func BenchmarkRead(b *testing.B) {
	reports, rows := benchReports(b)
	perSecond := func(b *testing.B) {
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	var z gzip.Reader
	open := func(report []byte) io.Reader {
		if err := z.Reset(bytes.NewReader(report)); err != nil {
			b.Fatal(err)
		}
		return &z
	}
	b.Run("gunzip", func(b *testing.B) {
		for b.Loop() {
			for _, report := range reports {
				io.Copy(io.Discard, open(report))
			}
		}
		perSecond(b)
	})
	b.Run("gunzip-std", func(b *testing.B) {
		var z stdgzip.Reader
		for b.Loop() {
			for _, report := range reports {
				z.Reset(bytes.NewReader(report))
				io.Copy(io.Discard, &z)
			}
		}
		perSecond(b)
	})
	b.Run("encoding-xml", func(b *testing.B) {
		for b.Loop() {
			for _, report := range reports {
				var f stdFeedback
				if err := xml.NewDecoder(open(report)).Decode(&f); err != nil {
					b.Fatal(err)
				}
			}
		}
		perSecond(b)
	})
	b.Run("aggregate", func(b *testing.B) {
		b.ReportAllocs()
		r := NewReader(strings.NewReader(""), Options{})
		var rec Record
		for b.Loop() {
			for _, report := range reports {
				r.Reset(open(report))
				for {
					err := r.Next(&rec)
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if len(r.Warnings()) > 0 {
					b.Fatal(r.Warnings())
				}
			}
		}
		perSecond(b)
	})
}
