//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// A share says who runs where. The zero value lets all run everywhere.
type share struct {
	generator, measured unix.CPUSet
	split               bool
}

// shareOut gives half of the processors to the load generator and the DNS server, and the others to what is measured, so that the
// cost of the one does not count against the other.
func shareOut(split bool) (share, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return share{}, err
	}
	if !split || all.Count() < 2 {
		return share{}, nil
	}
	s := share{split: true}
	for cpu, seen := 0, 0; seen < all.Count(); cpu++ {
		switch {
		case !all.IsSet(cpu):
			continue
		case seen < all.Count()/2:
			s.generator.Set(cpu)
		default:
			s.measured.Set(cpu)
		}
		seen++
	}
	return s, nil
}

// among runs start with the processors of what is measured, which the programs that it starts inherit.
func (s share) among(start func() error) error {
	if !s.split {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &s.measured); err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	return s.settleGenerator()
}

// settleGenerator puts this process, with all its threads, on the processors of the load generator.
func (s share) settleGenerator() error {
	threads, err := filepath.Glob("/proc/self/task/[0-9]*")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &s.generator); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return err
		}
	}
	runtime.GOMAXPROCS(s.generator.Count())
	return nil
}

// processors is how many may be used by what is measured.
func (s share) processors() int {
	if s.split {
		return s.measured.Count()
	}
	return runtime.NumCPU()
}

func (s share) String() string {
	if !s.split {
		return fmt.Sprintf("The load generator, the DNS server and what is measured share %d processors", runtime.NumCPU())
	}
	return fmt.Sprintf("Processors: %d for what is measured, %d for the load generator with the DNS server", s.measured.Count(), s.generator.Count())
}
