package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name, in string
		fields   []string // raw
		body     string
		ending   string
	}{
		{"CRLF", "A: 1\r\nB: 2\r\n\r\nbody\r\n", []string{"A: 1\r\n", "B: 2\r\n"}, "body\r\n", "\r\n"},
		{"LF", "A: 1\nB: 2\n\nbody\n", []string{"A: 1\r\n", "B: 2\r\n"}, "body\r\n", "\n"},
		{"fold", "A: 1\n 2\n\t3\nB: 4\n\n", []string{"A: 1\r\n 2\r\n\t3\r\n", "B: 4\r\n"}, "", "\n"},
		{"header without an empty line after it", "A: 1\r\nB: 2\r\n", []string{"A: 1\r\n", "B: 2\r\n"}, "", "\r\n"},
		{"header without a line end", "A: 1\r\nB: 2", []string{"A: 1\r\n", "B: 2\r\n"}, "", "\r\n"},
		{"one field without a line end", "A: 1", []string{"A: 1\r\n"}, "", "\r\n"},
		{"no header", "\r\nbody", nil, "body", "\r\n"},
		{"no header, LF", "\nbody", nil, "body", "\n"},
		{"nothing", "", nil, "", "\r\n"},
		{"a line that is no field ends the header", "A: 1\r\nno field\r\nB: 2\r\n", []string{"A: 1\r\n"}, "no field\r\nB: 2\r\n", "\r\n"},
		{"white space before the colon", "A \t: 1\r\n\r\n", []string{"A \t: 1\r\n"}, "", "\r\n"},
		{"mbox line on top", "From a@example.com Mon Nov 23 10:00:00 2026\nA: 1\n\nx", []string{"A: 1\r\n"}, "x", "\n"},
		{"bare CR stays", "A: 1\r2\r\n\r\nx\ry\r\n", []string{"A: 1\r2\r\n"}, "x\ry\r\n", "\r\n"},
		{"a fold of white space alone", "A: 1\r\n \r\nB: 2\r\n\r\n", []string{"A: 1\r\n \r\n", "B: 2\r\n"}, "", "\r\n"},
		{"NUL and 8-bit", "A: \x00\xff\r\n\r\n\x00\xff", []string{"A: \x00\xff\r\n"}, "\x00\xff", "\r\n"},
		{"mixed line ends in the body", "A: 1\r\n\r\na\nb\r\nc\r\r\n\n", []string{"A: 1\r\n"}, "a\r\nb\r\nc\r\r\n\r\n", "\r\n"},
	} {
		for reading, r := range map[string]io.Reader{
			"at once":                strings.NewReader(c.in),
			"one byte at a time":     iotest.OneByteReader(strings.NewReader(c.in)),
			"with EOF on the data":   iotest.DataErrReader(strings.NewReader(c.in)),
			"in halves, asked for n": iotest.HalfReader(strings.NewReader(c.in)),
		} {
			t.Run(c.name+" "+reading, func(t *testing.T) {
				m, err := Read(r, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				var fields []string
				for _, f := range m.Header {
					fields = append(fields, f.Raw)
				}
				body, err := io.ReadAll(m.Body)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Join(fields, "|") != strings.Join(c.fields, "|") || string(body) != c.body || m.LineEnding != c.ending {
					t.Errorf("Read(%q)\ngot  %q %q %q\nwant %q %q %q", c.in, fields, body, m.LineEnding, c.fields, c.body, c.ending)
				}
			})
		}
	}
}

func TestFieldNameAndValue(t *testing.T) {
	m, err := Read(strings.NewReader("Subject \t:  a: b\r\n c\r\n\r\n"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	f := m.Header[0]
	if f.Name != "Subject" || f.Value() != "  a: b\r\n c" || !f.Is("SUBJECT") || f.Is("Subjec") {
		t.Errorf("got name %q, value %q", f.Name, f.Value())
	}
}

func TestNewFieldMakesFoldsCRLF(t *testing.T) {
	if got, want := NewField("A", " 1\n 2\r\n 3").Raw, "A: 1\r\n 2\r\n 3\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatIsNoMessageIsAnError(t *testing.T) {
	for _, in := range []string{"hello world\n", "\x7fELF\x02\x01\n: x\n", " A: 1\n", ": no name\n", "no colon"} {
		if _, err := Read(strings.NewReader(in), Limits{}); !errors.Is(err, ErrNoHeader) {
			t.Errorf("Read(%q): %v, want %v", in, err, ErrNoHeader)
		}
	}
}

func TestReadErrorIsReturned(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Read(io.MultiReader(strings.NewReader("A: 1\n"), iotest.ErrReader(broken)), Limits{}); err != broken {
		t.Errorf("in the header: %v", err)
	}
	m, err := Read(io.MultiReader(strings.NewReader("A: 1\n\nx"), iotest.ErrReader(broken)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(m.Body); err != broken {
		t.Errorf("in the body: %v", err)
	}
}

func TestHeaderLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		in   io.Reader
		what string
	}{
		{"a line of 2 MiB", io.MultiReader(strings.NewReader("A: "), io.LimitReader(letters{}, 2<<20)), "bytes"},
		{"a line without end", io.MultiReader(strings.NewReader("A: "), letters{}), "bytes"},
		{"many folds", strings.NewReader("A: 1\n" + strings.Repeat(" x\n", 1<<20)), "bytes"},
		{"100,000 fields", strings.NewReader(strings.Repeat("A: 1\n", 100_000)), "fields"},
	} {
		var limit *LimitError
		if _, err := Read(c.in, Limits{}); !errors.As(err, &limit) || limit.What != c.what {
			t.Errorf("%s: %v, want a limit of %s", c.name, err, c.what)
		}
	}
	if _, err := Read(strings.NewReader(strings.Repeat("A: 1\n", 2000)), Limits{}); err != nil {
		t.Errorf("2,000 fields: %v", err)
	}
	if _, err := Read(io.MultiReader(strings.NewReader("A: "), io.LimitReader(letters{}, 1<<20-10)), Limits{}); err != nil {
		t.Errorf("a line of 1 MiB: %v", err)
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestReadingABodyKeepsNoMemory(t *testing.T) {
	in := append([]byte("A: 1\r\n\r\n"), bytes.Repeat([]byte("line\r\n"), 1<<20)...)
	r := bytes.NewReader(in)
	allocs := testing.AllocsPerRun(10, func() {
		r.Reset(in)
		m, err := Read(r, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, m.Body); err != nil || n != int64(len(in)-8) {
			t.Fatal(n, err)
		}
	})
	if allocs > 10 {
		t.Errorf("%.0f allocations for a message of 6 MiB", allocs)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"A: 1\r\n\r\nx", "A: 1\n 2\nB:3\n\nx\ny", "From x\nA:1", "\n", "A", "A:\r\r\n\n\r"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := Read(bytes.NewReader(in), Limits{})
		slow, slowErr := Read(iotest.OneByteReader(bytes.NewReader(in)), Limits{})
		if (err == nil) != (slowErr == nil) {
			t.Fatalf("at once: %v; one byte at a time: %v", err, slowErr)
		}
		if err != nil {
			return
		}
		whole, again := flatten(t, m), flatten(t, slow)
		if whole != again {
			t.Errorf("at once:\n%q\none byte at a time:\n%q", whole, again)
		}
		if bare := nextBareLF(whole, 0); bare >= 0 {
			t.Errorf("a bare LF at %d of %q", bare, whole)
		}
	})
}

func flatten(t *testing.T, m *Message) string {
	var b strings.Builder
	for _, f := range m.Header {
		if !strings.HasPrefix(f.Raw, f.Name) || f.Name == "" {
			t.Errorf("field %q has the name %q", f.Raw, f.Name)
		}
		b.WriteString(f.Raw)
	}
	b.WriteString("\r\n")
	if _, err := io.Copy(&b, m.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
