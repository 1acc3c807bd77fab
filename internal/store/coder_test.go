package store

import (
	"bytes"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnObservationLeavesOutWhatIsOfOneMessage(t *testing.T) {
	a := Decision{Time: time.Date(2026, 11, 24, 23, 59, 59, 0, time.FixedZone("", -3600)), AuthorDomain: "example.com", Helo: "MX.Example.com",
		DKIM: []Signature{{"pass", "b.example", "s"}, {"pass", "a.example", "s"}, {"pass", "b.example", "s"}}}
	b := Decision{Time: time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), AuthorDomain: "example.com", Helo: "mx.example.com", Reference: "r",
		QueueID: "q", MessageID: "m", MailFrom: "x", Recipients: []string{"y"}, Reason: "z",
		DKIM: []Signature{{"pass", "a.example", "s"}, {"pass", "b.example", "s"}}}
	if oa, ob := Observe(&a), Observe(&b); !reflect.DeepEqual(oa, ob) || !oa.Day.Equal(b.Time) {
		t.Errorf("got %+v\nand %+v", oa, ob)
	}
}

func TestWhatAnOlderProgramWroteIsReadWithTheRestZero(t *testing.T) {
	d := Decision{Reference: "r", QueueID: "q", AuthorDomain: "example.com", Verdict: "reject"}
	b, _ := d.AppendBinary(nil)
	var got Decision
	if err := got.UnmarshalBinary(b[:3]); err != nil || got.Reference != "r" || got.AuthorDomain != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := got.UnmarshalBinary(append(b, "what a newer one adds"...)); err != nil || got.Verdict != "reject" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestADocumentIsHardlyLongerThanItsTextsButForControlCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	d, err := connectSQLite(t.Context(), path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, c := range []string{"a", "<", "\x7f", "\"", "\\", "\n", "\xff", "\u2028"} {
		long := strings.Repeat(c, 1000)
		row := Decision{MessageID: long, Helo: long, Reason: long, Recipients: slices.Repeat([]string{long}, maxRecipients)}
		if err := d.AddBatch(t.Context(), Batch{Source: "a", Number: int64(i + 1), Decisions: []Decision{row}}); err != nil {
			t.Fatal(err)
		}
		var bytes int
		if err := d.read.QueryRowContext(t.Context(), `SELECT length(CAST(document AS BLOB)) FROM decisions ORDER BY id DESC LIMIT 1`).Scan(&bytes); err != nil {
			t.Fatal(err)
		}
		if texts := 2*maxText + maxDomain + maxRecipients*maxAddress; bytes > 2*texts+1000 {
			t.Errorf("%q: %d bytes for %d bytes of text", c, bytes, texts)
		}
	}
}

func FuzzDecision(f *testing.F) {
	d := Decision{Time: time.Unix(1, 0), Reference: "r", Recipients: []string{"a", "b"}, SPF: []SPF{{"helo", "d", "pass"}},
		DKIM: []Signature{{"pass", "d", "s"}}, Watched: []Watched{{"r", "reject"}}, Exception: -7}
	b, _ := d.AppendBinary(nil)
	f.Add(b)
	f.Add(b[:10])
	f.Fuzz(func(t *testing.T, in []byte) {
		var d, again Decision
		if d.UnmarshalBinary(in) != nil {
			return
		}
		out, _ := d.AppendBinary(nil)
		if len(out) > MaxEncoded {
			t.Fatalf("%d bytes", len(out))
		}
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		twice, _ := again.AppendBinary(nil)
		if !bytes.Equal(out, twice) {
			t.Fatalf("got  %q\nwant %q", twice, out)
		}
	})
}

func FuzzObservation(f *testing.F) {
	o := Observation{Day: time.Unix(86400, 0), AuthorDomain: "d", DKIM: []Signature{{"pass", "d", "s"}}}
	b, _ := o.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		var o, again Observation
		if o.UnmarshalBinary(in) != nil {
			return
		}
		out, _ := o.AppendBinary(nil)
		if len(out) > MaxEncoded {
			t.Fatalf("%d bytes", len(out))
		}
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		twice, _ := again.AppendBinary(nil)
		if !bytes.Equal(out, twice) {
			t.Fatalf("got  %q\nwant %q", twice, out)
		}
	})
}
