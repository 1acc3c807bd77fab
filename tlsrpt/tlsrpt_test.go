package tlsrpt

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func ExampleParse() {
	r, err := Parse("v=TLSRPTv1; rua=mailto:tls@example.com,https://reports.example.net/v1/tlsrpt")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.RUA)
	fmt.Println(r)
	// Output:
	// [mailto:tls@example.com https://reports.example.net/v1/tlsrpt]
	// v=TLSRPTv1; rua=mailto:tls@example.com,https://reports.example.net/v1/tlsrpt
}

func TestRecords(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  []string
		wrong string
	}{
		{"v=TLSRPTv1;rua=mailto:a@example.com", []string{"mailto:a@example.com"}, ""},
		{"v=TLSRPTv1; rua=mailto:a@example.com , https://example.com/x?y=z ;", []string{"mailto:a@example.com", "https://example.com/x?y=z"}, ""},
		{"v=TLSRPTv1; x=y; rua=MAILTO:a%2Cb@example.com; rua=nothing", []string{"MAILTO:a%2Cb@example.com"}, "no mail address"},
		{"v=TLSRPTv1; x=y; rua=mailto:a%2Bb@example.com; rua=nothing", []string{"mailto:a%2Bb@example.com"}, ""},
		{"v=TLSRPTv1;", nil, "rua is missing"},
		{"v=TLSRPTv1; RUA=mailto:a@example.com", nil, "rua is missing"},
		{"v=TLSRPTv1; rua=", nil, "no URI"},
		{"v=TLSRPTv1; rua=tls@example.com", nil, "mailto:name@example.com"},
		{"v=TLSRPTv1; rua=mailto:tls", nil, "no mail address"},
		{"v=TLSRPTv1; rua=mailto:tls@example.com,", nil, "no URI"},
		{"v=TLSRPTv1; rua=mailto:tls@example.com!10m", nil, "percent sign"},
		{"v=TLSRPTv1; rua=http://example.com/", nil, "mailto: and https: only"},
		{"v=TLSRPTv1; rua=https:example.com", nil, "no web server"},
		{"v=TLSRPTv1; rua", nil, "has no ="},
		{"v=TLSRPTv1; rua=mailto:a@example.com; a/b=c", nil, "no name"},
		{"v=TLSRPTv1; rua=mailto:a@example.com; a=b=c", nil, "must not have"},
		{"v=tlsrptv1; rua=mailto:a@example.com", nil, "does not begin"},
		{"v=TLSRPTv10; rua=mailto:a@example.com", nil, "does not begin"},
	} {
		r, err := Parse(c.text)
		var wrong *SyntaxError
		switch {
		case c.wrong == "" && (err != nil || !slices.Equal(r.RUA, c.want)):
			t.Errorf("%q: %+v, %v, want %v", c.text, r, err, c.want)
		case c.wrong != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v, want %q", c.text, err, c.wrong)
		}
	}
}

func TestAnEditLeavesAllElseAsItIs(t *testing.T) {
	for text, want := range map[string]string{
		"v=TLSRPTv1;rua=nonsense ;  x=y;": "v=TLSRPTv1;rua=mailto:a@example.com ;  x=y;",
		"v=TLSRPTv1":                      "v=TLSRPTv1; rua=mailto:a@example.com",
		"v=TLSRPTv1; x=y":                 "v=TLSRPTv1; rua=mailto:a@example.com; x=y",
	} {
		if got, err := SetRUA(text, "mailto:a@example.com"); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
	for _, uris := range [][]string{nil, {"a@example.com"}, {"mailto:a@example.com; x"}} {
		if got, err := SetRUA("v=TLSRPTv1; rua=mailto:a@example.com", uris...); err == nil {
			t.Errorf("%q: %q", uris, got)
		}
	}
}

// FuzzParse holds to: what is read and printed reads back the same, and so does what was edited.
func FuzzParse(f *testing.F) {
	f.Add("v=TLSRPTv1; rua=mailto:tls@example.com,https://example.net/x; a=b")
	f.Add("v=TLSRPTv1;rua=mailto:a%2Cb@example.com?subject=x")
	f.Fuzz(func(t *testing.T, text string) {
		edited, err := SetRUA(text, "mailto:a@example.com")
		if IsRecord(text) != (err == nil) {
			t.Fatalf("%q: %v", text, err)
		}
		r, err := Parse(text)
		if err != nil {
			return
		}
		back, err := Parse(r.String())
		if err != nil {
			t.Fatalf("%q, then %q: %v", text, r, err)
		}
		if r.Warnings, back.Warnings = nil, nil; !reflect.DeepEqual(r, back) {
			t.Fatalf("%q: %+v, then %+v", text, r, back)
		}
		if after, err := Parse(edited); err != nil || !reflect.DeepEqual(after.Extensions, r.Extensions) || len(after.RUA) != 1 {
			t.Fatalf("%q became %q: %+v, %v", text, edited, after, err)
		}
	})
}
