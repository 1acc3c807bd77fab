package bimi

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
)

const goodLogo = `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.2" baseProfile="tiny-ps" viewBox="0 0 64 64">
<title>Example</title><desc>A gate.</desc>
<defs><linearGradient id="g"><stop offset="0" stop-color="#fff"/></linearGradient><path id="p" d="M0 0h8v8z"/></defs>
<rect width="64" height="64" fill="url(#g)"/><use xlink:href="#p" x="8"/><text xml:space="preserve">Gate</text>
</svg>`

// with puts something into a good logo, before its end.
func with(inner string) string { return strings.Replace(goodLogo, "</svg>", inner+"</svg>", 1) }

func instead(old, now string) string {
	if !strings.Contains(goodLogo, old) {
		panic(old)
	}
	return strings.Replace(goodLogo, old, now, 1)
}

func pack(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}

func TestAGoodLogoHasNoFaults(t *testing.T) {
	for what, svg := range map[string]string{
		"plain":             goodLogo,
		"compressed":        string(pack(goodLogo)),
		"width and height":  instead(`viewBox`, `width="64" height="64" viewBox`),
		"a comma":           instead(`0 0 64 64`, `0,0,64,64`),
		"what is allowed":   instead(`viewBox`, `zoomAndPan="disable" focusable="false" viewBox`),
		"a comment":         with("<!-- url(https://example.net/) -->"),
		"another prefix":    `<s:svg xmlns:s="http://www.w3.org/2000/svg" version="1.2" baseProfile="tiny-ps" viewBox="0 0 1 1"><s:title>x</s:title></s:svg>`,
		"a title at length": instead("Example", strings.Repeat("Example ", 20)),
	} {
		if faults := CheckLogo([]byte(svg)); len(faults) > 0 {
			t.Errorf("%s: %v", what, faults)
		}
	}
}

func TestTheFaultsOfALogo(t *testing.T) {
	for _, c := range []struct {
		svg  string
		kind Kind
		say  string
	}{
		{instead(`version="1.2" baseProfile`, `version="1.1" baseProfile`), Profile, `version="1.1"`},
		{instead(` version="1.2" baseProfile`, ` baseProfile`), Profile, `does not say version`},
		{instead(`tiny-ps`, `tiny`), Profile, `baseProfile="tiny"`},
		{instead(`viewBox=`, `x="0px" viewBox=`), Profile, "attribute x"},
		{instead(`viewBox=`, `zoomAndPan="magnify" viewBox=`), Profile, "zoomAndPan"},
		{instead(` viewBox="0 0 64 64"`, ``), Profile, "no viewBox"},
		{instead(`0 0 64 64`, `0 0 64`), Profile, "four numbers"},
		{instead(`0 0 64 64`, `0 0 NaN NaN`), Profile, "four numbers"},
		{instead(`0 0 64 64`, `0 0 0 0`), Profile, "four numbers"},
		{instead(`0 0 64 64`, `0 0 64 32`), NotSquare, "64 wide and 32 high"},
		{instead(`<title>Example</title>`, ``), NoTitle, "no title"},
		{instead(`Example`, ` `), NoTitle, "empty"},
		{with(`<title>Again</title>`), NoTitle, "2 titles"},
		{instead(`<title>Example</title>`, `<g><title>Example</title></g>`), NoTitle, "no title"},
		{instead(`A gate.`, ``), Profile, "description"},
		{with(`<image xlink:href="https://example.net/a.png"/>`), External, "example.net"},
		{with(`<image xlink:href="https://example.net/a.png"/>`), Profile, `"image"`},
		{with(`<use href="//example.net/a.svg#x"/>`), External, "example.net"},
		{with(`<use xlink:href=" data:image/svg+xml,x"/>`), External, "data:"},
		{with(`<rect fill="url( 'https://example.net/a.svg#g' )"/>`), External, "example.net"},
		{with(`<rect fill="URL(https://example.net/a.svg#g)"/>`), External, "example.net"},
		{with(`<rect fill="url(#g)" stroke="url(#g) url(x)"/>`), External, `"x)"`},
		{with(`<g xml:base="https://example.net/"/>`), External, "xml:base"},
		{`<?xml-stylesheet href="https://example.net/a.css"?>` + goodLogo[strings.Index(goodLogo, "<svg"):], External, "xml-stylesheet"},
		{with(`<a xlink:href="javascript:alert(1)">x</a>`), External, "javascript"},
		{with(`<script>alert(1)</script>`), Script, `"script"`},
		{with(`<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>`), Script, `"script"`},
		{with(`<foreignObject/>`), Script, `"foreignObject"`},
		{with(`<rect onload="alert(1)"/>`), Script, `"onload"`},
		{with(`<rect onLoad="alert(1)"/>`), Script, `"onLoad"`},
		{with(`<animate attributeName="x"/>`), Profile, `"animate"`},
		{with(`<set attributeName="x"/>`), Profile, `"set"`},
		{with(`<style>a{}</style>`), Profile, `"style"`},
		{with(`<rect style="fill:red"/>`), Profile, "style"},
		{with(`<filter/>`), Profile, `"filter"`},
		{with(`<svg/>`), Profile, `"svg"`},
		{with(`<x:y xmlns:x="http://example.net/"/>`), Profile, "not SVG"},
		{with(`<rect xmlns:x="http://example.net/" x:y="1"/>`), Profile, "not SVG"},
		{`<html xmlns="http://www.w3.org/1999/xhtml"/>`, NotSVG, `"html"`},
		{`<svg/>`, NotSVG, `"svg"`},
		{goodLogo + "<svg", NotSVG, "well-formed"},
		{strings.TrimSuffix(goodLogo, "</svg>"), NotSVG, "well-formed"},
		{"", NotSVG, "no element"},
		{"GIF89a", NotSVG, "no element"},
		{instead("UTF-8", "UTF-7"), NotSVG, "well-formed"},
		{with("\xff"), NotSVG, "well-formed"},
		{with("<!--" + strings.Repeat("x", MaxLogo) + "-->"), TooLarge, fmt.Sprint(MaxLogo)},
		{string(pack(goodLogo)[:60]), NotSVG, "damaged"},
	} {
		found := false
		faults := CheckLogo([]byte(c.svg))
		for _, f := range faults {
			found = found || f.Kind == c.kind && strings.Contains(f.Detail, c.say)
		}
		if !found {
			t.Errorf("%.200s\ngot  %v\nwant %s: …%s…", c.svg[max(0, len(c.svg)-200):], faults, c.kind, c.say)
		}
	}
}

func TestADocumentTypeEndsTheReading(t *testing.T) {
	for what, svg := range map[string]string{
		"entities that grow": `<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + with("&b;"),
		"a file":             `<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + with("&a;"),
		"a name only":        `<!DOCTYPE svg>` + goodLogo[strings.Index(goodLogo, "<svg"):],
	} {
		faults := CheckLogo([]byte(strings.Replace(svg, `<?xml version="1.0" encoding="UTF-8"?>`, "", 1)))
		if len(faults) != 1 || faults[0].Kind != NotSVG || !strings.Contains(faults[0].Detail, "document type") {
			t.Errorf("%s: %v", what, faults)
		}
	}
	if faults := CheckLogo([]byte(with("&a;"))); !has(faults, NotSVG) {
		t.Errorf("an entity that nobody declared: %v", faults)
	}
}

func TestALogoIsUnpackedNoFurtherThanItMayBeLarge(t *testing.T) {
	bomb := pack(strings.Repeat(" ", 8<<20))
	if svg, err := Unpack(bomb); err == nil || svg != nil {
		t.Errorf("%d bytes became %d: %v", len(bomb), len(svg), err)
	}
	if faults := CheckLogo(bomb); len(faults) != 1 || faults[0].Kind != TooLarge {
		t.Errorf("got %v", faults)
	}
	if faults := CheckLogo(pack(string(pack(goodLogo)))); !has(faults, NotSVG) {
		t.Errorf("packed twice: %v", faults)
	}
}

func TestOfAHostileLogoFewFaultsAreTold(t *testing.T) {
	for what, svg := range map[string]string{
		"deep":           strings.Repeat("<g>", maxRead/3),
		"deep in a logo": with(strings.Repeat("<g>", 10000)),
		"many":           with(strings.Repeat("<x/>", 50000)),
		"many kinds":     with(manyElements(8000)),
		"attributes":     with("<rect " + strings.Repeat(`fill="url(x)" `, 10000) + "/>"),
		"addresses":      with(`<rect fill="` + strings.Repeat("url(#", 40000) + `"/>`),
		"huge":           strings.Repeat("x", 20<<20),
	} {
		if faults := CheckLogo([]byte(svg)); len(faults) == 0 || len(faults) > maxFaults+10 {
			t.Errorf("%s: %d faults", what, len(faults))
		}
	}
}

func manyElements(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<x%d/>", i)
	}
	return b.String()
}

func FuzzCheckLogo(f *testing.F) {
	f.Add([]byte(goodLogo))
	f.Add(pack(goodLogo))
	f.Add([]byte(with(`<image xlink:href="x" onload="y" style="z"/>`)))
	f.Add([]byte(`<!DOCTYPE svg [<!ENTITY a "b">]><svg/>`))
	f.Fuzz(func(t *testing.T, file []byte) {
		faults := CheckLogo(file)
		if len(faults) > maxFaults+10 {
			t.Errorf("%d faults", len(faults))
		}
		for _, fault := range faults {
			if strings.ContainsAny(fault.Detail, "\r\n\x00\x1b") || len(fault.Detail) > 1000 {
				t.Errorf("%q is not fit to be told", fault.Detail)
			}
		}
		if len(faults) == 0 {
			svg, err := Unpack(file)
			if err != nil || len(svg) > MaxLogo || !bytes.Contains(svg, []byte("tiny-ps")) {
				t.Errorf("%q is said to be good: %v", svg, err)
			}
		}
	})
}
