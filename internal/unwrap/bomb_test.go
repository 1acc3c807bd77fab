package unwrap

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"

	"github.com/gatepost-mail/gatepost/internal/raced"
	"github.com/gatepost-mail/gatepost/test/wrap"
)

// zeros are so many, gzipped: one member again and again.
func zeros(n int64) []byte {
	const one = 4 << 20
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	io.CopyN(z, zeroReader{}, one)
	z.Close()
	return append(wrap.Gzip("", []byte("<feedback>")), bytes.Repeat(b.Bytes(), int(n/one))...)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func zipOf(n int, content []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := range n {
		f, _ := z.Create(fmt.Sprintf("%d.zip", i))
		f.Write(content)
	}
	z.Close()
	return b.Bytes()
}

// overlapping is a zip whose members all are the same bytes of it.
func overlapping(members int, size int64) []byte {
	var data bytes.Buffer
	f, _ := flate.NewWriter(&data, flate.BestCompression)
	sum := crc32.NewIEEE()
	io.CopyN(io.MultiWriter(f, sum), zeroReader{}, size)
	f.Close()
	le := binary.LittleEndian
	header := func(b []byte) []byte { // from the version that is needed to the length of the name
		b = append(b, 20, 0, 0, 0, 8, 0, 0, 0, 0, 0)
		b = le.AppendUint32(b, sum.Sum32())
		b = le.AppendUint32(b, uint32(data.Len()))
		b = le.AppendUint32(b, uint32(size))
		return append(b, 1, 0, 0, 0)
	}
	b := append(header([]byte("PK\x03\x04")), 'a')
	b = append(b, data.Bytes()...)
	at := len(b)
	for range members {
		b = header(append(b, "PK\x01\x02\x14\x00"...))
		b = append(b, make([]byte, 14)...)
		b = append(b, 'a')
	}
	end := append([]byte("PK\x05\x06"), 0, 0, 0, 0)
	end = le.AppendUint16(end, uint16(members))
	end = le.AppendUint16(end, uint16(members))
	end = le.AppendUint32(end, uint32(len(b)-at))
	end = le.AppendUint32(end, uint32(at))
	return append(append(b, end...), 0, 0)
}

func tarOf(n int, content []byte) []byte {
	var b bytes.Buffer
	z := tar.NewWriter(&b)
	for range n {
		z.WriteHeader(&tar.Header{Name: "r.bz2", Size: int64(len(content)), Mode: 0o600})
		z.Write(content)
	}
	z.Close()
	return b.Bytes()
}

// What something is takes time that grows with its first bytes, and not with their square.
func TestTheNameOfAReportIsNoWorkToLookFor(t *testing.T) {
	least := func(text []byte) time.Duration {
		took := time.Hour
		for range 5 {
			start := time.Now()
			for range 20 {
				if f, _, _ := sniff(text, false); f != xmlText {
					t.Fatal(f)
				}
			}
			took = min(took, time.Since(start))
		}
		return took
	}
	of := func(word string) []byte { return []byte("<_ " + strings.Repeat(word, headSize/len(word))) }
	if took, plain := least(of("feedback")), least(of("feedbac ")); took > 10*plain {
		t.Errorf("%v, and %v where the name does not occur", took, plain)
	}
}

func nestedMail(levels int) []byte {
	var b strings.Builder
	b.WriteString(wrap.TopFields)
	for i := range levels {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\r\n\r\n--b%d\r\n", i, i)
	}
	return []byte(b.String())
}

func forwardedMail(levels int) []byte {
	return []byte(strings.Repeat(wrap.TopFields+"Content-Type: message/rfc822\r\n\r\n", levels))
}

func TestBombsEndInARefusalWithinTheBounds(t *testing.T) {
	raced.Skip(t)
	million := func(part string, n int) []byte {
		return []byte(wrap.TopFields + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat(part, n))
	}
	quine := []byte{}
	for inner := []byte(report); len(quine) < 100; inner = quine { // as deep as a quine is: it never ends
		quine = inner
		for range 40 {
			quine = wrap.Gzip("", quine)
		}
	}
	big := zeros(256 << 20)
	bomb := zeros(100 << 20)
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"gzip of 256 MiB":                  {big, "unpacks to more than"},
		"gzip of 256 MiB, with much else":  {append(append([]byte(nil), big...), make([]byte, 20<<20)...), "unpacks to more than"},
		"in a mail":                        {wrap.Mail("", bomb), "times its size"},
		"in a TNEF":                        {wrap.TNEF("r.gz", bomb), "times its size"},
		"in a .msg":                        {wrap.Outlook("r.gz", bomb), "times its size"},
		"gzip of gzip":                     {wrap.Gzip("", zeros(1<<30)), "times its size"},
		"zips of zips of zips":             {zipOf(16, zipOf(16, zipOf(16, zipOf(16, zeros(4<<20))))), "times its size"},
		"a zip whose members overlap":      {overlapping(20_000, 20<<20), "unpacks to more than"},
		"a zip of very many members":       {overlapping(60_000, 1)[:], ""},
		"a zip of more":                    {overlapping(200_000, 1), "more members than anyone needs"},
		"gzip without an end":              {quine, "more than 32 wrappings"},
		"10,000 multiparts in one another": {nestedMail(10_000), "more than 32 wrappings"},
		"10,000 messages in one another":   {forwardedMail(10_000), "more than 32 wrappings"},
		"a million parts":                  {million("--b\n\n\n", 1_000_000), "more than 100000 parts"},
		"a message of dashes":              {million("--\n", 3_000_000), ""},
		"10,000 members in bzip2":          {tarOf(10_000, bzip2Report(t)), "more than 32 pieces compressed by bzip2"},
		"a header of 5 MB":                 {[]byte(wrap.TopFields + strings.Repeat("X-Field: value\r\n", 320_000)), "a header of more than 4.0 MB"},
		"a header field of 5 MB":           {[]byte(wrap.TopFields + "Content-Type: text/plain; x=" + strings.Repeat("; name*0=a", 500_000)), "a header of more than 4.0 MB"},
		"bytes without a line end":         {[]byte(wrap.TopFields + "\r\n" + strings.Repeat("A", 5<<20)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			parts, last := 0, error(nil)
			l := Limits{Total: 64 << 20, Dir: t.TempDir()}
			w := &walker{limits: l.withDefaults()}
			w.each = func(p Part) error {
				parts++
				last = p.Refused
				return nil
			}
			w.input = int64(len(c.in))
			sec := io.NewSectionReader(bytes.NewReader(c.in), 0, int64(len(c.in)))
			if err := w.look(blob{r: sec, at: sec}); err != nil && !errors.Is(err, errStopped) {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if c.want != "" && (last == nil || !strings.Contains(last.Error(), c.want)) {
				t.Errorf("the last of %d parts: %v, want %q", parts, last, c.want)
			}
			if grown := int64(after.Sys) - int64(before.Sys); grown > 96<<20 {
				t.Errorf("it took %d MiB of memory", grown>>20)
			}
			if most := max(l.withDefaults().Total, 4*w.input) + 1<<20; w.unpacked > most {
				t.Errorf("it unpacked %d bytes, want %d at most", w.unpacked, most)
			}
			if ratio := ratioFree + 250*w.input + 1<<20; w.unpacked > ratio {
				t.Errorf("it unpacked %d bytes of %d", w.unpacked, w.input)
			}
		})
	}
}

// A report is large in one file only, and small things are many in an mbox: neither is a bomb.
func TestWhatIsLargeForAReasonIsNoBomb(t *testing.T) {
	raced.Skip(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, "<feedback>")
	row := make([]byte, 600)
	for i := range 100_000 {
		for j := range row {
			row[j] = ' ' + byte((i*j+j*j/(1+i%7))%90)
		}
		z.Write(row)
	}
	z.Close()
	many := wrap.Mbox(bytes.Split(bytes.Repeat(append(wrap.Mail("", wrap.Gzip("", []byte(report))), 0), 2000), []byte{0})[:2000]...)
	for name, c := range map[string]struct {
		in    []byte
		parts int
	}{"a large report": {wrap.Mail("", b.Bytes()), 1}, "an mbox": {many, 2000}} {
		words, _, _ := walk(t, bytes.NewReader(c.in), Limits{Dir: t.TempDir()})
		found := 0
		for _, word := range words {
			if strings.HasPrefix(word, "XML") {
				found++
			}
		}
		if found != c.parts || len(words) != c.parts {
			t.Errorf("%s: found %d of %d: %q", name, found, c.parts, words[:min(len(words), 3)])
		}
	}
}
