package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func marked(all []WordChange) string {
	var parts []string
	for _, w := range all {
		parts = append(parts, map[string]string{"same": "", "gone": "-", "new": "+"}[w.Change]+"["+w.Text+"]")
	}
	return strings.Join(parts, " ")
}

func TestAChangeIsToldByWords(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{"v=DMARC1; p=none; rua=x", "v=DMARC1; p=reject; rua=x", "[v=DMARC1;] -[p=none;] +[p=reject;] [rua=x]"},
		{"v=spf1 a -all", "v=spf1 a mx include:x -all", "[v=spf1 a] +[mx include:x] [-all]"},
		{"v=spf1 a b c -all", "v=spf1 -all", "[v=spf1] -[a b c] [-all]"},
		{"", "v=spf1", "+[v=spf1]"},
		{"v=spf1", "", "-[v=spf1]"},
		{"", "", ""},
		{"a  b", "a b", "[a b]"},
		{"b a", "a b", "-[b] [a] +[b]"},
	} {
		if got := marked(wordChanges(c.old, c.now)); got != c.want {
			t.Errorf("%q, %q: %s, want %s", c.old, c.now, got, c.want)
		}
	}
	long := strings.Repeat("x ", mostWords+1)
	if got := wordChanges(long, "y"); len(got) != 2 || got[0].Change != "gone" || got[1].Text != "y" {
		t.Errorf("a long one: %d parts", len(got))
	}
}

// Whatever the texts are, what is the same and gone makes the old one, and what is the same and new the new one.
func FuzzWordChanges(f *testing.F) {
	f.Add("v=spf1 a -all", "v=spf1 mx -all")
	f.Add("", "x x x")
	f.Fuzz(func(t *testing.T, old, now string) {
		var was, is []string
		for _, w := range wordChanges(old, now) {
			if w.Change != "new" {
				was = append(was, w.Text)
			}
			if w.Change != "gone" {
				is = append(is, w.Text)
			}
		}
		if strings.Join(was, " ") != strings.Join(strings.Fields(old), " ") || strings.Join(is, " ") != strings.Join(strings.Fields(now), " ") {
			t.Errorf("%q, %q: %q, %q", old, now, was, is)
		}
	})
}

func TestTheHistoryOfADomainIsTold(t *testing.T) {
	d, _, s := checkDesk(t, "")
	day := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	for i, records := range [][]store.Published{
		{{Kind: "spf", Name: "shop.example", Text: "v=spf1 ~all"}, {Kind: "finding", Name: "spf spf-softfail shop.example", Text: "warning"}, {Kind: "area", Name: "spf", Text: "known"}, {Kind: "audit", Text: "C"}},
		{{Kind: "spf", Name: "shop.example", Text: "v=spf1 ~all"}, {Kind: "audit", Text: "C"}},
		{{Kind: "spf", Name: "shop.example", Text: "v=spf1 -all"}, {Kind: "finding", Name: "spf spf-softfail shop.example"}, {Kind: "audit", Text: "B"}},
	} {
		if err := s.SeePublished(t.Context(), "shop.example", records, day.AddDate(0, 0, i)); err != nil {
			t.Fatal(err)
		}
	}
	r, err := d.Records(keep.Patient(t.Context()), shopkeeper, &RecordsIn{Domain: "shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	third := day.AddDate(0, 0, 2)
	if !r.Watched || !r.Looked.Equal(third) || !r.Next.Equal(third.Add(6*time.Hour)) {
		t.Errorf("watched %t, looked %s, next %s", r.Watched, r.Looked, r.Next)
	}
	if len(r.Records) != 1 || len(r.Records[0].Texts) != 2 || !r.Records[0].Texts[0].Present || r.Records[0].Texts[0].Text != "v=spf1 -all" {
		t.Errorf("%+v", r.Records)
	}
	if len(r.Changes) != 1 || !r.Changes[0].At.Equal(third) || marked(r.Changes[0].Words) != "[v=spf1] -[~all] +[-all]" {
		t.Errorf("%+v", r.Changes)
	}
	if len(r.Grades) != 2 || r.Grades[0].Text != "B" || r.Grades[1].Text != "C" {
		t.Errorf("%+v", r.Grades)
	}
	if len(r.Findings) != 1 || r.Findings[0] != (FoundLine{ID: "spf-softfail", Subject: "shop.example", Since: third, First: day}) {
		t.Errorf("%+v", r.Findings)
	}
	none, err := d.Records(keep.Patient(t.Context()), shopkeeper, &RecordsIn{Domain: "nobodys.example"})
	if err != nil || none.Watched || len(none.Records) != 0 || none.Changes == nil {
		t.Errorf("%+v, %v", none, err)
	}
}

func TestAWatchThatNeverLooksWatchesNothing(t *testing.T) {
	d, _, _ := checkDesk(t, "")
	c := *config.Default()
	c.Reports.Domains, c.Watch.Every = []string{"shop.example"}, 0
	d.Config = func() *config.Config { return &c }
	if r, err := d.Records(keep.Patient(t.Context()), shopkeeper, &RecordsIn{Domain: "shop.example"}); err != nil || r.Watched || r.Every != "" {
		t.Errorf("%+v, %v", r, err)
	}
}
