package folder

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

const from = "From reporter@example.net Sun Nov  1 00:00:00 2026\n"

func TestAnMboxIsReadMessageByMessageAndNeverChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box")
	text := from + "Subject: 1\n\nFrom here it goes on\n>From quoted\n>>From twice\n\n" + from + "Subject: 2\n\n\n\nbad\n\n" + from + "Subject: 3\n\nno line end"
	write(t, path, text)
	im := &inboxtest.Importer{Decide: refuse}
	in := input(t, Options{Paths: []string{path}, After: Delete, Bad: filepath.Join(t.TempDir(), "bad")})
	for range 2 {
		if err := in.Once(t.Context(), im); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"Subject: 1\n\nFrom here it goes on\nFrom quoted\n>From twice\n", "Subject: 2\n\n\n\nbad\n", "Subject: 3\n\nno line end"}
	if got := bodies(im); !slices.Equal(got, want) {
		t.Errorf("taken in: %q", got)
	}
	if now, _ := os.ReadFile(path); string(now) != text {
		t.Error("the mbox was changed")
	}
	write(t, path, text+"\n\n"+from+"Subject: 4\n\n")
	os.Chtimes(path, time.Now().Add(-time.Minute), time.Now().Add(-time.Minute))
	if err := in.Once(t.Context(), im); err != nil {
		t.Fatal(err)
	}
	if got := im.Taken(); len(got) != 4 || got[3].Body != "Subject: 4\n" {
		t.Errorf("after it has grown: %d items, the last %q", len(got), got[len(got)-1].Body)
	}
	im.Decide = nil
	if err := once(t, Options{Paths: []string{path}}, im); err != nil || im.Count() != 8 {
		t.Errorf("another program offers all again: %d items, error %v", im.Count(), err)
	}
}

func TestAnMboxInADirectoryIsMovedWhenAllItsMessagesAreCommitted(t *testing.T) {
	dir := t.TempDir()
	in, done, bad := filepath.Join(dir, "in"), filepath.Join(dir, "done"), filepath.Join(dir, "bad")
	write(t, filepath.Join(in, "mixed"), from+"good\n\n"+from+"bad\n\n"+from+"good too\n")
	write(t, filepath.Join(in, "none"), from+"bad\n")
	im := &inboxtest.Importer{Batch: 2, Decide: refuse}
	if err := once(t, Options{Paths: []string{in}, After: Move, Done: done, Bad: bad}, im); err != nil {
		t.Fatal(err)
	}
	if got := names(t, done); !slices.Equal(got, []string{"mixed"}) || im.Count() != 4 {
		t.Errorf("done: %q after %d items", got, im.Count())
	}
	if got := names(t, bad); !slices.Equal(got, []string{"none", "none.reason.txt"}) {
		t.Errorf("bad: %q", got)
	}
}

func TestAMessageOfAnMboxThatIsTooLargeDoesNotKeepTheOthersBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "box")
	write(t, path, from+strings.Repeat("x", 100)+"\n"+strings.Repeat("y\n", 50_000)+"\n"+from+"good\n")
	im := new(inboxtest.Importer)
	in := input(t, Options{Paths: []string{path}, MaxSize: 1000})
	if err := in.Once(t.Context(), im); err != nil || in.State().TooLarge != 1 {
		t.Errorf("the state is %+v, error %v", in.State(), err)
	}
	if got := bodies(im); !slices.Equal(got, []string{"good\n"}) {
		t.Errorf("taken in: %q", got)
	}
}

func TestTheLineBeforeAMessageIsTold(t *testing.T) {
	for line, want := range map[string]bool{
		"From a@example.com Sun Nov  1 00:00:00 2026":       true,
		"From a@example.com Sun Nov  1 00:00:00 2026 +0100": true,
		"From a@example.com Sun Nov  1 00:00:00 CET 2026":   true,
		"From - Sun Nov  1 00:00:00 2026\r\n":               true,
		"From MAILER-DAEMON Sun Nov 1 00:00 2026":           true,
		"From here on it is 12:00 and all is well":          false,
		"From: a@example.com":                               false,
		"From 2026 to 2027":                                 false,
		">From a@example.com Sun Nov  1 00:00:00 2026":      false,
		"": false,
	} {
		if got := isFromLine([]byte(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// FuzzMbox holds to this: whatever the bytes are, each message's end is the next one's beginning, nothing is read twice, and what is written as
// an mbox is read as it was.
func FuzzMbox(f *testing.F) {
	f.Add("Subject: 1\n\nbody\n", "From here\n>From there\n")
	f.Add("\n\n\n", "x")
	f.Add(from+from, "From a 00:00 2026")
	f.Fuzz(func(t *testing.T, a, b string) {
		read := func(text string) (all []string) {
			r := &mboxReader{r: bufio.NewReaderSize(strings.NewReader(text), 256), limit: 1 << 20, spool: new(spool.Room)}
			for {
				s, err := r.next()
				if errors.Is(err, io.EOF) {
					if r.offset != int64(len(text)) {
						t.Fatalf("%d of %d bytes were read", r.offset, len(text))
					}
					return all
				}
				if err != nil {
					t.Fatal(err)
				}
				body, _ := s.Open()
				bytes, err := io.ReadAll(body)
				if err != nil || int64(len(bytes)) != s.Size() {
					t.Fatal(err)
				}
				s.Close()
				all = append(all, string(bytes))
			}
		}
		total := 0
		for _, m := range read(a + b) {
			total += len(m)
		}
		if total > len(a+b) {
			t.Fatalf("%d bytes came of %d", total, len(a+b))
		}
		var text strings.Builder
		for _, m := range []string{a, b} {
			text.WriteString(from)
			for line := range strings.Lines(m) {
				if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
					line = ">" + line
				}
				text.WriteString(line)
			}
			if !strings.HasSuffix(m, "\n") {
				text.WriteString("\n")
			}
			text.WriteString("\n")
		}
		got := read(text.String())
		if len(got) != 2 {
			t.Fatalf("%d messages of 2: %q", len(got), fmt.Sprint(got))
		}
		for i, m := range []string{a, b} {
			if !strings.HasSuffix(m, "\n") {
				m += "\n"
			}
			if got[i] != m {
				t.Fatalf("message %d is %q, not %q", i, got[i], m)
			}
		}
	})
}
