package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const (
	gateSessions = 16
	gateMessages = 4000
	gateRounds   = 5
)

// benchGate measures what a message costs the gate above a milter that does nothing, in processor time of the whole process.
func benchGate() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	signed, err := sign(key, unsigned(4<<10, false))
	if err != nil {
		return err
	}
	gate, err := startGate(key)
	if err != nil {
		return err
	}
	defer gate.stop()
	floor, floorAddress, err := startFloor()
	if err != nil {
		return err
	}
	defer floor.Process.Kill()

	measure := func(pid int, address string) (cpu, wall float64, err error) {
		before, err := lab.CPU(pid)
		if err != nil {
			return 0, 0, err
		}
		took, err := load(address, signed, gateSessions, gateMessages)
		if err != nil {
			return 0, 0, err
		}
		after, err := lab.CPU(pid)
		return millis(after-before) / gateMessages, millis(took) / gateMessages, err
	}
	var ours, base, above, wall []float64
	for range gateRounds + 1 { // the first fills the caches
		b, _, err := measure(floor.Process.Pid, floorAddress)
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		o, w, err := measure(gate.pid(), gate.address)
		if err != nil {
			return fmt.Errorf("gatepost: %w", err)
		}
		base, ours, above, wall = append(base, b), append(ours, o), append(above, o-b), append(wall, w)
	}
	fmt.Printf("\nGate, %d sessions, 4 KiB signed messages, a new connection each, warm caches\n", gateSessions)
	fmt.Printf("  processor time a message: floor %.3f ms, gatepost %.3f ms, above the floor %.3f ms (%.0f messages a second)\n",
		median(base[1:]), median(ours[1:]), median(above[1:]), 1000/median(wall[1:]))
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
