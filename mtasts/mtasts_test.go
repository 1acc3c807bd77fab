package mtasts

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestRecords(t *testing.T) {
	for _, c := range []struct{ text, id, wrong string }{
		{"v=STSv1; id=20160831085700Z;", "20160831085700Z", ""},
		{"v=STSv1;id=a", "a", ""},
		{"v=STSv1 ; id=a ; ", "a", ""},
		{"v=STSv1; x=y; id=a", "a", ""},
		{"v=STSv1; id=a; id=b", "a", ""},
		{"v=STSv1; id=" + strings.Repeat("9", 32), strings.Repeat("9", 32), ""},
		{"v=STSv1; id=" + strings.Repeat("9", 33), "", "an id has 1 to 32"},
		{"v=STSv1; id=", "", "an id has 1 to 32"},
		{"v=STSv1; id=2026-12-01", "", "an id has 1 to 32"},
		{`v=STSv1; id="1"`, "", "an id has 1 to 32"},
		{"v=STSv1;", "", "id is missing"},
		{"v=STSv1", "", "id is missing"},
		{"v=STSv1; ID=1", "", "id is missing"},
		{"v=STSv1;; id=1", "", "has no ="},
		{"v=STSv1; id", "", "has no ="},
		{"v=STSv1; id=1; a b=c", "", "no name"},
		{"v=STSv1; id=1; a=", "", "must not have"},
		{"v=stsv1; id=1", "", "does not begin"},
		{" v=STSv1; id=1", "", "does not begin"},
		{"v=STSv12; id=1", "", "does not begin"},
	} {
		r, err := ParseRecord(c.text)
		var wrong *SyntaxError
		switch {
		case c.wrong == "" && (err != nil || r.ID != c.id):
			t.Errorf("%q: %+v, %v, want id %q", c.text, r, err, c.id)
		case c.wrong != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v, want %q", c.text, err, c.wrong)
		}
	}
}

func TestPolicies(t *testing.T) {
	const end = "max_age: 86400\n"
	for _, c := range []struct{ text, wrong string }{
		{"version: STSv1\nmode: enforce\nmx: mx.example.com\n" + end, ""},
		{"version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 86400", ""},
		{"mode:enforce\nmx:\t*.example.com  \nversion:STSv1\n" + end, ""},
		{"version: STSv1\nmode: none\n" + end, ""},
		{"version: STSv1\nmode: none\nx-y.z_1: some text\n" + end, ""},
		{"version: STSv1\nmode: none\nmode: enforce\n" + end, ""},
		{"version: STSv1\nmode: none\n" + end + "\n\n", ""},
		{"version: STSv1\nmode: enforce\n" + end, "mx is missing"},
		{"mode: none\n" + end, "version is missing"},
		{"version: STSv1\n" + end, "mode is missing"},
		{"version: STSv1\nmode: none\n", "max_age is missing"},
		{"Version: STSv1\nmode: none\n" + end, "version is missing"},
		{"version: STSv2\nmode: none\n" + end, "it is STSv1"},
		{"version: STSv1\nmode: Enforce\n" + end, "in small letters"},
		{"version: STSv1\nmode: none\nmax_age: 1d\n", "number of seconds"},
		{"version: STSv1\nmode: none\nmax_age: -1\n", "number of seconds"},
		{"version: STSv1\nmode: none\nmax_age: 12345678901\n", "number of seconds"},
		{"version: STSv1\nmode: none\nmx: .example.com\n" + end, "host's name"},
		{"version: STSv1\nmode: none\nmx: mx.*.example.com\n" + end, "host's name"},
		{"version: STSv1\nmode: none\nmx: *\n" + end, "host's name"},
		{"version: STSv1\nmode: none\nmx: 192.0.2.1\n" + end, "host's name"},
		{"version: STSv1\nmode: none\nmx: mx.example.com.\n" + end, "host's name"},
		{"version: STSv1\nmode: none\nmx: a.example, b.example\n" + end, "host's name"},
		{"version: STSv1\nmode none\n" + end, "no colon"},
		{" version: STSv1\nmode: none\n" + end, "no name"},
		{"version : STSv1\nmode: none\n" + end, "no name"},
		{"\ufeffversion: STSv1\nmode: none\n" + end, "no name"},
		{"<html>\n", "no colon"},
		{"", "version is missing"},
		{strings.Repeat("x: y\n", 20000), "65536 bytes"},
	} {
		_, err := ParsePolicy([]byte(c.text))
		var wrong *SyntaxError
		if c.wrong == "" && err != nil || c.wrong != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%.80q: %v, want %q", c.text, err, c.wrong)
		}
	}
}

func TestTheLongestAgeIsStillANumber(t *testing.T) {
	p, err := ParsePolicy([]byte("version: STSv1\nmode: none\nmax_age: 9999999999\n"))
	if err != nil || p.MaxAge < 200*365*24*time.Hour {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestFieldsOfNoStandardDoNotHideThoseThatAreOfOne(t *testing.T) {
	text := ""
	for i := range 1000 {
		text += fmt.Sprintf("x%d: y\n", i)
	}
	p, err := ParsePolicy([]byte(text + "version: STSv1\nmode: none\nmax_age: 1\nmode: enforce\n"))
	if err != nil || p.Mode != None || len(p.Extensions) > maxFields {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAStarIsOneLabelAndNamesAreComparedAsALabels(t *testing.T) {
	p, err := ParsePolicy([]byte("version: STSv1\nmode: enforce\nmax_age: 1\nmx: MX.Example.com\nmx: *.bücher.example\n"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"mx.example.com": true, "MX.EXAMPLE.COM.": true, "a.mx.example.com": false, "example.com": false,
		"a.xn--bcher-kva.example": true, "a.bücher.example": true, "a.b.xn--bcher-kva.example": false, "xn--bcher-kva.example": false, "": false,
	} {
		if p.Covers(host) != want {
			t.Errorf("%q: %v, want %v", host, !want, want)
		}
	}
}

func TestEditsLeaveAllElseAsItIs(t *testing.T) {
	const policy = "version:STSv1\nx: y\nmode:  testing\nmx:\ta.example \nmx: b.example\nmax_age: 1"
	for what, c := range map[string]struct {
		edit func() (string, error)
		want string
	}{
		"set": {func() (string, error) { return Set(policy, "mode", "enforce") },
			"version:STSv1\nx: y\nmode:  enforce\nmx:\ta.example \nmx: b.example\nmax_age: 1\n"},
		"set something new": {func() (string, error) { return Set(policy, "z", "1") },
			"version:STSv1\nx: y\nmode:  testing\nmx:\ta.example \nmx: b.example\nmax_age: 1\nz: 1\n"},
		"add": {func() (string, error) { return AddMX(policy, "*.example") },
			"version:STSv1\nx: y\nmode:  testing\nmx:\ta.example \nmx: b.example\nmx: *.example\nmax_age: 1\n"},
		"remove": {func() (string, error) { return RemoveMX(policy, "a.example") },
			"version:STSv1\nx: y\nmode:  testing\nmx: b.example\nmax_age: 1\n"},
		"the ends of lines": {func() (string, error) { return Set("version: STSv1\r\nmode: none\r\nmax_age: 1\r\n", "max_age", "2") },
			"version: STSv1\r\nmode: none\r\nmax_age: 2\r\n"},
		"an id":            {func() (string, error) { return SetID("v=STSv1;id=1 ;  x=y;", "2") }, "v=STSv1;id=2 ;  x=y;"},
		"an id in no form": {func() (string, error) { return SetID("v=STSv1; id=2026-12-01;", "2") }, "v=STSv1; id=2;"},
		"a missing id":     {func() (string, error) { return SetID("v=STSv1", "2") }, "v=STSv1; id=2;"},
		"a missing id among others": {
			func() (string, error) { return SetID("v=STSv1; x=y", "2") }, "v=STSv1; id=2; x=y"},
	} {
		if got, err := c.edit(); err != nil || got != c.want {
			t.Errorf("%s:\n%q, %v\nwant\n%q", what, got, err, c.want)
		}
	}
}

func TestNoEditMakesWhatIsNoPolicy(t *testing.T) {
	const policy = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1\n"
	for what, edit := range map[string]func() (string, error){
		"the last mx":    func() (string, error) { return RemoveMX(policy, "a.example") },
		"a mode":         func() (string, error) { return Set(policy, "mode", "reject") },
		"two lines":      func() (string, error) { return Set(policy, "mode", "none\nmode: enforce\nbad line") },
		"no policy":      func() (string, error) { return Set("<html>", "mode", "none") },
		"no record":      func() (string, error) { return SetID("v=spf1 -all", "1") },
		"an id too long": func() (string, error) { return SetID("v=STSv1; id=1", strings.Repeat("1", 33)) },
	} {
		if text, err := edit(); err == nil {
			t.Errorf("%s: %q", what, text)
		}
	}
}

// FuzzRecord holds to: what is read and printed reads back the same, and an id can be put into all that begins as a record does.
func FuzzRecord(f *testing.F) {
	f.Add("v=STSv1; id=1; x=y")
	f.Add("v=STSv1 ;id=1;;")
	f.Fuzz(func(t *testing.T, text string) {
		edited, err := SetID(text, "7")
		if IsRecord(text) != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		r, err := ParseRecord(text)
		if err != nil {
			return
		}
		back, err := ParseRecord(r.String())
		if r.Warnings, back = nil, unwarned(back); err != nil || !reflect.DeepEqual(r, back) {
			t.Fatalf("%q: %+v, then %+v, %v", text, r, back, err)
		}
		if after, err := ParseRecord(edited); err != nil || after.ID != "7" || !reflect.DeepEqual(after.Extensions, r.Extensions) {
			t.Fatalf("%q became %q: %+v, %v", text, edited, after, err)
		}
	})
}

func unwarned(r *Record) *Record {
	if r != nil {
		r.Warnings = nil
	}
	return r
}

// FuzzPolicy holds to: what is read and printed reads back the same, and edits change what they are to change and nothing else.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte("version: STSv1\r\nmode: enforce\r\nmx: *.example.com\r\nmax_age: 9999999999\r\nx: y z\r\n"))
	f.Add([]byte("version:STSv1\nmode:none\nmax_age:1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParsePolicy(text)
		if err != nil {
			return
		}
		p.Warnings = nil
		back, err := ParsePolicy([]byte(p.String()))
		if err != nil || !reflect.DeepEqual(p, back) {
			t.Fatalf("%q: %+v, then %+v, %v", text, p, back, err)
		}
		edited, err := Set(string(text), "mode", "none")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		after, err := ParsePolicy([]byte(edited))
		if err != nil {
			t.Fatalf("%q became %q: %v", text, edited, err)
		}
		if p.Mode, after.Warnings = None, nil; !reflect.DeepEqual(p, after) {
			t.Fatalf("%q became %q: %+v, %+v", text, edited, p, after)
		}
	})
}
