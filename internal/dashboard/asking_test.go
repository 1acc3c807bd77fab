package dashboard

import (
	"errors"
	"fmt"
	"testing"
)

func TestMadeUpPeriodsAndTextsAreBounded(t *testing.T) {
	d := demoDesk(t)
	ctx := patient(t)
	for _, n := range offeredDays {
		for range mostQuestions {
			if _, err := d.Reports(ctx, owner, &ReportsIn{Days: n}); err != nil {
				t.Fatalf("%d days: %v", n, err)
			}
		}
	}
	var invalid *Invalid
	for name, ask := range map[string]func(int) error{
		"texts": func(n int) error {
			_, err := d.Reports(ctx, owner, &ReportsIn{Days: 30, Text: fmt.Sprint("x", n)})
			return err
		},
		"days":   func(n int) error { _, err := d.Reports(ctx, owner, &ReportsIn{Days: 100 + n}); return err },
		"period": func(n int) error { _, err := d.TLS(ctx, owner, &TLSIn{Days: Days{100 + n}}); return err },
	} {
		d.questions.asked = nil
		var err error
		for n := range mostQuestions + 1 {
			if err = ask(n); n < mostQuestions && err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if !errors.As(err, &invalid) {
			t.Errorf("%s: error %v, want that it is too much", name, err)
		}
		if err := ask(0); err != nil {
			t.Errorf("%s: what was asked before: %v", name, err)
		}
	}
}
