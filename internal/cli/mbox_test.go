package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func readMbox(t *testing.T, text string) []string {
	t.Helper()
	messages := []string{}
	for s, err := range mboxSections(iotest.OneByteReader(strings.NewReader(text))) {
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		m, err := io.ReadAll(newUnquoter(strings.NewReader(text[s.start:s.end])))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		messages = append(messages, string(m))
	}
	return messages
}

func TestMboxIsSplitBelowEmptyLines(t *testing.T) {
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"one", "From a\nFrom: x\n\nbody\n", []string{"From: x\n\nbody\n"}},
		{"two", "From a\nFrom: x\n\nbody\n\nFrom b\nFrom: y\n\nother\n", []string{"From: x\n\nbody\n", "From: y\n\nother\n"}},
		{"CRLF", "From a\r\nFrom: x\r\n\r\nbody\r\n\r\nFrom b\r\nFrom: y\r\n\r\n", []string{"From: x\r\n\r\nbody\r\n", "From: y\r\n"}},
		{"no empty line above", "From a\nFrom: x\n\nbody\nFrom here on\n", []string{"From: x\n\nbody\nFrom here on\n"}},
		{"no end of line", "From a\nFrom: x\n\nbody", []string{"From: x\n\nbody"}},
		{"an empty line at the end", "From a\nFrom: x\n\nbody\n\n", []string{"From: x\n\nbody\n"}},
		{"no body", "From a\nFrom: x\n\nFrom b\nFrom: y\n", []string{"From: x\n", "From: y\n"}},
		{"nothing but the line", "From a", nil},
	} {
		got := readMbox(t, c.text)
		if strings.Join(got, "|") != strings.Join(c.want, "|") || len(got) != len(c.want) {
			t.Errorf("%s: %q\ngot  %q\nwant %q", c.what, c.text, got, c.want)
		}
	}
}

func TestMboxrdQuotesAreUndone(t *testing.T) {
	text := "From a\nFrom: x\n\n>From me\n>>From you\n> From\n>Frome\n"
	want := "From: x\n\nFrom me\n>From you\n> From\n>Frome\n"
	if got := readMbox(t, text); len(got) != 1 || got[0] != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLineLongerThanTheBufferIsLeftWhole(t *testing.T) {
	long := strings.Repeat("x", mboxBuffer) + ">From \nFrom "
	text := "From a\nFrom: x\n\n" + long + "\n\nFrom b\nFrom: y\n"
	got := readMbox(t, text)
	if len(got) != 2 || got[0] != "From: x\n\n"+long+"\n" {
		t.Errorf("got %d messages, the first with %d bytes; want 2 and %d", len(got), len(got[0]), len(long)+10)
	}
}

// What is quoted as mboxrd asks and put together comes out again, message for message.
func FuzzMbox(f *testing.F) {
	f.Add([]byte("From: x\n\nbody\n"), []byte("From: y\n\nFrom here\n>From there\n"))
	f.Add([]byte("\n\n\n"), []byte(">"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var text bytes.Buffer
		var want []string
		for _, m := range [][]byte{a, b} {
			if bytes.IndexByte(m, '\r') >= 0 || len(m) > 0 && m[len(m)-1] != '\n' {
				m = append(bytes.ReplaceAll(m, []byte("\r"), nil), '\n')
			}
			want = append(want, string(m))
			text.WriteString("From someone\n")
			for line := range bytes.Lines(m) {
				if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte(mboxStart)) {
					text.WriteByte('>')
				}
				text.Write(line)
			}
			text.WriteByte('\n')
		}
		got := readMbox(t, text.String())
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("%q\ngot  %q\nwant %q", text.String(), got, want)
		}
	})
}
