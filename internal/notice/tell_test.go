package notice

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

func TestWhatIsMendedIsToldUntilSomebodyTakesIt(t *testing.T) {
	w := newWorld(t)
	var told []alert.Alert
	failing := error(nil)
	w.Tell = func(_ context.Context, all []alert.Alert, _ time.Time, quiet time.Duration) error {
		if quiet < toldFor {
			t.Errorf("it is told again after %v", quiet)
		}
		told = all
		return failing
	}
	w.sentCase(t)
	if len(told) > 0 {
		t.Fatalf("told before it was mended: %+v", told)
	}
	w.findings = []audit.Finding{{ID: "dmarc-missing", Severity: check.Error}}
	failing = errors.New("the mail server is away")
	later := at.Add(49 * time.Hour)
	if err := w.Run(t.Context(), later); !errors.Is(err, failing) {
		t.Errorf("got %v", err)
	}
	failing, told = nil, nil
	if err := w.Run(t.Context(), later.Add(10*time.Minute)); err != nil || len(told) != 1 {
		t.Fatalf("%v; %+v", err, told)
	}
	a := told[0]
	if a.Kind != alert.NoticeMended || a.Domain != "example.com" || !strings.Contains(a.Title, "mended") {
		t.Errorf("%+v", a)
	}
	for _, want := range []string{"spf-softfail", "went out on " + at.Format(time.DateOnly), "2 days"} {
		if !strings.Contains(a.Text, want) {
			t.Errorf("it does not say %q: %s", want, a.Text)
		}
	}
	if strings.Contains(a.Text+a.Title, "first@example.com") {
		t.Errorf("it names who was written to: %+v", a)
	}
	told = nil
	if err := w.Run(t.Context(), later.Add(8*day)); err != nil || len(told) > 0 {
		t.Errorf("after a week: %v; %+v", err, told)
	}
}
