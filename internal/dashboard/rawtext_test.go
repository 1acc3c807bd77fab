package dashboard

import (
	"slices"
	"strings"
	"testing"
)

func TestXMLIsSetOutInLines(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"one line", `<?xml version="1.0"?><a><b>5</b><c/><d x="1"><e>  6 </e></d></a>`,
			"<?xml version=\"1.0\"?>|<a>|  <b>5</b>|  <c/>|  <d x=\"1\">|    <e>6</e>|  </d>|</a>"},
		{"indented by itself", "<a>\n\t<b>5</b>\r\n</a>\n", "<a>|  <b>5</b>|</a>"},
		{"cut off", `<a><b>5</b><c>6`, "<a>|  <b>5</b>|  <c>6"},
		{"no XML", "not at all", "not at all"},
		{"broken", `<a><b x=1>5</b><<<>&amp;`, "<a>|  <b x=1>5</b>|<<<>&amp;"},
		{"comment and CDATA", `<a><!-- x --><b><![CDATA[<script>]]></b></a>`, "<a>|  <!-- x -->|  <b><![CDATA[<script>]]></b>|</a>"},
		{"ends that nothing began", `</a></b><c>1</c>`, "</a>|</b>|<c>1</c>"},
		{"another encoding", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>\xe9</a>", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>|<a>|\xe9</a>"},
		{"tab in a text", "<a>x\ty</a>", "<a>x  y</a>"},
	} {
		lines, cut := xmlLines([]byte(c.text))
		if got := strings.Join(lines, "|"); got != c.want || cut {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if lines, cut := xmlLines([]byte(strings.Repeat("<a>", 5000))); len(lines) != shownLines || !cut {
		t.Errorf("%d lines, cut: %v", len(lines), cut)
	}
}

func TestJSONThatIsCutOffIsShownAsItIs(t *testing.T) {
	if got, _ := jsonLines([]byte(`{"a":[1,2]}`)); !slices.Equal(got, []string{"{", `  "a": [`, "    1,", "    2", "  ]", "}"}) {
		t.Errorf("got %q", got)
	}
	if got, _ := jsonLines([]byte(`{"a":[1,`)); !slices.Equal(got, []string{`{"a":[1,`}) {
		t.Errorf("got %q", got)
	}
}

// Whatever comes, nothing but space is added or taken away.
func FuzzXMLLines(f *testing.F) {
	f.Add([]byte(`<a><b>5</b><c/></a>`))
	f.Add([]byte("<?xml version='1.0' encoding='utf-16'?><a x='>'>\xff</a>"))
	f.Add([]byte(`<a/ ><!DOCTYPE x [<!ENTITY y "z">]><?p?>&y;`))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, cut := xmlLines(text)
		if cut {
			return
		}
		bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got, want := bare(strings.Join(lines, "\n")), bare(string(text)); got != want {
			t.Errorf("%q\nbecame %q", want, got)
		}
	})
}
