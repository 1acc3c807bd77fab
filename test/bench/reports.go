package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// benchReports reads aggregate reports against encoding/xml into structs.
func benchReports() error {
	c, err := makeCorpus(20, 1500)
	if err != nil {
		return err
	}
	var z gzip.Reader
	open := func(report []byte) io.Reader {
		if err := z.Reset(bytes.NewReader(report)); err != nil {
			panic(err)
		}
		return &z
	}
	reader := aggregate.NewReader(strings.NewReader(""), aggregate.Options{})
	var rows int
	each := func(read func(report []byte) (int, error)) func() error {
		return func() error {
			rows = 0
			for _, report := range c.reports {
				n, err := read(report)
				if err != nil {
					return err
				}
				rows += n
			}
			if rows != c.rows {
				return fmt.Errorf("%d rows of %d", rows, c.rows)
			}
			return nil
		}
	}
	theirs := each(func(report []byte) (int, error) {
		var f xmlFeedback
		err := xml.NewDecoder(open(report)).Decode(&f)
		return len(f.Records), err
	})
	ours := each(func(report []byte) (n int, err error) {
		reader.Reset(open(report))
		var rec aggregate.Record
		for ; ; n++ {
			if err := reader.Next(&rec); err == io.EOF {
				break
			} else if err != nil {
				return n, err
			}
		}
		if w := reader.Warnings(); len(w) > 0 {
			err = fmt.Errorf("%v", w)
		}
		return n, err
	})
	whole := each(func(report []byte) (n int, err error) {
		all, err := reports.ReadAll(bytes.NewReader(report), reports.Options{})
		if err != nil {
			return 0, err
		}
		for _, r := range all.Reports {
			n += int(r.Count())
		}
		return n, all.Close()
	})
	floor := func() {
		for _, report := range c.reports {
			io.Copy(io.Discard, open(report))
		}
	}
	for name, work := range map[string]func() error{"encoding/xml": theirs, "report/aggregate": ours, "internal/reports": whole} {
		if err := work(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	names := []string{"encoding/xml into structs", "report/aggregate", "internal/reports: unwrap, read, keep", "gunzip alone, the floor"}
	readings := compare([]contender{
		{names[0], func() { theirs() }}, {names[1], func() { ours() }}, {names[2], func() { whole() }}, {names[3], floor},
	})
	fmt.Printf("\nAggregate reports, gzipped, of 1 to 500 rows, %d bytes a row unpacked, one processor\n", c.unpacked/int64(c.rows))
	fmt.Printf("  %-36s %10s %14s %12s\n", "", "rows/s", "encoding/xml", "allocs/row")
	for i, r := range readings {
		fmt.Printf("  %-36s %10.0f %12.1f x %12.2f\n", names[i], float64(c.rows)/r.time.Seconds(), 1/r.ratio, r.allocs/float64(c.rows))
	}
	if rate, err := expat(c); err == nil {
		fmt.Printf("  %-36s %10.0f\n", "libexpat, nobody listening (python3)", rate)
	}
	return nil
}

// expat gives the rows a second of libexpat, told to hand over nothing. The reports are unpacked by Python's zlib, which is C as well.
func expat(c *corpus) (float64, error) {
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for i, report := range c.reports {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), report, 0o600); err != nil {
			return 0, err
		}
	}
	out, err := exec.Command("python3", "-c", expatScript, dir).Output()
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return float64(c.rows) / seconds, err
}

const expatScript = `
import gzip, os, sys, time
from xml.parsers import expat
reports = [open(os.path.join(sys.argv[1], name), "rb").read() for name in os.listdir(sys.argv[1])]
def once():
    start = time.process_time()
    for report in reports:
        expat.ParserCreate().Parse(gzip.decompress(report), True)
    return time.process_time() - start
print(sorted(once() for _ in range(31))[15])
`
