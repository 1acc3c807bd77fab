package main

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A contender is one of several ways to do the same work.
type contender struct {
	name string
	work func()
}

// A reading is what one contender took for one piece of work.
type reading struct {
	time   time.Duration // the median of the rounds
	ratio  float64       // the median of the rounds' ratios to the first contender
	allocs float64
	bytes  float64
}

const (
	rounds    = 15
	roundTime = 40 * time.Millisecond
)

// compare runs the contenders by turns on one processor, so that a machine that speeds up or slows down does so for all, and
// relates each to the first round by round.
func compare(contenders []contender) []reading {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	times := make([][]float64, len(contenders))
	counts := make([]int, len(contenders))
	for i, c := range contenders {
		counts[i] = calibrate(c.work)
	}
	for range rounds {
		for i, c := range contenders {
			times[i] = append(times[i], once(c.work, counts[i]))
		}
	}
	readings := make([]reading, len(contenders))
	for i, c := range contenders {
		ratios := make([]float64, rounds)
		for r := range ratios {
			ratios[r] = times[i][r] / times[0][r]
		}
		readings[i] = reading{time: time.Duration(median(times[i])), ratio: median(ratios)}
		readings[i].allocs, readings[i].bytes = allocations(c.work)
	}
	return readings
}

// calibrate finds how often the work fits into a round.
func calibrate(work func()) int {
	work() // caches, pools
	n := 1
	for {
		if took := once(work, n) * float64(n); took > float64(roundTime)/4 {
			return max(1, int(float64(n)*float64(roundTime)/took))
		}
		n *= 2
	}
}

// once gives the nanoseconds of one piece of work, over n of them: of processor time, which others on the machine do not add to.
func once(work func(), n int) float64 {
	start := cpuTime()
	for range n {
		work()
	}
	return float64(cpuTime()-start) / float64(n)
}

// cpuTime is what the process has taken of processors.
func cpuTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

func allocations(work func()) (count, bytes float64) {
	const n = 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		work()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / n, float64(after.TotalAlloc-before.TotalAlloc) / n
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// percentile gives the value that so many of a hundred do not exceed.
func percentile(values []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
