//go:build linux

// Command soak sends a real mix of mail through the gate for a long time, good and bad, whole and broken, and sees to it that every
// message gets the answer that it should, and that memory and descriptors stay flat.
//
//	go run ./test/soak             # an hour
//	go run ./test/soak -time 5m
//
// It ends with 1 where an answer was wrong or something grew. docs/performance.md says how to read what it prints.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A plan is how long and how hard.
type plan struct {
	time     time.Duration
	sessions int
	rate     float64 // scenes a second at most
	seed     uint64
	keep     bool
}

// errFailed is a soak that was carried out, and showed something that is wrong.
var errFailed = errors.New("the soak failed; see above")

func main() {
	var p plan
	flag.DurationVar(&p.time, "time", time.Hour, "how long")
	flag.IntVar(&p.sessions, "sessions", 48, "how many mail server processes hand in mail")
	flag.Float64Var(&p.rate, "rate", 300, "how much mail a second at most")
	flag.Uint64Var(&p.seed, "seed", uint64(time.Now().UnixNano()), "of the mix")
	flag.BoolVar(&p.keep, "keep", false, "leave the temporary directory")
	flag.Parse()

	switch err := run(p); {
	case errors.Is(err, errFailed):
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
}

func run(p plan) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	if !p.keep {
		defer os.RemoveAll(dir)
	}
	w, err := newWorld()
	if err != nil {
		return err
	}
	defer w.dns.Stop()
	g, err := startGate(dir, w.dns.Addr)
	if err != nil {
		return err
	}
	defer g.process.Stop()
	fmt.Printf("seed %d, %v, %d sessions, at most %.0f messages a second; gate %d on %s\n", p.seed, p.time, p.sessions, p.rate, g.process.PID(), g.filters[0].Address)

	s := &soak{plan: p, world: w, gate: g, tally: newTally()}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	if err := s.run(stop); err != nil {
		return err
	}
	if !s.report(os.Stdout) {
		return errFailed
	}
	return nil
}
