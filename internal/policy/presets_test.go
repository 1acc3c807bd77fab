package policy

import (
	"fmt"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// same holds a preset to the rules in Go that it was once.
func same(t *testing.T, e *verify.Evaluation) {
	t.Helper()
	for _, name := range Names() {
		p, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		got, want := p.Decide(e), decideByClosures(closures[name], e)
		if got.Action != want.Action || got.Rule != want.Rule || got.Reply != want.Reply || want.Action != Accept && got.Reason != want.Reason {
			t.Errorf("%s\n%+v\ngot  %+v\nwant %+v", name, e, got, want)
		}
	}
}

func TestPresetsInTOMLDecideAsTheRulesInGoDid(t *testing.T) {
	results := []string{"", "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
	signatures := []func(*verify.Evaluation){func(*verify.Evaluation) {}, unsigned, signature("fail"), signature("temperror"), cutBody,
		func(e *verify.Evaluation) { e.DKIM[0].Testing = true }}
	n := 0
	for _, s := range results {
		for _, h := range results {
			for _, d := range []string{"", "none", "pass", "fail", "temperror", "permerror"} {
				for _, published := range []string{"", "none", "quarantine", "reject"} {
					for _, sign := range signatures {
						n++
						same(t, message(spf(s, "~all"), helo(h), sign, judged(d, published), func(e *verify.Evaluation) {
							e.DMARC.Testing = n%3 == 0
							if n%5 == 0 {
								e.Client.MailFrom = ""
							}
							if n%7 == 0 {
								e.Author.Reason = fmt.Sprint("no author ", n)
							}
							if n%11 == 0 {
								e.Limits = []string{"too long", "too wide"}
							}
							if n%13 == 0 {
								foreign(e)
							}
							if n%17 == 0 {
								noClient(e)
							}
						}))
					}
				}
			}
		}
	}
	if n < 9000 {
		t.Errorf("only %d messages", n)
	}
}

// Making values costs more than comparing them: a message that passes every rule of strict makes none.
func TestDecidingOnAnAcceptedMessageTakesNoMemory(t *testing.T) {
	p, err := Preset("strict")
	if err != nil {
		t.Fatal(err)
	}
	e := message()
	if v := p.Decide(e); v.Action != Accept {
		t.Fatalf("got %+v, want it accepted", v)
	}
	// The race detector has pools forget things now and then.
	if n := testing.AllocsPerRun(200, func() { p.Decide(e) }); n > 10 {
		t.Errorf("%v allocations, want next to none", n)
	}
}

func BenchmarkDecideByClosures(b *testing.B) {
	e := message()
	b.ReportAllocs()
	for b.Loop() {
		decideByClosures(closures["strict"], e)
	}
}

func BenchmarkDecideInParallel(b *testing.B) {
	p, err := Preset("strict")
	if err != nil {
		b.Fatal(err)
	}
	e := message()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Decide(e)
		}
	})
}
