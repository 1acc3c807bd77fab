package show

import "testing"

func TestACellIsNoFormula(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"=1+1":                  "'=1+1",
		" -1":                   "'-1",
		"＝1":                    "'＝1",
		"x;=1+1":                "x;'=1+1",
		"x; +1;@SUM(A1)":        "x; '+1;'@SUM(A1)",
		"v=DMARC1; p=none":      "v=DMARC1; p=none",
		"v=spf1 -all":           "v=spf1 -all",
		"a, -b":                 "a, -b",
		"x;\t=1":                `x;\x09=1`,
		"two\nlines":            `two\x0alines`,
		"a@example.com; =a;b;c": "a@example.com; '=a;b;c",
	} {
		if got := Cell(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
