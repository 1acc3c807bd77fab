//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

// inside measures in the network of its own.
func inside(p plan, dir string) error {
	stop := interrupted()
	if err := separate(dir); err != nil {
		return err
	}
	mail, err := newCorpus()
	if err != nil {
		return err
	}
	dns, err := lab.StartDNS(dnsAddress, mail.zone())
	if err != nil {
		return err
	}
	defer dns.Stop()
	processors, err := shareOut(p.pin)
	if err != nil {
		return err
	}
	var all []*contender
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	err = processors.among(func() (err error) {
		all, err = startAll(yard{dir, p.network}, processors.processors(), p)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.idle() {
			continue
		}
		if err := mail.probe(c); err != nil {
			return fmt.Errorf("the comparison is void: %s: %w", c.name, err)
		}
	}
	fmt.Println(conditions(p, processors))
	b := &bench{plan: p, mail: mail, contenders: all, processors: processors.processors(), readings: map[turn][]reading{}}
	if err := b.measure(stop); err != nil {
		return err
	}
	b.print(os.Stdout)
	return nil
}

var errInterrupted = errors.New("interrupted")

const idleName = "a filter that does nothing"

func (c *contender) idle() bool { return c.name == idleName }

// startAll starts the gate as often as there are ways to run it, and of the others those whose name begins so.
func startAll(y yard, processors int, p plan) ([]*contender, error) {
	all, err := startGates(y)
	if err != nil {
		return all, err
	}
	self, err := os.Executable()
	if err != nil {
		return all, err
	}
	if p.against != "" {
		c, err := y.start("the other gatepost", 0, variants()[0].piece(p.against, "other"))
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	os.Setenv(roleVariable, roleIdle)
	for _, other := range []struct {
		name   string
		goal   float64
		pieces []piece
	}{
		{"rspamd", 1.5, []piece{rspamdPiece(processors)}},
		{"opendkim and opendmarc", 3, openPieces()},
		{idleName, 0, []piece{{name: "idle", program: self, args: []string{"SOCKET"}}}}, // shows how fast the load generator is
	} {
		if !strings.HasPrefix(other.name, p.only) {
			continue
		}
		c, err := y.start(other.name, other.goal, other.pieces...)
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

func startGates(y yard) ([]*contender, error) {
	var all []*contender
	program := filepath.Join(y.dir, "gatepost")
	for i, v := range variants() {
		if ok, reason := v.known(program, y.dir); !ok {
			fmt.Printf("%s: left out, since this build does not know it (%s)\n", v.name, reason)
			continue
		}
		c, err := y.start(v.name, 0, v.piece(program, fmt.Sprint("gate", i)))
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("gatepost takes none of the configurations")
	}
	return all, nil
}

// conditions are what the figures hold for.
func conditions(p plan, s share) string {
	versions := []string{"gatepost of this tree, " + runtime.Version()}
	for _, program := range []string{"rspamd", "opendkim", "opendmarc"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Package} ${Version}", program).Output()
		if err == nil {
			versions = append(versions, string(out))
		}
	}
	return fmt.Sprintf("%s\n%d sessions; %d messages of 4 KiB of %d domains, each with an RSA-2048 signature; a new connection each (%s)\n"+
		"DNS on loopback, caches warm; %d rounds of %v each in turn; medians\n%s",
		strings.Join(versions, "; "), p.sessions, messages, domains, p.network, p.rounds, p.time, s)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
