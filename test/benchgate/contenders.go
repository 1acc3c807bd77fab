//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

const (
	authservID = "mx.example.org"
	dnsHost    = "127.0.0.1"
	dnsAddress = dnsHost + ":53"
)

// A contender is one or more milters that do the whole work.
type contender struct {
	name      string
	dir       string  // of its first program
	goal      float64 // how many times its messages a second the gate is to do; 0 for the gate itself
	filters   []mta.Filter
	processes []*lab.Process
	pids      []int
}

func (c *contender) stop() {
	for _, p := range c.processes {
		p.Stop()
	}
}

// A piece is one program of a contender: its files, as [fillIn] takes them, and how it is run.
type piece struct {
	name    string
	files   map[string]string
	program string
	args    []string
}

// A yard is where contenders are started: a directory each, and sockets of one kind.
type yard struct {
	dir     string
	network string // unix or tcp
}

func (y yard) start(name string, goal float64, pieces ...piece) (*contender, error) {
	c := &contender{name: name, goal: goal, dir: filepath.Join(y.dir, pieces[0].name)}
	for _, p := range pieces {
		process, filter, err := y.run(p)
		if err != nil {
			c.stop()
			return nil, err
		}
		c.processes, c.filters = append(c.processes, process), append(c.filters, filter)
	}
	return c, nil
}

func (y yard) run(p piece) (*lab.Process, mta.Filter, error) {
	own := filepath.Join(y.dir, p.name)
	if err := os.MkdirAll(own, 0o755); err != nil {
		return nil, mta.Filter{}, err
	}
	filter := mta.Filter{Network: "unix", Address: filepath.Join(own, "socket")}
	if y.network == "tcp" {
		address, err := lab.FreeAddress()
		if err != nil {
			return nil, filter, err
		}
		filter = mta.Filter{Network: "tcp", Address: address}
	}
	fill := fillIn(own, filter)
	for file, text := range p.files {
		if err := os.WriteFile(filepath.Join(own, file), []byte(fill(text)), 0o644); err != nil {
			return nil, filter, err
		}
	}
	args := make([]string, len(p.args))
	for i, a := range p.args {
		args[i] = fill(a)
	}
	process, err := lab.Start(own, p.name, filter, p.program, args...)
	return process, filter, err
}

// fillIn puts into a configuration what is different in each run. LISTEN is the socket in the words of sendmail, SOCKET is its
// path or HOST:PORT.
func fillIn(dir string, f mta.Filter) func(string) string {
	listen := "local:" + f.Address
	if f.Network == "tcp" {
		host, port, _ := net.SplitHostPort(f.Address)
		listen = "inet:" + port + "@" + host
	}
	return strings.NewReplacer("DIR", dir, "LISTEN", listen, "SOCKET", f.Address, "AUTHSERVID", authservID, "DNSHOST", dnsHost).Replace
}

// settle notes the processes, once all of them have been seen at work.
func (c *contender) settle() error {
	c.pids = nil
	for _, p := range c.processes {
		if !p.Running() {
			return fmt.Errorf("%s ended: %s", p.Name, p.Log())
		}
		c.pids = append(c.pids, p.Tree()...)
	}
	return nil
}
