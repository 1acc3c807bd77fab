package policy

import "testing"

func TestARuleIsDescribedAsItIsWritten(t *testing.T) {
	p, err := Preset("lockdown")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Describe("spf-softfail"); len(got) != 1 || got[0] != (Described{"spf-softfail", `spf.result == "softfail"`, Reject, "550 5.7.23", false}) {
		t.Errorf("%+v", got)
	}
	if got := p.Describe("dmarc-fail"); len(got) != 2 || got[0].Code == got[1].Code {
		t.Errorf("two rules of one name: %+v", got)
	}
	if got := p.Describe("nothere"); got == nil || len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
