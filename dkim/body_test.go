package dkim

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

// canonicalBody is RFC 6376 3.4.3 and 3.4.4 word for word, and slow: what the streams are held against.
func canonicalBody(c Canon, body string) string {
	lines := strings.Split(body, "\r\n")
	if c == Relaxed {
		for i, line := range lines {
			line = strings.ReplaceAll(line, "\t", " ")
			for strings.Contains(line, "  ") {
				line = strings.ReplaceAll(line, "  ", " ")
			}
			lines[i] = strings.TrimRight(line, " ")
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 && c == Relaxed {
		return ""
	}
	return strings.Join(lines, "\r\n") + "\r\n"
}

// sumBody hashes a body in pieces of the given size.
func sumBody(c Canon, limit int64, body string, piece int) ([]byte, int64) {
	b := NewBody()
	h := b.Want(c, limit)
	for len(body) > 0 {
		n := min(piece, len(body))
		b.Write([]byte(body[:n]))
		body = body[n:]
	}
	b.Close()
	return h.Sum(), h.Length()
}

// checkBody holds the hash of a body, in pieces of every kind, to that of its canonical form.
func checkBody(t *testing.T, body, want string, c Canon) {
	t.Helper()
	if got := canonicalBody(c, body); got != want {
		t.Fatalf("the reference, %s, of %.200q\ngot  %.200q\nwant %.200q", c, body, got, want)
	}
	sum := sha256.Sum256([]byte(want))
	for _, piece := range []int{1, 2, 3, 7, 64, 4096, len(body) + 1} {
		got, length := sumBody(c, -1, body, piece)
		if !bytes.Equal(got, sum[:]) || length != int64(len(want)) {
			t.Errorf("%s of %.200q in pieces of %d\ngot  %x, %d octets\nwant %x, %d octets", c, body, piece, got, length, sum, len(want))
		}
	}
}

func TestCanonicalBody(t *testing.T) {
	for _, c := range []struct{ body, simple, relaxed string }{
		{"", "\r\n", ""}, // RFC 6376 3.4.3, 3.4.4: the empty body
		{"\r\n", "\r\n", ""},
		{"\r\n\r\n\r\n", "\r\n", ""},
		{" \t\r\n  \r\n", " \t\r\n  \r\n", ""},
		{"  ", "  \r\n", ""},
		{"a", "a\r\n", "a\r\n"},
		{"a  ", "a  \r\n", "a\r\n"},
		{"a\r\n\r\n\r\n", "a\r\n", "a\r\n"},
		{"a\r\n \r\n\t\r\n", "a\r\n \r\n\t\r\n", "a\r\n"},
		{"a\r\n\r\n\r\nb", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
		{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"}, // RFC 6376 3.4.5
		{"a\tb  c\t \td", "a\tb  c\t \td\r\n", "a b c d\r\n"},
		{"a \tb\t\r\n", "a \tb\t\r\n", "a b\r\n"},
		{"a\rb\nc \r d \n e", "a\rb\nc \r d \n e\r\n", "a\rb\nc \r d \n e\r\n"}, // bare CR and LF are characters
		{"a\r", "a\r\r\n", "a\r\r\n"},
		{"a \r", "a \r\r\n", "a \r\r\n"},
		{"\r\n\r", "\r\n\r\r\n", "\r\n\r\r\n"},
		{"a\r\r\n", "a\r\r\n", "a\r\r\n"},
		{"a\n\r\n", "a\n\r\n", "a\n\r\n"},
		{"\n", "\n\r\n", "\n\r\n"},
		{"\x00 \x00  \xff \xff\r\n", "\x00 \x00  \xff \xff\r\n", "\x00 \x00 \xff \xff\r\n"},
	} {
		t.Run(fmt.Sprintf("%q", c.body), func(t *testing.T) {
			checkBody(t, c.body, c.simple, Simple)
			checkBody(t, c.body, c.relaxed, Relaxed)
		})
	}
}

// Bodies larger than the windows in which they are looked through, with what matters at every place around their borders.
func TestCanonicalBodyAtTheBordersOfWindows(t *testing.T) {
	for _, spot := range []string{"  ", " ", "\t", " \t ", " \r\n", "\r\n", "\t\r\n \r\n", " \r", "\r"} {
		for shift := window - 12; shift < window+4; shift++ {
			body := strings.Repeat("x", shift) + spot + strings.Repeat("y", 40)
			for _, c := range []Canon{Simple, Relaxed} {
				want := canonicalBody(c, body)
				sum := sha256.Sum256([]byte(want))
				if got, _ := sumBody(c, -1, body, len(body)); !bytes.Equal(got, sum[:]) {
					t.Errorf("%s with %q at %d: got %x, want %x", c, spot, shift, got, sum)
				}
			}
		}
	}
}

func TestManyEmptyLinesTakeNoMemory(t *testing.T) {
	body := "a" + strings.Repeat("\r\n", 5000) + "b" + strings.Repeat(" \t \r\n", 5000)
	for _, c := range []Canon{Simple, Relaxed} {
		checkBody(t, body, canonicalBody(c, body), c)
	}
	b := NewBody()
	b.Want(Relaxed, -1)
	chunk := bytes.Repeat([]byte("\r\n \t"), 4096)
	if n := testing.AllocsPerRun(20, func() { b.Write(chunk) }); n != 0 {
		t.Errorf("%v allocations to write line ends, want none", n)
	}
}

func TestBodyLengthLimitsCountCanonicalOctets(t *testing.T) {
	body := "one  two \r\nthree\r\n\r\n\r\n" // relaxed: "one two\r\nthree\r\n"
	canonical := canonicalBody(Relaxed, body)
	for piece := 1; piece <= len(body); piece++ {
		b := NewBody()
		hashes := make([]*BodyHash, len(canonical)+3)
		for limit := len(hashes) - 1; limit >= 0; limit-- { // asked in another order than they become known
			hashes[limit] = b.Want(Relaxed, int64(limit))
		}
		whole := b.Want(Relaxed, -1)
		if b.Want(Relaxed, 3) != hashes[3] || b.Want(Relaxed, -7) != whole {
			t.Fatal("the same want got another hash")
		}
		for i := 0; i < len(body); i += piece {
			b.Write([]byte(body[i:min(i+piece, len(body))]))
		}
		if whole.Sum() != nil {
			t.Fatal("the hash of the whole is known before the end")
		}
		b.Close()
		for limit, h := range append(hashes, whole) {
			want := sha256.Sum256([]byte(canonical[:min(limit, len(canonical))]))
			if !bytes.Equal(h.Sum(), want[:]) || h.Length() != int64(len(canonical)) {
				t.Errorf("l=%d, pieces of %d: got %x of %d, want %x of %d", limit, piece, h.Sum(), h.Length(), want, len(canonical))
			}
		}
	}
}

func TestWantAfterTheFirstWriteIsNeverKnown(t *testing.T) {
	b := NewBody()
	b.Write([]byte("a"))
	h := b.Want(Simple, -1)
	b.Write([]byte("b"))
	b.Close()
	if h.Sum() != nil {
		t.Errorf("got %x for a hash asked for too late, want none", h.Sum())
	}
}

func FuzzCanonicalBody(f *testing.F) {
	for _, s := range []string{
		"", "\r\n", "a  ", " C \r\nD \t E\r\n\r\n\r\n", "a\r", "\r\r\n \t\r\n", "x \r y", "12345678  12345678\t\r\n",
		"A line of prose, with   spaces in it.\r\nAnother one. \r\n\r\n", strings.Repeat("0123456789", 30) + " \t" + strings.Repeat("z", 300),
	} {
		f.Add(s, uint16(3), int16(-1))
		f.Add(s, uint16(1), int16(5))
	}
	f.Fuzz(func(t *testing.T, body string, piece uint16, limit int16) {
		for _, c := range []Canon{Simple, Relaxed} {
			want := canonicalBody(c, body)
			cut := want
			if limit >= 0 {
				cut = want[:min(int(limit), len(want))]
			}
			sum := sha256.Sum256([]byte(cut))
			for _, n := range []int{int(piece)%(len(body)+2) + 1, len(body) + 1} {
				if got, length := sumBody(c, int64(limit), body, n); !bytes.Equal(got, sum[:]) || length != int64(len(want)) {
					t.Fatalf("%s of %q in pieces of %d, l=%d\ngot  %x, %d octets\nwant %x, %d octets: %q", c, body, n, limit, got, length, sum, len(want), cut)
				}
			}
		}
	})
}
