//go:build linux

// Command benchgate holds the whole gate against its peers under the same load, in one run and in turns: rspamd with nothing on but
// spf, dkim, dmarc and arc, and opendkim followed by opendmarc, as Debian packages them.
//
//	go run ./test/benchgate
//	go run ./test/benchgate -rounds 3 -time 1s
//
// It runs in a network of its own, in which there is nothing but loopback. docs/performance.md says how to read what it prints.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A plan is how much is measured.
type plan struct {
	rounds   int
	time     time.Duration
	sessions int
	network  string
	pin      bool
	only     string
	against  string
	keep     bool
}

func main() {
	var p plan
	flag.IntVar(&p.rounds, "rounds", 7, "how often each has its turn")
	flag.DurationVar(&p.time, "time", 2*time.Second, "how long a turn is")
	flag.IntVar(&p.sessions, "sessions", 16, "how many sessions hand in mail at once")
	flag.StringVar(&p.network, "network", "unix", "unix or tcp")
	flag.BoolVar(&p.pin, "pin", true, "keep the load generator on processors of its own")
	flag.StringVar(&p.only, "only", "", "measure the gate, and of the others those whose `name` begins so; gatepost for none")
	flag.StringVar(&p.against, "against", "", "another gatepost `program` to hold this tree's against")
	flag.BoolVar(&p.keep, "keep", false, "leave the temporary directory, with configurations and logs")
	flag.Parse()

	run := func() error { return outside(p.keep) }
	switch os.Getenv(roleVariable) {
	case roleInside:
		run = func() error { return inside(p, os.Getenv(dirVariable)) }
	case roleIdle:
		run = serveIdle
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "benchgate:", err)
		os.Exit(2)
	}
}

// interrupted hears that the run is to end early. What was started is stopped on the way out.
func interrupted() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	return c
}
