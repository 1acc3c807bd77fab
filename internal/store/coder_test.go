package store

import (
	"bytes"
	"reflect"
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
