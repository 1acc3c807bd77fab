package dashboard

import (
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

func TestAQuotaBoundsWhatEachAsksWithinAMinute(t *testing.T) {
	other := &people.Access{Person: 7}
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var q quota
	for i, ask := range []struct {
		who   *people.Access
		what  string
		after time.Duration
		want  bool
	}{
		{owner, "a", 0, true},
		{owner, "", time.Second, true},
		{owner, "b", 2 * time.Second, false},
		{owner, "a", 3 * time.Second, true}, // the same again
		{owner, "", 4 * time.Second, false}, // without a name, it never is
		{other, "b", 5 * time.Second, true},
		{owner, "b", time.Minute, false},
		{owner, "b", time.Minute + time.Millisecond, true}, // the first is forgotten
		{owner, "c", time.Minute + 2*time.Millisecond, false},
	} {
		if got := q.take(ask.who, ask.what, 2, start.Add(ask.after)); got != ask.want {
			t.Errorf("%d: got %t, want %t", i, got, ask.want)
		}
	}
}
