package insight

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestAWordIsAMarkOnlyIfItSaysSomething(t *testing.T) {
	for _, c := range []struct{ domain, source, class, reason, want string }{
		{"Example.COM", "192.0.2.10", "passing", "x", "example.com 192.0.2.10"},
		{"*", "::ffff:192.0.2.10", "abuse", "x", " 192.0.2.10"},
		{"example.com", "192.0.2.77/24", "abuse", "x", "example.com 192.0.2.0/24"},
		{"example.com", "fe80::1%eth0", "abuse", "x", "example.com fe80::1"},
		{"bücher.example", "MailChimp", "unknown", "x", "xn--bcher-kva.example mailchimp"},
		{"example.com", "", "abuse", "x", "is no address, network or service"},
		{"example.com", "a b", "abuse", "x", "is no address, network or service"},
		{"example.com", "host:x", "abuse", "x", "is no address, network or service"},
		{"not a domain", "mailchimp", "abuse", "x", "is no domain"},
		{"example.com", "mailchimp", "mine", "x", "is no class"},
		{"example.com", "mailchimp", "abuse", "", "a reason is missing"},
	} {
		w := Word{Domain: c.domain, Source: c.source, Class: senders.Kind(c.class), Reason: c.reason, Author: "ada"}
		m, err := w.Mark(sunday)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v", w, err)
			}
			continue
		}
		if got := m.Domain + " " + m.Source; got != c.want || m.Author != "ada" || !m.At.Equal(sunday) {
			t.Errorf("%+v: got %+v", w, m)
		}
	}
}

// What was read once is read as the same.
func FuzzParseMark(f *testing.F) {
	for _, seed := range []string{"192.0.2.10", "192.0.2.0/24", "::ffff:192.0.2.10/96", "mailchimp", "fe80::1%1", "a/b", "İ"} {
		f.Add("example.com", seed)
	}
	f.Fuzz(func(t *testing.T, domain, source string) {
		d, s, err := ParseMark(domain, source)
		if err != nil || d == "" {
			return
		}
		if d2, s2, err := ParseMark(d, s); err != nil || d2 != d || s2 != s {
			t.Errorf("%q, %q: first %q, %q, then %q, %q, %v", domain, source, d, s, d2, s2, err)
		}
	})
}

func TestTheMarkThatHoldsComesFirst(t *testing.T) {
	s := &SourceFacts{}
	s.IP = netip.MustParseAddr("192.0.2.10")
	s.Match = senders.Match{Service: newsletters, Proof: true}
	marks := []store.SourceMark{
		{Source: "192.0.2.10"}, {Domain: "example.com", Source: "letters"}, {Domain: "example.com", Source: "192.0.2.0/24"}, {Domain: "example.com", Source: "198.51.100.1"},
		{Domain: "example.com", Source: "192.0.2.0/28"},
	}
	var got []string
	for _, m := range (&Source{of: []*SourceFacts{s}}).Marked(marks) {
		got = append(got, m.Domain+" "+m.Source)
	}
	if want := "example.com 192.0.2.0/28, example.com 192.0.2.0/24, example.com letters,  192.0.2.10"; strings.Join(got, ", ") != want {
		t.Errorf("got %q", got)
	}
}

func TestAChangeIsSaidSoThatNothingLooksLikeMoreThanItIs(t *testing.T) {
	for _, c := range []struct {
		now, before int64
		want        string
	}{{5, 5, "as before"}, {5, 0, "0 before"}, {0, 5, "−100 %"}, {110, 100, "+10 %"}, {1000, 999, "about as before"}, {5000, 4, "4 before"}} {
		if got := Change(c.now, c.before); got != c.want {
			t.Errorf("%d after %d: got %q, want %q", c.now, c.before, got, c.want)
		}
	}
	for points, want := range map[float64]string{0.04: "as before", -0.04: "as before", 3.21: "+3.2 points", -0.05: "−0.1 points"} {
		if got := Points(points); got != want {
			t.Errorf("%v: got %q, want %q", points, got, want)
		}
	}
}
