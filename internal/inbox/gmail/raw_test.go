package gmail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// FuzzRaw holds the streaming reader to what encoding/json and encoding/base64 make of the same bytes.
func FuzzRaw(f *testing.F) {
	for _, seed := range []string{
		`{"raw":"aGVsbG8="}`, `{ "id" : "1" , "raw" : "aGVsbG8" , "n" : [1, {"raw":"x"}] , "t": true }`, `{"raw":"\u0061GVsbG8\u003d"}`,
		`{"raw":17}`, `{}`, `{"a":-1.5e3,"raw":""}`, `{"a":"\\","raw":"-_+/"}`, `[`, `{"a":null }`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var got [][]byte
		err := readRaw(bytes.NewReader(text), func(r io.Reader) error {
			b, err := io.ReadAll(r)
			got = append(got, b)
			return err
		})
		var all map[string]json.RawMessage
		if json.Unmarshal(text, &all) != nil || all == nil {
			return // what is not JSON may or may not be noticed: it comes from the service itself, over TLS
		}
		var raw string
		if json.Unmarshal(all["raw"], &raw) != nil || all["raw"][0] != '"' {
			if err == nil && len(got) > 0 && len(all["raw"]) > 0 && bytes.Count(text, []byte("raw")) == 1 {
				t.Fatalf("%q: there is no message, and %q came", text, got)
			}
			return
		}
		if strings.Contains(string(all["raw"]), `\u`) && !strings.Contains(string(all["raw"]), `\u00`) {
			return
		}
		want, bad := base64.RawURLEncoding.DecodeString(strings.NewReplacer("=", "", "\n", "", "\r", "", "+", "-", "/", "_").Replace(raw))
		switch {
		case bytes.Count(text, []byte(`"`)) > 2*len(all)+2*bytes.Count(text, []byte(":")) || len(got) > 1:
			return // the same name several times
		case bad != nil && err == nil:
			t.Fatalf("%q: base64 says %v, and %q came", text, bad, got)
		case bad == nil && err != nil:
			t.Fatalf("%q: %v", text, err)
		case bad == nil && (len(got) != 1 || !bytes.Equal(got[0], want)):
			t.Fatalf("%q: %q came, not %q", text, got, want)
		}
	})
}
