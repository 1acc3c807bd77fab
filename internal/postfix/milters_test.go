package postfix

import (
	"slices"
	"strings"
	"testing"
)

func TestGateStandsOnceAndOthersKeepTheirPlaceAndSettings(t *testing.T) {
	g := Gate{Address: "unix:gatepost/milter"}
	entry := g.entry()
	for value, want := range map[string]string{
		"":                               entry,
		"inet:127.0.0.1:11332":           entry + ", inet:127.0.0.1:11332",
		"inet:localhost:8892 unix:a/b":   entry + ", inet:localhost:8892, unix:a/b",
		"$other_milters,{ unix:c, x=y }": entry + ", $other_milters, { unix:c, x=y }",
		"inet:127.0.0.1:11332, inet:127.0.0.1:8891, unix:x": "inet:127.0.0.1:11332, " + entry + ", unix:x",
		"{inet:127.0.0.1:8891, default_action = accept}":    entry,
		"UNIX:gatepost/milter":                              entry,
		entry:                                               entry,
		entry + ", unix:x, " + entry:                        entry + ", unix:x",
		"{ inet:h:1, { default_action = accept } }":         entry + ", { inet:h:1, { default_action = accept } }",
	} {
		got, err := put(value, entry, g.is)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
		if again, err := put(got, entry, g.is); err != nil || again != got {
			t.Errorf("%q: the second time gives %q, %v", got, again, err)
		}
	}
}

func TestTakingTheGateOutLeavesOthersAsTheyAre(t *testing.T) {
	g := Gate{Address: "inet:127.0.0.1:9000"}
	for value, want := range map[string]string{
		"": "", "unix:a,unix:b": "unix:a,unix:b", g.entry(): "", g.entry() + ", unix:b": "unix:b",
		"unix:a {inet:127.0.0.1:8891,x=y} $b": "unix:a, $b",
	} {
		if got, err := take(value, g.is); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestValueWhoseBracesDoNotMatchIsNotTouched(t *testing.T) {
	for _, value := range []string{"{ unix:a", "unix:a }", "{{}"} {
		if got, err := put(value, "x", Gate{}.is); err == nil {
			t.Errorf("%q: got %q, want an error", value, got)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("inet:a:1, { unix:b, c=d } $e")
	f.Add("{a{b}c}d,e")
	f.Add("{ inet:127.0.0.1:8891 },,")
	f.Fuzz(func(t *testing.T, value string) {
		entries, err := split(value)
		if err != nil {
			return
		}
		again, err := split(strings.Join(entries, ", "))
		if err != nil || !slices.Equal(entries, again) {
			t.Fatalf("%q: got %q, then %q, %v", value, entries, again, err)
		}
		g := Gate{Address: "inet:127.0.0.1:8891"}
		with, err := put(value, g.entry(), g.is)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(with, g.entry()); n < 1 {
			t.Fatalf("%q: the gate stands %d times in %q", value, n, with)
		}
		without, err := take(with, g.is)
		if err != nil || strings.Contains(without, g.entry()) && !strings.Contains(value, g.entry()) {
			t.Fatalf("%q: got %q, %v", value, without, err)
		}
	})
}
