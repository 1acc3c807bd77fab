package examine

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

func TestTheWayOfAMessageIsReadFromItsFirstServer(t *testing.T) {
	h := message.Header{
		message.NewField("Received", " from relay.example.net (relay.example.net [192.0.2.7])\r\n\tby mx.example.org (Postfix) with ESMTPS id 1; Tue, 24 Nov 2026 08:00:09 +0000"),
		message.NewField("Subject", " by the way"),
		message.NewField("Received", " by relay.example.net with SMTP id x; Tue, 24 Nov 2026 09:00:02 +0100"),
		message.NewField("received", " (odd"),
	}
	all := Hops(h)
	if len(all) != 3 {
		t.Fatalf("%d hops: %+v", len(all), all)
	}
	at := time.Date(2026, 11, 24, 8, 0, 2, 0, time.UTC)
	if o := all[0]; o.From+o.By+o.With != "" || !o.At.IsZero() || o.Text != "(odd" {
		t.Errorf("odd: %+v", o)
	}
	if o := all[1]; o.From != "" || o.By != "relay.example.net" || o.With != "SMTP" || !o.At.Equal(at) || o.Took != 0 {
		t.Errorf("relay: %+v", o)
	}
	if o := all[2]; o.From != "relay.example.net" || o.By != "mx.example.org" || o.With != "ESMTPS" || o.IP.String() != "192.0.2.7" || o.Took != 7*time.Second {
		t.Errorf("ours: %+v", o)
	}
}

func TestOnlySoManyHopsAreRead(t *testing.T) {
	var h message.Header
	for range 500 {
		h = append(h, message.NewField("Received", " by a with b"))
	}
	if n := len(Hops(h)); n != maxHops {
		t.Errorf("%d", n)
	}
}

// Whatever a field says, what is read of it stands in it.
func FuzzReadHop(f *testing.F) {
	f.Add("from a (b [192.0.2.1]) by c with ESMTPS id d for <e@f>; Tue, 24 Nov 2026 08:00:00 +0000")
	f.Add("by (( from from from;;")
	f.Fuzz(func(t *testing.T, text string) {
		o := readHop(text)
		for _, part := range []string{o.From, o.By, o.With} {
			if !strings.Contains(text, part) {
				t.Errorf("%q has %q", text, part)
			}
		}
		if o.Text != text {
			t.Errorf("%q became %q", text, o.Text)
		}
	})
}
