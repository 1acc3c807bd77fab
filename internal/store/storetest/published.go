package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func published(t *testing.T, s store.Store, domain string) []store.Published {
	t.Helper()
	all, err := s.Published(t.Context(), domain)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func see(t *testing.T, s store.Store, domain string, at time.Time, all ...store.Published) {
	t.Helper()
	if err := s.SeePublished(t.Context(), domain, all, at); err != nil {
		t.Fatal(err)
	}
}

func publishedTexts(t *testing.T, open Place) {
	s, other := open(t), open(t)
	text := func(text string) store.Published {
		return store.Published{Kind: "spf", Name: "example.com", Text: text}
	}
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	see(t, s, "Example.com.", hour(0), text("a"), store.Published{Kind: "dmarc", Name: "_dmarc.example.com", Text: "d"})
	see(t, other, "example.com", hour(1), text("a"))
	see(t, s, "example.com", hour(2), text(""))
	see(t, s, "example.com", hour(3), text("b"))
	see(t, s, "example.com", hour(4), text("a"))
	see(t, s, "example.com", hour(4), text("a")) // a job may be done twice
	see(t, s, "example.com", hour(5), text("a"))
	see(t, s, "example.net", hour(5), text("other"))
	want := []store.Published{
		{Kind: "dmarc", Name: "_dmarc.example.com", Text: "d", Present: true, Since: hour(0), First: hour(0), Last: hour(0)},
		{Kind: "spf", Name: "example.com", Text: "a", Present: true, Since: hour(4), First: hour(0), Last: hour(5)},
		{Kind: "spf", Name: "example.com", Text: "b", Since: hour(3), First: hour(3), Last: hour(3)},
		{Kind: "spf", Name: "example.com", Since: hour(2), First: hour(2), Last: hour(2)},
	}
	got := published(t, other, "EXAMPLE.com")
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		want[i].Hash = store.PublishedHash(want[i].Text)
		if got[i] != want[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], want[i])
		}
	}
	if all := published(t, s, "example.org"); len(all) != 0 {
		t.Errorf("of another domain: %+v", all)
	}
}

func publishedBounded(t *testing.T, open Place) {
	s := open(t)
	long := strings.Repeat("é", 100_000)
	see(t, s, "example.com", noon, store.Published{Kind: "dkim", Name: strings.Repeat("n", 2000), Text: long},
		store.Published{Kind: "dkim", Name: "odd'; DROP TABLE published", Text: "\x00\xff'\""})
	see(t, s, "example.com", noon, store.Published{Kind: "dkim", Name: strings.Repeat("n", 2000), Text: long + "x"})
	for _, p := range published(t, s, "example.com") {
		if len(p.Text) > 16<<10 || len(p.Name) > 512 {
			t.Errorf("a text of %d bytes, a name of %d", len(p.Text), len(p.Name))
		}
	}
	if n := len(published(t, s, "example.com")); n != 3 {
		t.Errorf("%d texts, of which two differ at their end only", n)
	}
	for round := range 3 {
		var all []store.Published
		for n := range 1000 {
			all = append(all, store.Published{Kind: "include", Name: fmt.Sprintf("%d.%d.example.net", round, n), Text: "v=spf1 -all"})
		}
		all = append(all, store.Published{Kind: "spf", Name: "example.com", Text: fmt.Sprint(round)})
		see(t, s, "example.com", noon.Add(time.Duration(round+1)*time.Hour), all...)
	}
	all := published(t, s, "example.com")
	if len(all) != 2000 {
		t.Errorf("%d texts are kept", len(all))
	}
	for _, p := range all {
		if p.Kind == "spf" && p.Text != "2" && p.Text != "1" || strings.HasPrefix(p.Name, "0.") {
			t.Errorf("%+v was kept, and what was seen later was not", p)
		}
	}
}
