//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// warmUp is the part of the time that does not count: caches fill, and memory goes to what the load needs.
const warmUp = 0.2

// A gauge is something that must stay flat: in the last quarter, the median may exceed that of the first by so much.
type gauge struct {
	name   string
	unit   float64
	of     func(sample) float64
	factor float64 // of the first
	slack  float64 // in units
}

var gauges = []gauge{
	{"resident MiB", 1 << 20, func(x sample) float64 { return x.resident }, 0.10, 4},
	{"heap MiB", 1 << 20, func(x sample) float64 { return x.heap }, 0.10, 2},
	{"descriptors", 1, func(x sample) float64 { return x.descriptors }, 0.10, 5},
	{"threads", 1, func(x sample) float64 { return x.threads }, 0.10, 3},
	{"goroutines", 1, func(x sample) float64 { return x.goroutines }, 0.10, 20},
}

// A trend is a gauge over the time of a soak.
type trend struct {
	first, last, most, allowed float64 // in units
	known                      bool
}

func (t trend) flat() bool { return t.last <= t.allowed }

// follow compares the first quarter after the warm-up with the last.
func (g gauge) follow(samples []sample) trend {
	samples = samples[int(float64(len(samples))*warmUp):]
	values := make([]float64, len(samples))
	for i, x := range samples {
		values[i] = g.of(x) / g.unit
	}
	quarter := len(values) / 4
	if quarter == 0 || slices.Min(values) < 0 {
		return trend{}
	}
	t := trend{first: median(values[:quarter]), last: median(values[len(values)-quarter:]), most: slices.Max(values), known: true}
	t.allowed = t.first*(1+g.factor) + g.slack
	return t
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// restSlack is how many descriptors more there may be at rest: a question to a DNS server may still be open.
const restSlack = 2

// report prints what was seen, and is false where something is wrong.
func (s *soak) report(w io.Writer) bool {
	good := s.reportScenes(w)
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "first quarter\tlast quarter\tallowed\tmost\t  ")
	for _, g := range gauges {
		x := g.follow(s.samples)
		if !x.known {
			fmt.Fprintf(t, "-\t-\t-\t-\t  %s: not known\n", g.name)
			continue
		}
		fmt.Fprintf(t, "%.1f\t%.1f\t%.1f\t%.1f\t  %s: %s\n", x.first, x.last, x.allowed, x.most, g.name, choose(x.flat(), "flat", "GROWS"))
		good = good && x.flat()
	}
	t.Flush()
	before, after := s.rest[0].descriptors, s.rest[1].descriptors
	closed := after <= before+restSlack
	fmt.Fprintf(w, "\nat rest: %.0f descriptors before, %.0f after (%s); resident %.1f MiB before, %.1f after\n", before, after,
		choose(closed, "all closed", "LEFT OPEN"), s.rest[0].resident/(1<<20), s.rest[1].resident/(1<<20))
	reloads, complaints := s.gate.log.reloaded.Load(), s.gate.log.complaints.Load()
	fmt.Fprintf(w, "%d reloads taken, %d complaints in the log; %s\n", reloads, complaints, choose(s.drained, "ended well", "DID NOT END WELL"))
	for _, line := range s.gate.log.said {
		fmt.Fprintln(w, " ", line)
	}
	return good && closed && s.drained && reloads > 0 && complaints == 0
}

func (s *soak) reportScenes(w io.Writer) bool {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\nplayed\tanswers\twrong\t  ")
	for _, name := range s.tally.names() {
		c := s.tally.lines[name]
		fmt.Fprintf(t, "%d\t%d\t%d\t  %s\n", c.played, c.answers, c.wrong, name)
	}
	answers, wrong := s.tally.sums()
	fmt.Fprintf(t, "\t%d\t%d\t  in all\n", answers, wrong)
	t.Flush()
	for _, line := range s.tally.said {
		fmt.Fprintln(w, " ", line)
	}
	return wrong == 0 && answers > 0
}

func choose(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}
