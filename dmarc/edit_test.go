package dmarc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dmarc"
)

func ExampleSet() {
	record, err := dmarc.Set("v=DMARC1; p=none; rua=mailto:dmarc@example.com; x=1", "p", "quarantine")
	fmt.Println(record, err)
	// Output: v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com; x=1 <nil>
}

func TestSetLeavesEverythingElseAsItWasWritten(t *testing.T) {
	for _, c := range []struct{ name, record, tag, value, want string }{
		{"in its place", "v=DMARC1; x=1; p=none; rua=mailto:a@b.example", "p", "reject", "v=DMARC1; x=1; p=reject; rua=mailto:a@b.example"},
		{"white space and spelling", "V = DMARC1 ;\tP =  none\t;x=Y", "p", "reject", "V = DMARC1 ;\tP =  reject\t;x=Y"},
		{"an empty value", "v=DMARC1; p= ; x=1", "p", "none", "v=DMARC1; p=none ; x=1"},
		{"only the first is left", "v=DMARC1; p=none; P=reject; x=1; p=none", "p", "quarantine", "v=DMARC1; p=quarantine; x=1"},
		{"a new tag comes last", "v=DMARC1; p=none", "rua", "mailto:a@example.com", "v=DMARC1; p=none; rua=mailto:a@example.com"},
		{"before a final semicolon", "v=DMARC1;p=none;", "t", "y", "v=DMARC1;p=none;t=y;"},
		{"before final blanks", "v=DMARC1; p=none; ; ", "t", "y", "v=DMARC1; p=none; t=y; ; "},
		{"p comes second", "v=DMARC1; rua=mailto:a@example.com", "p", "none", "v=DMARC1; p=none; rua=mailto:a@example.com"},
		{"sp behind p", "v=DMARC1; x=1; p=none; y=2", "sp", "reject", "v=DMARC1; x=1; p=none; sp=reject; y=2"},
		{"np behind sp", "v=DMARC1; p=none; sp=none; y=2", "np", "reject", "v=DMARC1; p=none; sp=none; np=reject; y=2"},
		{"np behind p", "v=DMARC1; p=none; y=2", "np", "reject", "v=DMARC1; p=none; np=reject; y=2"},
		{"nothing but a version", "v=DMARC1", "p", "none", "v=DMARC1; p=none"},
		{"a name is not part of another", "v=DMARC1; sp=none; p=none", "p", "reject", "v=DMARC1; sp=none; p=reject"},
		{"upper case", "v=DMARC1; p=none", "P", "reject", "v=DMARC1; p=reject"},
		{"what is no tag", "v=DMARC1; p; p=none", "p", "reject", "v=DMARC1; p; p=reject"},
	} {
		got, err := dmarc.Set(c.record, c.tag, c.value)
		if err != nil || got != c.want {
			t.Errorf("%s: Set(%q, %s, %s) = %q, %v; want %q", c.name, c.record, c.tag, c.value, got, err, c.want)
		}
	}
}

func TestUnsetLeavesEverythingElseAsItWasWritten(t *testing.T) {
	for _, c := range []struct{ record, tag, want string }{
		{"v=DMARC1; p=none; pct=50; x=1", "pct", "v=DMARC1; p=none; x=1"},
		{"v=DMARC1; p=none; PCT = 50;", "pct", "v=DMARC1; p=none;"},
		{"v=DMARC1; pct=50; p=none; pct=20", "pct", "v=DMARC1; p=none"},
		{"v=DMARC1 ;  p=none", "pct", "v=DMARC1 ;  p=none"},
		{"v=DMARC1; p=none", "p", "v=DMARC1"},
		{"v=DMARC1; \u0440=reject; p=none", "\u0440", "v=DMARC1; p=none"},
	} {
		got, err := dmarc.Unset(c.record, c.tag)
		if err != nil || got != c.want {
			t.Errorf("Unset(%q, %s) = %q, %v; want %q", c.record, c.tag, got, err, c.want)
		}
	}
}

func TestWhatIsNoRecordOrNoTagIsNotEdited(t *testing.T) {
	for _, c := range []struct{ record, tag, value string }{
		{"v=spf1 -all", "p", "none"},
		{"v=DMARC1 p=none", "p", "none"},
		{"", "p", "none"},
		{"v=DMARC1; p=none", "v", "DMARC1"},
		{"v=DMARC1; p=none", "", "none"},
		{"v=DMARC1; p=none", "p q", "none"},
		{"v=DMARC1; p=none", "p", ""},
		{"v=DMARC1; p=none", "p", "none; x=1"},
		{"v=DMARC1; p=none", "p", "none\n"},
		{"v=DMARC1; p=none", "p", " none"},
	} {
		if got, err := dmarc.Set(c.record, c.tag, c.value); err == nil {
			t.Errorf("Set(%q, %q, %q) = %q, and no error", c.record, c.tag, c.value, got)
		}
	}
	for _, c := range []struct{ record, tag string }{{"p=none", "p"}, {"v=DMARC1; p=none", "v"}, {"v=DMARC1; p=none", " "}} {
		if got, err := dmarc.Unset(c.record, c.tag); err == nil {
			t.Errorf("Unset(%q, %q) = %q, and no error", c.record, c.tag, got)
		}
	}
}

// FuzzEdit holds edits to this: the tag has its value, once, and of all others not one byte has changed.
func FuzzEdit(f *testing.F) {
	f.Add("v=DMARC1; p=none; rua=mailto:a@example.com; p=reject;", "p", "reject")
	f.Add("V = DMARC1 ;\tSP = none ;;", "np", "quarantine")
	f.Add("v=DMARC1;=;p==;\x00=\xff", "rua", "mailto:a@example.com")
	f.Fuzz(func(t *testing.T, record, tag, value string) {
		edited, err := dmarc.Set(record, tag, value)
		if err != nil {
			return
		}
		var values []string
		var others strings.Builder
		for part := range strings.SplitSeq(edited, ";") {
			if name, v, ok := strings.Cut(part, "="); ok && strings.EqualFold(strings.Trim(name, " \t"), tag) {
				values = append(values, strings.Trim(v, " \t"))
				continue
			}
			others.WriteString(";" + part)
		}
		if len(values) != 1 || values[0] != value {
			t.Errorf("Set(%q, %q, %q) = %q: the values are %q", record, tag, value, edited, values)
		}
		without, err := dmarc.Unset(record, tag)
		if err != nil || ";"+without != others.String() {
			t.Errorf("Set(%q, %q, %q) = %q, and without the tag the record is %q, %v", record, tag, value, edited, without, err)
		}
		if again, err := dmarc.Set(edited, tag, value); err != nil || again != edited {
			t.Errorf("setting it again: %q, %v, was %q", again, err, edited)
		}
	})
}

func TestInspectGivesARecordThatIsOfNoUse(t *testing.T) {
	r, err := dmarc.Inspect("v=DMARC1; p=rejct; sp=none")
	if err == nil || r == nil {
		t.Fatalf("record %v, error %v", r, err)
	}
	if p, ok := r.Tag("p"); !ok || p.Value != "rejct" {
		t.Errorf("p is %+v, %v", p, ok)
	}
	if _, ok := r.Tag("np"); ok {
		t.Error("np is not there")
	}
	if r, err := dmarc.Inspect("v=spf1 -all"); r != nil || err == nil {
		t.Errorf("what is no record: %v, %v", r, err)
	}
}
