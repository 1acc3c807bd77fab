package reports

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/test/wrap"
)

func gzipTo(w io.Writer, r io.Reader) error {
	z := gzip.NewWriter(w)
	if _, err := io.Copy(z, r); err != nil {
		return err
	}
	return z.Close()
}

// BenchmarkRead reads 2,000 reports of 1 to 500 rows, each gzipped in a mail.
func BenchmarkRead(b *testing.B) {
	var mails [][]byte
	rows := 0
	for i := range 2000 {
		n := 1 + i*i*31%150
		if i%50 == 0 {
			n = 500
		}
		rows += n
		xml := xmlReport(b, fmt.Sprint(i), n)
		mails = append(mails, wrap.Multipart("mixed", greeting, wrap.Part("Content-Type: application/gzip\r\n", wrap.Gzip("r.xml", xml))))
	}
	b.ReportAllocs()
	start, done := time.Now(), 0
	for b.Loop() {
		for _, m := range mails {
			all, _, err := loadAll(bytes.NewReader(m), Options{})
			if err != nil || len(all) != 1 {
				b.Fatal(err)
			}
			done += int(all[0].Count())
			all[0].Close()
		}
	}
	b.ReportMetric(float64(done)/time.Since(start).Seconds(), "rows/s")
	b.ReportMetric(float64(rows), "rows")
}
