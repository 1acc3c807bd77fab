package spf

import (
	"errors"
	"strings"
	"testing"
)

func TestAddPutsAMechanismBeforeAllAndLeavesTheRest(t *testing.T) {
	for _, c := range []struct{ record, term, want string }{
		{"v=spf1 -all", "mx", "v=spf1 mx -all"},
		{"v=spf1", "mx", "v=spf1 mx"},
		{"V=SPF1  MX   ~ALL ", "a:x.example.com", "V=SPF1  MX a:x.example.com   ~ALL "},
		{"v=spf1 mx redirect=_spf.example.net", "a", "v=spf1 mx a redirect=_spf.example.net"},
		{"v=spf1 exp=e.example.com mx ra=postmaster", "a", "v=spf1 exp=e.example.com mx a ra=postmaster"},
		{"v=spf1 redirect=_spf.example.net", "a", "v=spf1 a redirect=_spf.example.net"},
		{"v=spf1 exp=e.example.com -all mx", "a", "v=spf1 a exp=e.example.com -all mx"},
		{"v=spf1 mx -all", "exp=e.example.com", "v=spf1 mx -all exp=e.example.com"},
		{"v=spf1 ip4:192.0.2.1/32 -all", "+IP4:192.0.2.1", "v=spf1 ip4:192.0.2.1/32 -all"},
		{"v=spf1 include:_SPF.example.net. -all", "include:_spf.example.net", "v=spf1 include:_SPF.example.net. -all"},
		{"v=spf1 -mx -all", "mx", "v=spf1 -mx mx -all"},
		{"v=spf1 mx", "~all", "v=spf1 mx ~all"},
		{"v=spf1 bogus -all", "mx", "v=spf1 bogus mx -all"},
	} {
		if got, err := Add(c.record, c.term); err != nil || got != c.want {
			t.Errorf("%q and %q: got %q, %v, want %q", c.record, c.term, got, err, c.want)
		}
	}
}

func TestAddRefusesWhatWouldBeWrong(t *testing.T) {
	for _, c := range []struct{ record, term, says string }{
		{"v=spf10", "mx", "begins with v=spf1"},
		{"v=spf1 -all", "", "not one term"},
		{"v=spf1 -all", "mx a", "not one term"},
		{"v=spf1 -all", "moo", "no such mechanism"},
		{"v=spf1 -all", "ip4:192.0.2.1/33", "32 at most"},
		{"v=spf1 -all", "~all", `has "-all" already`},
		{"v=spf1 redirect=a.example.com", "redirect=b.example.com", "already"},
	} {
		if got, err := Add(c.record, c.term); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q and %q: got %q, %v, want an error that says %q", c.record, c.term, got, err, c.says)
		}
	}
}

func TestRemoveTakesATermOutHoweverItIsWritten(t *testing.T) {
	for _, c := range []struct{ record, term, want string }{
		{"v=spf1 +a ptr -all", "a", "v=spf1 ptr -all"},
		{"v=spf1  mx   A  -all ", "+a", "v=spf1  mx  -all "},
		{"v=spf1 a mx a -all", "a", "v=spf1 mx -all"},
		{"v=spf1 include:A.example.com. -all", "include:a.example.com", "v=spf1 -all"},
		{"v=spf1 ip6:2001:DB8:0::/32 -all", "ip6:2001:db8::/32", "v=spf1 -all"},
		{"v=spf1 exists:%{i}.a.example.com exists:%{I}.a.example.com -all", "exists:%{I}.a.example.com", "v=spf1 exists:%{i}.a.example.com -all"},
		{"v=spf1 include=x.example.net moo -all", "moo", "v=spf1 include=x.example.net -all"},
		{"v=spf1 include=x.example.net -all", "INCLUDE=x.example.net", "v=spf1 -all"},
		{"v=spf1 redirect=a.example.com", "redirect=a.example.com", "v=spf1"},
	} {
		if got, err := Remove(c.record, c.term); err != nil || got != c.want {
			t.Errorf("%q without %q: got %q, %v, want %q", c.record, c.term, got, err, c.want)
		}
	}
	for _, term := range []string{"a", "-mx", "mx/24", "moo"} {
		if got, err := Remove("v=spf1 mx -all", term); !errors.Is(err, ErrNoTerm) {
			t.Errorf("%q: got %q, %v, want %v", term, got, err, ErrNoTerm)
		}
	}
	for _, term := range []string{"", "mx -all"} {
		if got, err := Remove("v=spf1 mx -all", term); err == nil {
			t.Errorf("%q: got %q, want an error", term, got)
		}
	}
}

func TestSetAllChangesTheQualifierOrAddsAll(t *testing.T) {
	for _, c := range []struct {
		record    string
		qualifier byte
		want      string
	}{
		{"v=spf1 mx ~all", '-', "v=spf1 mx -all"},
		{"v=spf1 mx All exp=e.example.com", '-', "v=spf1 mx -All exp=e.example.com"},
		{"v=spf1 mx", '~', "v=spf1 mx ~all"},
		{"v=spf1 mx exp=e.example.com", '-', "v=spf1 mx -all exp=e.example.com"},
		{"v=spf1 all", '+', "v=spf1 all"},
		{"v=spf1 ?all -all", '-', "v=spf1 -all -all"},
		{"v=spf1 mx ~all redirect=a.example.com", '-', "v=spf1 mx -all redirect=a.example.com"},
	} {
		if got, err := SetAll(c.record, c.qualifier); err != nil || got != c.want {
			t.Errorf("%q with %q: got %q, %v, want %q", c.record, c.qualifier, got, err, c.want)
		}
	}
	for _, c := range []struct {
		record    string
		qualifier byte
	}{{"v=spf1 mx redirect=a.example.com", '-'}, {"v=spf1 mx", 'x'}, {"v=spf1 mx", 0}, {"mx -all", '-'}} {
		if got, err := SetAll(c.record, c.qualifier); err == nil {
			t.Errorf("%q with %q: got %q, want an error", c.record, c.qualifier, got)
		}
	}
}

// FuzzEdit holds edits to changing nothing but the term, and to undoing each other.
func FuzzEdit(f *testing.F) {
	f.Add("v=spf1 mx -all", "a")
	f.Add("V=SPF1  moo redirect=a.example.com  ?all x ", "include:_spf.example.net")
	f.Add("v=spf1 exp=e.example.com", "exp=f.example.com")
	f.Fuzz(func(t *testing.T, record, term string) {
		with, err := Add(record, term)
		if err != nil || with == record {
			return
		}
		if len(with) != len(record)+1+len(term) {
			t.Fatalf("%q and %q make %q", record, term, with)
		}
		before, _ := Parse(record)
		after, _ := Parse(with)
		if len(after.Terms) != len(before.Terms)+1 {
			t.Fatalf("%q and %q make %q, of %d terms", record, term, with, len(after.Terms))
		}
		without, err := Remove(with, term)
		if err != nil || without != record {
			t.Fatalf("%q and %q make %q and then %q (%v)", record, term, with, without, err)
		}
		if strict, err := SetAll(with, '-'); err == nil {
			if again, err := SetAll(strict, '-'); err != nil || again != strict {
				t.Fatalf("%q becomes %q and then %q (%v)", with, strict, again, err)
			}
		}
	})
}
