package cli

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"
)

func TestJSONHoldsNothingThatATerminalObeys(t *testing.T) {
	for _, s := range []string{"plain", "Grüße ☃ 漢字 😀", "a\u202eb\u009bc\x7fd\u2028e\u200ff", "bad\xffbytes"} {
		var b bytes.Buffer
		if err := printJSON(&b, map[string]string{"s": s}); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && !unicode.IsGraphic(r) {
				t.Errorf("%q: %U is in %q", s, r, b.String())
			}
		}
		var back map[string]string
		if err := json.Unmarshal(b.Bytes(), &back); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(s)); back["s"] != want {
			t.Errorf("got %q back, want %q", back["s"], want)
		}
	}
}
