package unwrap

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/test/wrap"
)

// bounded unwraps anything, and holds it to its limits.
func bounded(t *testing.T, in []byte) {
	t.Helper()
	l := Limits{Total: 1 << 20, Members: 200, Memory: 4 << 10, Dir: t.TempDir()}
	w := &walker{limits: l.withDefaults(), input: int64(len(in))}
	parts := 0
	w.each = func(p Part) error {
		parts++
		if (p.Refused != nil || p.Kind == Other) == (p.Body != nil) {
			t.Fatalf("%+v", p)
		}
		if p.Kind == Other && p.Refused == nil && p.What == "" {
			t.Fatalf("nothing said of %q", p.Path)
		}
		if p.Body != nil {
			if n, err := io.Copy(io.Discard, p.Body.Open()); err != nil || n != p.Body.Size() {
				t.Fatalf("read %d of %d: %v", n, p.Body.Size(), err)
			}
		}
		return nil
	}
	sec := io.NewSectionReader(bytes.NewReader(in), 0, int64(len(in)))
	if err := w.look(blob{r: sec, at: sec}); err != nil && err != errStopped {
		t.Fatal(err)
	}
	if most := max(l.Total, 4*w.input) + 64<<10 + int64(len(in)); w.unpacked > most {
		t.Fatalf("unpacked %d", w.unpacked)
	}
	if parts > 3*max(l.Members, len(in)>>10)+100 {
		t.Fatalf("%d parts", parts)
	}
}

func fuzzFormat(f *testing.F, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(bounded)
}

func FuzzGzip(f *testing.F) {
	fuzzFormat(f, wrap.Gzip("r.xml", []byte(report)), append(wrap.Gzip("", []byte(report)), "\r\n"...))
}

func FuzzZip(f *testing.F) {
	fuzzFormat(f, wrap.Zip("r.xml", []byte(report)), overlapping(3, 100), encryptedZip())
}

func FuzzTar(f *testing.F) { fuzzFormat(f, wrap.Tar("r.xml", []byte(report))) }

func FuzzTNEF(f *testing.F) { fuzzFormat(f, wrap.TNEF("r.xml.gz", wrap.Gzip("", []byte(report)))) }

func FuzzCompound(f *testing.F) {
	fuzzFormat(f, wrap.Outlook("r.xml", []byte(report)), wrap.Outlook("r.xml", append([]byte(report), make([]byte, 5000)...)))
}

func FuzzMail(f *testing.F) {
	fuzzFormat(f, wrap.Mail("", []byte(report)), wrap.Multipart("mixed", greeting, wrap.Part("", []byte(report))), nestedMail(5), forwardedMail(5),
		wrap.Multipart("report; report-type=feedback-report", greeting, machine, returned), wrap.Mbox(wrap.Mail("", []byte(report))))
}

func FuzzText(f *testing.F) {
	fuzzFormat(f, wrap.Base64([]byte(report)), wrap.UU("r.xml", []byte(report)), []byte(report), []byte(tlsJSON), utf16Text(report), wrap.Zlib([]byte(report)))
}

// What is wrapped is found again, in whatever order.
func FuzzWrapped(f *testing.F) {
	for i := range byte(12) {
		f.Add([]byte{i})
		f.Add([]byte{i, 11 - i, 3 * i, i})
	}
	f.Fuzz(func(t *testing.T, how []byte) {
		in := []byte(report)
		for i, h := range how[:min(len(how), 7)] {
			switch h % 12 {
			case 0:
				in = wrap.Gzip("r", in)
			case 1:
				in = append(wrap.Gzip("", in), "\r\n"...)
			case 2:
				in = wrap.Zip("r", in)
			case 3:
				in = wrap.Tar("r", in)
			case 4:
				in = wrap.Base64(in)
			case 5:
				in = wrap.Mail("", in)
			case 6:
				in = wrap.Multipart("mixed", greeting, html, wrap.Part("", in), greeting)
			case 7:
				in = wrap.Multipart("mixed", wrap.Forwarded(wrap.Mail("", in)))
			case 8:
				in = wrap.TNEF("r", in)
			case 9:
				in = wrap.Outlook("r", in)
			case 10:
				in = wrap.UU("r", in)
			case 11:
				if i > 0 && (how[i-1]%12 == 5 || how[i-1]%12 == 7) {
					in = wrap.Mbox(in)
				}
			}
		}
		_, bodies, _ := walk(t, bytes.NewReader(in), Limits{Dir: t.TempDir()})
		if got := bodies["XML"]; strings.TrimSpace(got) != strings.TrimSpace(report) {
			t.Errorf("wrapped as %v: found %q", how, got)
		}
	})
}

// A parameter that is written reads back, in pieces or whole.
func FuzzParameter(f *testing.F) {
	f.Add("r.xml.gz", uint8(4))
	f.Add(`a "quoted\" name; with=signs`, uint8(3))
	f.Fuzz(func(t *testing.T, value string, size uint8) {
		if strings.ContainsAny(value, "\r\n\t") || value == "" {
			t.Skip()
		}
		quote := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		if got := param("application/gzip; charset=x; name="+quote(value), "name"); got != value {
			t.Errorf("got %q, want %q", got, value)
		}
		var b strings.Builder
		b.WriteString("application/gzip")
		rest := value
		for i := 0; rest != "" && i < 99; i++ {
			n := min(len(rest), int(size)+1)
			b.WriteString("; NAME*" + string([]byte{"0123456789"[i/10], "0123456789"[i%10]}) + "=" + quote(rest[:n]))
			rest = rest[n:]
		}
		if got := param(b.String(), "name"); rest == "" && got != value {
			t.Errorf("in pieces: got %q, want %q: %s", got, value, b.String())
		}
	})
}
