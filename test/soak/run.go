//go:build linux

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/term"
)

// A soak is one run.
type soak struct {
	plan
	*world
	gate    *gate
	tally   *tally
	samples []sample
	rest    [2]sample // with nothing under way, before and after
	drained bool      // it ended by itself, and well, when told to
}

// run plays the scenes until the time is over, and lets the gate come to rest before and after.
func (s *soak) run(stop <-chan os.Signal) error {
	letters, err := s.write()
	if err != nil {
		return err
	}
	// One of each first, so that what is made once does not look like growth.
	all := scenes()
	first := &player{world: s.world, letters: letters, filter: s.gate.filters[0], rand: rand.New(rand.NewPCG(s.seed, 0))}
	for _, c := range all {
		if c.name != "idle" && c.name != "slow" {
			s.play(first, c)
		}
	}
	if s.rest[0], err = s.settled(); err != nil {
		return err
	}

	over := make(chan struct{})
	var wg sync.WaitGroup
	for i := range s.sessions {
		p := &player{world: s.world, letters: letters, filter: s.gate.filters[i%2], rand: rand.New(rand.NewPCG(s.seed, uint64(i+1)))}
		wg.Go(func() { s.act(p, all, over) })
	}
	wg.Go(func() { s.disturb(over) })
	err = s.watch(stop)
	close(over)
	wg.Wait()
	if err != nil {
		return err
	}
	if s.rest[1], err = s.settled(); err != nil {
		return err
	}
	s.drained = s.gate.process.Terminate(35*time.Second) && s.gate.process.Err == nil
	return nil
}

// act plays scenes by chance.
func (s *soak) act(p *player, all []scene, over <-chan struct{}) {
	total := 0
	for _, c := range all {
		total += c.weight
	}
	for {
		pause := p.rand.ExpFloat64() * float64(s.sessions) / s.rate
		select {
		case <-over:
			return
		case <-time.After(time.Duration(pause * float64(time.Second))):
		}
		pick := p.rand.IntN(total)
		i := slices.IndexFunc(all, func(c scene) bool { pick -= c.weight; return pick < 0 })
		s.play(p, all[i])
	}
}

func (s *soak) play(p *player, c scene) {
	n, err := c.play(p)
	s.tally.add(c.name, n, err)
}

// disturb reloads the gate and takes the DNS away, again and again. The phases are a part of the time, so that a short soak has all
// of them.
func (s *soak) disturb(over <-chan struct{}) {
	period := min(s.time/10, time.Minute)
	for i := 0; ; i++ {
		for _, step := range []struct {
			wait time.Duration
			do   func()
		}{
			{period / 2, func() { s.tally.note("reload", s.gate.reload()) }},
			{period / 4, func() { s.outages.begin(s.dns, i%2 == 1) }},
			{period / 4, func() { s.outages.end(s.dns) }},
		} {
			select {
			case <-over:
				s.outages.end(s.dns)
				return
			case <-time.After(step.wait):
				step.do()
			}
		}
	}
}

// watch takes samples until the time is over.
func (s *soak) watch(stop <-chan os.Signal) error {
	begun := time.Now()
	every := max(s.time/400, time.Second)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for time.Since(begun) < s.time {
		select {
		case <-stop:
			return errors.New("interrupted")
		case <-ticks.C:
		}
		x, err := s.gate.sample()
		if err != nil {
			return fmt.Errorf("the gate is gone: %w\n%s", err, s.gate.log.last())
		}
		x.at = time.Since(begun)
		s.samples = append(s.samples, x)
		s.progress(x)
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	return nil
}

func (s *soak) progress(x sample) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return
	}
	answers, wrong := s.tally.sums()
	fmt.Fprintf(os.Stderr, "\r\x1b[K%v of %v  %d answers, %d wrong  %.1f MiB resident, %.0f MiB heap, %.0f descriptors", x.at.Round(time.Second), s.time,
		answers, wrong, x.resident/(1<<20), x.heap/(1<<20), x.descriptors)
}

// settled waits until nothing is under way any more, and takes a sample.
func (s *soak) settled() (sample, error) {
	var lowest sample
	for range 25 {
		time.Sleep(200 * time.Millisecond)
		x, err := s.gate.sample()
		if err != nil {
			return x, err
		}
		if lowest.descriptors == 0 || x.descriptors < lowest.descriptors {
			lowest = x
		}
	}
	return lowest, nil
}

// A tally is what came of each scene.
type tally struct {
	mu    sync.Mutex
	lines map[string]*count
	said  []string // the first that were wrong
}

type count struct{ played, answers, wrong int }

func newTally() *tally { return &tally{lines: map[string]*count{}} }

const mostSaid = 3 // of each scene

func (t *tally) add(name string, answers int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.lines[name]
	if c == nil {
		c = &count{}
		t.lines[name] = c
	}
	c.played++
	c.answers += answers
	if err == nil {
		return
	}
	c.wrong++
	if c.wrong <= mostSaid {
		t.said = append(t.said, fmt.Sprintf("%s %s: %.600v", time.Now().Format(time.TimeOnly), name, err))
	}
}

func (t *tally) note(name string, err error) { t.add(name, 0, err) }

func (t *tally) sums() (answers, wrong int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.lines {
		answers += c.answers
		wrong += c.wrong
	}
	return answers, wrong
}

// names are those of the scenes, the most frequent first.
func (t *tally) names() []string {
	var names []string
	for name := range t.lines {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.lines[b].played, t.lines[a].played), cmp.Compare(a, b))
	})
	return names
}
