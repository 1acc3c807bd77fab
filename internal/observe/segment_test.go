package observe

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// Whatever a file holds, reading it ends, gives whole entries alone, and the same ones again from the part that it calls whole.
func FuzzRead(f *testing.F) {
	var counted fold
	d := decision(1)
	d.Exception = 3
	counted.add(d)
	good := counted.append(appendDecision([]byte(magic), d))
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte(magic))
	f.Add([]byte(magic + "\x01\x00\x00\x00aaaad"))
	f.Fuzz(func(t *testing.T, in []byte) {
		visit := func(all *[][]byte) func(byte, []byte) error {
			return func(kind byte, body []byte) error {
				*all = append(*all, append([]byte{kind}, body...))
				return nil
			}
		}
		var first, again [][]byte
		whole, err := read(bytes.NewReader(in), visit(&first))
		if err != nil && !errors.Is(err, errTorn) && !errors.Is(err, errNoSegment) {
			t.Fatal(err)
		}
		if whole < 0 || whole > int64(len(in)) || err == nil && whole != int64(len(in)) {
			t.Fatalf("%d of %d bytes are whole, with %v", whole, len(in), err)
		}
		if _, err := read(bytes.NewReader(in[:whole]), visit(&again)); err != nil {
			t.Fatalf("what is whole is not: %v", err)
		}
		if !slices.EqualFunc(first, again, bytes.Equal) {
			t.Fatalf("got %q, then %q", first, again)
		}
		var f fold
		for _, e := range first {
			if e[0] == decisionEntry {
				var d store.Decision
				if d.UnmarshalBinary(e[1:]) == nil {
					f.add(&d)
				}
				continue
			}
			_ = f.take(e[0], e[1:])
		}
		var b store.Batch
		if err := f.fill(&b); err != nil {
			t.Fatal(err)
		}
		var written fold
		if _, err := read(bytes.NewReader(f.append([]byte(magic))), written.take); err != nil {
			t.Fatalf("counts that were written cannot be read: %v", err)
		}
		if written.messages != f.messages || len(written.counts) != len(f.counts) || len(written.uses) != len(f.uses) {
			t.Fatalf("wrote %+v, read %+v", f, written)
		}
	})
}

func FuzzParseName(f *testing.F) {
	f.Add(segmentName(1795521600, "00ff", 12))
	f.Add("...journal")
	f.Fuzz(func(t *testing.T, name string) {
		source, number, ok := parseName(name)
		if ok && (source == "" || number < 1) {
			t.Fatalf("%q: %q, %d", name, source, number)
		}
		if s, n, ok := parseName(segmentName(7, "ab", max(number, 1))); !ok || s != "ab" || n != max(number, 1) {
			t.Fatalf("got %q, %d", s, n)
		}
	})
}

func TestReadingStopsAtAnEntryThatIsTooLong(t *testing.T) {
	b := beginEntry([]byte(magic), decisionEntry)
	b = endEntry(append(b, make([]byte, maxEntry)...), len(magic))
	whole, err := read(bytes.NewReader(b), func(byte, []byte) error { t.Error("it was visited"); return nil })
	if whole != int64(len(magic)) || !errors.Is(err, errTorn) {
		t.Errorf("got %d, %v", whole, err)
	}
}

func TestTheLongestDecisionFitsAnEntry(t *testing.T) {
	long := string(bytes.Repeat([]byte("a"), 10_000))
	d := &store.Decision{
		Reference: long, QueueID: long, MessageID: long, Helo: long, MailFrom: long, EnvelopeDomain: long,
		Recipients: slices.Repeat([]string{long}, 100), AuthorDomain: long,
		SPF:  slices.Repeat([]store.SPF{{Identity: long, Domain: long, Result: long}}, 9),
		DKIM: slices.Repeat([]store.Signature{{Result: long, SDID: long, Selector: long}}, 100), ARC: long, DMARC: long, PolicyDomain: long,
		Policy: long, Disposition: long, Record: long, Verdict: long, Rule: long, Mode: long, Done: long, Reason: long,
		Watched: slices.Repeat([]store.Watched{{Rule: long, Action: long}}, 100), Exception: 1 << 62,
	}
	var f fold
	f.add(d)
	f.counts[string(f.scratch)] = 1 << 62
	visited := 0
	whole := f.append(appendDecision([]byte(magic), d))
	if _, err := read(bytes.NewReader(whole), func(byte, []byte) error { visited++; return nil }); err != nil || visited != 3 {
		t.Errorf("%d entries, %v", visited, err)
	}
}
