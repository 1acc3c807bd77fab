package signin

import (
	"testing"
	"time"
)

func FuzzOnlyWhatWasSealedHereOpens(f *testing.F) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newSteps(func() time.Time { return now })
	elsewhere := newSteps(s.now)
	secret := map[string]string{"who": "7"}
	ours, err := s.seal(stepCode, secret)
	if err != nil {
		f.Fatal(err)
	}
	theirs, err := elsewhere.seal(stepCode, secret)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{ours, theirs, ours[1:], ours + "A", ours + "=", "", "AAAA", "\xff", ours[:len(ours)-1] + "_"} {
		f.Add(stepCode, text)
		f.Add(stepTOTP, text)
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		var got map[string]string
		if _, ok := s.open(kind, text, &got); ok != (kind == stepCode && text == ours) {
			t.Errorf("open(%q, %q) says %t", kind, text, ok)
		}
	})
}
