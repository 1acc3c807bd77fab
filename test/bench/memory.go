package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const (
	memorySessions = 64
	memorySize     = 10 << 20
)

// benchMemory shows how much memory the gate takes while many large messages pass at once.
func benchMemory() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	signed, err := sign(key, unsigned(memorySize, false))
	if err != nil {
		return err
	}
	gate, err := startGate(key)
	if err != nil {
		return err
	}
	defer gate.stop()
	if _, err := load(gate.address, signed, memorySessions, 2*memorySessions); err != nil {
		return err
	}
	peak, err := lab.PeakMemory(gate.pid())
	if err != nil {
		return err
	}
	fmt.Printf("\nMemory, %d sessions with %d MiB each: %.0f MiB resident at most\n", memorySessions, memorySize>>20, float64(peak)/(1<<20))
	return nil
}
