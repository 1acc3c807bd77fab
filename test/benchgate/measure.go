//go:build linux

package main

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

// A bench is one run.
type bench struct {
	plan
	mail       *corpus
	contenders []*contender
	processors int                 // for each contender
	readings   map[turn][]reading  // one a round
	memory     map[string][2]int64 // by name: the sum of the peaks, and the proportional one
}

// A turn is one contender under one kind of load.
type turn struct {
	name string
	kind lab.Kind
}

// A reading is what one turn showed.
type reading struct {
	rate      float64 // messages a second
	cpu       float64 // of all its processes, milliseconds a message
	generator float64 // processors that the load generator and the DNS server kept busy
}

// measure gives each contender its turn, round by round, there and back again, so that nobody always follows the same one. The first
// round fills caches and is thrown away.
func (b *bench) measure(stop <-chan os.Signal) error {
	for round := range b.rounds + 1 {
		for i := range len(kinds) * len(b.contenders) {
			if round%2 == 1 {
				i = len(kinds)*len(b.contenders) - 1 - i
			}
			c, kind := b.contenders[i/len(kinds)], kinds[i%len(kinds)]
			select {
			case <-stop:
				return errInterrupted
			default:
			}
			b.progress(round, c)
			r, err := b.turn(c, kind)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				t := turn{c.name, kind}
				b.readings[t] = append(b.readings[t], r)
			}
		}
	}
	b.progress(0, nil)
	return b.weigh()
}

func (b *bench) progress(round int, c *contender) {
	switch {
	case !term.IsTerminal(int(os.Stderr.Fd())):
	case c == nil:
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	default:
		fmt.Fprintf(os.Stderr, "\r\x1b[Kround %d of %d: %s", round, b.rounds, c.name)
	}
}

// turn hands in mail for as long as a turn is.
func (b *bench) turn(c *contender, kind lab.Kind) (reading, error) {
	if err := c.settle(); err != nil {
		return reading{}, err
	}
	before, err := lab.CPU(c.pids...)
	if err != nil {
		return reading{}, err
	}
	own, err := lab.CPU(os.Getpid())
	if err != nil {
		return reading{}, err
	}
	n, took, err := b.load(c, b.mail.mail[kind])
	if err != nil {
		return reading{}, err
	}
	after, err := lab.CPU(c.pids...)
	if err != nil {
		return reading{}, err
	}
	ownAfter, err := lab.CPU(os.Getpid())
	return reading{
		rate:      float64(n) / took.Seconds(),
		cpu:       (after - before).Seconds() * 1000 / float64(n),
		generator: (ownAfter - own).Seconds() / took.Seconds(),
	}, err
}

// load gives how many messages were answered, each rightly, and how long that took.
func (b *bench) load(c *contender, mail []letter) (int64, time.Duration, error) {
	var next, done atomic.Int64
	var wg sync.WaitGroup
	failures := make([]error, b.sessions)
	begun := time.Now()
	for i := range b.sessions {
		wg.Go(func() {
			for time.Since(begun) < b.time {
				answer, err := deliver(mail[int(next.Add(1))%len(mail)], c.filters)
				if err == nil && !c.idle() {
					err = passes(&answer)
				}
				if err != nil {
					failures[i] = err
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	for _, err := range failures {
		if err != nil {
			return 0, 0, err
		}
	}
	return done.Load(), took, nil
}

// weigh asks the kernel how much memory each took.
func (b *bench) weigh() error {
	b.memory = map[string][2]int64{}
	for _, c := range b.contenders {
		if err := c.settle(); err != nil {
			return err
		}
		peak, err := lab.PeakMemory(c.pids...)
		if err != nil {
			return err
		}
		shared, err := lab.ProportionalMemory(c.pids...)
		if err != nil {
			return err
		}
		b.memory[c.name] = [2]int64{peak, shared}
	}
	return nil
}
