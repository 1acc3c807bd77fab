package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"
)

// printJSON writes one document for a person's eye as well: indented.
func printJSON(w io.Writer, v any) error { return writeJSON(w, v, "  ") }

// printJSONLine writes one document on one line.
func printJSONLine(w io.Writer, v any) error { return writeJSON(w, v, "") }

func writeJSON(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(harmless(text.Bytes()))
	return err
}

// harmless escapes in a JSON text what a terminal may obey or a reader be misled by: control characters beyond ASCII, and those that
// turn the direction of writing. They can stand nowhere but in strings.
func harmless(text []byte) []byte {
	clean := true
	for i := 0; i < len(text) && clean; i++ {
		clean = text[i] < utf8.RuneSelf && text[i] != 0x7f
	}
	if clean {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if r == 0x7f || r >= utf8.RuneSelf && !unicode.IsGraphic(r) && r <= 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}
