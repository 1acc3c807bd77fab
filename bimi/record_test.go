package bimi

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for txt, want := range map[string]Record{
		"v=BIMI1; l=https://example.com/logo.svg; a=https://example.com/logo.pem": {Logo: "https://example.com/logo.svg", Evidence: "https://example.com/logo.pem"},
		"v=BIMI1;l=https://example.com/l.svg;avp=Brand;x=1":                       {Logo: "https://example.com/l.svg", Avatar: "brand"},
		"v=BIMI1; l=; a=;":                     {},
		"v=BIMI1; a=https://example.com/l.pem": {Evidence: "https://example.com/l.pem"},
	} {
		r, err := Parse(txt)
		if err != nil || r.Logo != want.Logo || r.Evidence != want.Evidence || r.Avatar != want.Avatar {
			t.Errorf("%q\ngot  %+v, %v\nwant %+v", txt, r, err, want)
		}
	}
}

func TestWhatIsNoRecord(t *testing.T) {
	for txt, want := range map[string]string{
		"":                               "no tags",
		"l=https://example.com; v=BIMI1": "not the first",
		"v=bimi1; l=":                    `"bimi1"`,
		"v=BIMI2; l=":                    `"BIMI2"`,
		"v=BIMI1":                        "neither",
		"v=BIMI1; l=; l=":                "twice",
		"v=BIMI1; l=; avp=cat":           "neither brand nor personal",
		"v=BIMI1; l":                     "no =",
	} {
		if r, err := Parse(txt); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, %v, want …%s…", txt, r, err, want)
		}
	}
}

func TestARecordWithoutPlacesDeclines(t *testing.T) {
	for txt, want := range map[string]bool{"v=BIMI1; l=; a=": true, "v=BIMI1; l=": true, "v=BIMI1; l=; a=https://example.com/l.pem": false} {
		if r, err := Parse(txt); err != nil || r.Declined() != want {
			t.Errorf("%q: got %+v, %v", txt, r, err)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for text, good := range map[string]bool{
		"https://example.com/logo.svg": true, "HTTPS://example.com": true, "http://example.com/logo.svg": false, "": false, "https://": false,
		"https:///x": false, "ftp://example.com": false, "https://a@example.com/": false, "https://example.com/a,https://example.net/b": false,
		"javascript:alert(1)": false, "https://example.com/" + strings.Repeat("a", 3000): false, "https://[::1": false,
	} {
		if err := CheckURL(text); (err == nil) != good {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v=BIMI1; l=https://example.com/logo.svg; a=", "v=BIMI1;l=;a=;avp=personal", " V = bimi1", "v=BIMI1; l=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, txt string) {
		r, err := Parse(txt)
		if err != nil {
			return
		}
		if !IsRecord(strings.TrimLeft(txt, "\r\n")) && !strings.ContainsAny(txt, "\r\n") {
			t.Errorf("%q is read, and does not claim to be a record", txt)
		}
		again, err := Parse("v=BIMI1; l=" + r.Logo + "; a=" + r.Evidence)
		if err != nil || again.Logo != r.Logo || again.Evidence != r.Evidence {
			t.Errorf("%q: %+v, then %+v, %v", txt, r, again, err)
		}
	})
}
