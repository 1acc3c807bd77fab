package cli

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/gatepost-mail/gatepost/internal/show"
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
	_, err := w.Write(show.JSON(text.Bytes()))
	return err
}
