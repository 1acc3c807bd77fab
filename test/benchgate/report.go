//go:build linux

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const memoryGoal = 60 << 20

// print shows the medians of the rounds, and the ratios, which are taken round by round.
func (b *bench) print(w io.Writer) {
	for _, kind := range kinds {
		b.printKind(w, kind)
	}
	first := b.contenders[0]
	if busy := b.leastBusy(first.name); busy < fullyBusy {
		fmt.Fprintf(w, "\n%s kept only %.0f%% of its processors busy: something else ran on them. Messages a second mean little; read the CPU, or run it again.\n",
			first.name, 100*busy)
	}
	peak := b.memory[first.name][0]
	fmt.Fprintf(w, "\n%s: %.1f MiB resident at most (goal 60: %s); %s in its state directory\n", first.name, float64(peak)/(1<<20),
		verdict(peak <= memoryGoal), stored(first))
}

// fullyBusy is the share of its processors that a contender keeps busy where nothing else runs on them.
const fullyBusy = 0.8

// leastBusy is the share of its processors that a contender kept busy, under the load under which it was the least.
func (b *bench) leastBusy(name string) float64 {
	least := 1.0
	for _, kind := range kinds {
		t := turn{name, kind}
		least = min(least, b.median(t, rate)*b.median(t, cpu)/1000/float64(b.processors))
	}
	return least
}

func (b *bench) printKind(w io.Writer, kind lab.Kind) {
	first := b.contenders[0].name
	fmt.Fprintf(w, "\nBody: %s\n", kind)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "messages/s\tCPU ms/message\tpeak MiB\tPSS MiB\tgenerator CPUs\t  ")
	for _, c := range b.contenders {
		m, name := b.memory[c.name], turn{c.name, kind}
		fmt.Fprintf(t, "%.0f\t%.3f\t%.1f\t%.1f\t%.2f\t  %s\n", b.median(name, rate), b.median(name, cpu),
			float64(m[0])/(1<<20), float64(m[1])/(1<<20), b.median(name, generator), c.name)
	}
	t.Flush()
	for _, c := range b.contenders {
		if c.name == first || c.idle() {
			continue
		}
		us, them := turn{first, kind}, turn{c.name, kind}
		ratio, goal := b.ratio(us, them, rate), ""
		if c.goal > 0 {
			goal = fmt.Sprintf(" (goal %.1f: %s)", c.goal, verdict(ratio >= c.goal))
		}
		fmt.Fprintf(w, "  %s does %.2f times the messages a second of %s%s, with 1/%.2f of its CPU a message\n",
			first, ratio, c.name, goal, b.ratio(them, us, cpu))
	}
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

func rate(r reading) float64      { return r.rate }
func cpu(r reading) float64       { return r.cpu }
func generator(r reading) float64 { return r.generator }

func (b *bench) median(t turn, of func(reading) float64) float64 {
	var all []float64
	for _, r := range b.readings[t] {
		all = append(all, of(r))
	}
	return median(all)
}

// ratio is the median of the rounds' ratios: what a round has in common falls out of it.
func (b *bench) ratio(over, under turn, of func(reading) float64) float64 {
	var all []float64
	for i, r := range b.readings[over] {
		if u := of(b.readings[under][i]); u > 0 {
			all = append(all, of(r)/u)
		}
	}
	return median(all)
}
