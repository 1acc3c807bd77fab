package facts

import (
	"fmt"
	"testing"
)

func TestMailServersAreInTheOrderOfPreferenceWhateverTheAnswerIs(t *testing.T) {
	f := Gather(t.Context(), "example.com", Options{Offline: true, Resolver: resolver(t, `
example.com. 60 IN MX 20 a.example.com.
example.com. 60 IN MX 10 c.example.com.
example.com. 60 IN MX 10 b.example.com.
`)})
	got := ""
	for _, h := range f.MX.Hosts {
		got += fmt.Sprintf("%d %s, ", h.Preference, h.Name)
	}
	if want := "10 b.example.com, 10 c.example.com, 20 a.example.com, "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
