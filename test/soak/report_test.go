//go:build linux

package main

import (
	"strings"
	"testing"
)

// run makes samples whose resident memory follows a function of the time from 0 to 1.
func samples(resident func(t float64) float64) []sample {
	all := make([]sample, 400)
	for i := range all {
		t := float64(i) / float64(len(all))
		all[i] = sample{resident: resident(t) * (1 << 20), descriptors: 40 + float64(i%7), threads: 9, goroutines: -1}
	}
	return all
}

func TestGrowthBeyondTheToleranceIsFound(t *testing.T) {
	for _, c := range []struct {
		name     string
		resident func(t float64) float64
		flat     bool
	}{
		{"constant", func(float64) float64 { return 30 }, true},
		{"filling caches at the beginning", func(t float64) float64 { return 30 + min(t, warmUp)*100 }, true},
		{"a peak in the last quarter", func(t float64) float64 {
			if t > 0.9 && t < 0.95 {
				return 200
			}
			return 30
		}, true},
		{"a leak of a third", func(t float64) float64 { return 30 + 20*t }, false},
		{"a leak that stops late", func(t float64) float64 { return 30 + 40*min(t, 0.8) }, false},
		{"falling", func(t float64) float64 { return 60 - 20*t }, true},
	} {
		if got := gauges[0].follow(samples(c.resident)); !got.known || got.flat() != c.flat {
			t.Errorf("%s: got %+v, flat %v, want %v", c.name, got, got.flat(), c.flat)
		}
	}
}

func TestWhatWasNotSampledIsNotCalledFlat(t *testing.T) {
	for _, g := range gauges {
		got := g.follow(samples(func(float64) float64 { return 30 }))
		if want := g.name != "goroutines"; got.known != want {
			t.Errorf("%s: known %v, want %v", g.name, got.known, want)
		}
	}
	if got := gauges[0].follow(make([]sample, 3)); got.known {
		t.Errorf("of three samples: got %+v", got)
	}
}

func TestAnyWrongAnswerAndAnyComplaintOfTheGateFailTheSoak(t *testing.T) {
	for name, spoil := range map[string]func(s *soak){
		"nothing":            func(*soak) {},
		"a wrong answer":     func(s *soak) { s.tally.add("good", 1, errOutage) },
		"growth":             func(s *soak) { s.samples = samples(func(t float64) float64 { return 100 * t }) },
		"open descriptors":   func(s *soak) { s.rest[1].descriptors += 3 },
		"a complaint":        func(s *soak) { s.gate.log.line("time=x level=ERROR msg=panic") },
		"a bad end":          func(s *soak) { s.drained = false },
		"no reload":          func(s *soak) { s.gate.log.reloaded.Store(0) },
		"no message at all":  func(s *soak) { s.tally = newTally() },
		"a file that is bad": func(s *soak) { s.gate.log.line("level=ERROR: no such preset") },
	} {
		s := &soak{gate: &gate{}, tally: newTally(), samples: samples(func(float64) float64 { return 30 }), drained: true}
		s.rest = [2]sample{{descriptors: 10}, {descriptors: 11}}
		s.tally.add("good", 1, nil)
		s.gate.log.line("configuration read again")
		spoil(s)
		var out strings.Builder
		if got, want := s.report(&out), name == "nothing"; got != want {
			t.Errorf("%s: got %v, want %v\n%s", name, got, want, out.String())
		}
	}
}

func TestLiveHeapIsReadFromTheTraceOfTheCollector(t *testing.T) {
	var w watcher
	w.Write([]byte("gc 12 @4.512s 0%: 0.1+1.2+0.0 ms clock, 0.2+0.1/1.0/0.0+0.0 ms cpu, 9->10->"))
	w.Write([]byte("7 MB, 10 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"))
	if got := w.heap.Load(); got != 7<<20 {
		t.Errorf("got %d, want 7 MiB", got)
	}
}

func TestFiguresAreThoseWithoutLabels(t *testing.T) {
	got, err := figures(strings.NewReader("# HELP go_goroutines x\ngo_goroutines 12\ngatepost_messages_total{verdict=\"accept\"} 3\ngo_memstats_heap_inuse_bytes 1.5e+06\n"))
	if err != nil || len(got) != 2 || got["go_goroutines"] != 12 || got["go_memstats_heap_inuse_bytes"] != 1.5e6 {
		t.Errorf("got %v, %v", got, err)
	}
}
