package massreports

import "testing"

func TestTheUsualMixHasTheSizeThatItSays(t *testing.T) {
	rows := 0
	for n := range Usual.Reports {
		r := Usual.Report(n)
		if r.Rows < 1 || r.Rows > Usual.Most {
			t.Fatalf("report %d has %d rows", n, r.Rows)
		}
		rows += r.Rows
	}
	if rows < Usual.Rows*95/100 || rows > Usual.Rows*105/100 {
		t.Errorf("%d rows, want about %d", rows, Usual.Rows)
	}
}
