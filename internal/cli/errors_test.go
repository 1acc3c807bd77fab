package cli

import "testing"

func TestNearestIsWhatWasMeant(t *testing.T) {
	words := []string{"verify", "spf", "sign", "seal", "keys", "version", "completion", "serve"}
	for typed, want := range map[string]string{
		"verfy": "verify", "vreify": "verify", "ver": "verify", "sing": "sign", "sfp": "spf", "key": "keys",
		"frobnicate": "", "x": "", "": "",
	} {
		if got := nearest(typed, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}
