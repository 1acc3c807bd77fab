//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A scene is something that mail servers do. It gives the number of answers that came, and what was wrong with one.
type scene struct {
	name   string
	weight int
	play   func(p *player) (int, error)
}

// A player is one mail server process.
type player struct {
	*world
	letters letters
	filter  mta.Filter
	rand    *rand.Rand
}

// scenes is the mix.
func scenes() []scene {
	all := []scene{
		{"aborted", 30, (*player).aborted},
		{"dropped", 30, (*player).dropped},
		{"slow", 10, (*player).slow},
		{"several on one connection", 60, (*player).several},
		{"idle", 5, (*player).idle},
		{"garbage", 10, (*player).garbage},
		{"DNS that fails at times", 60, (*player).stretch},
	}
	for name, weight := range map[string]int{
		"good": 400, "changed body": 40, "spf fail": 80, "spf softfail": 80, "spf permerror": 20, "temperror": 20, "forged From": 60, "held": 20,
		"own network": 20, "own user": 60, "10 MiB": 3, "1500 fields": 5, "3000 fields": 5, "1 MiB field": 3, "12 signatures": 10,
	} {
		all = append(all, scene{name, weight, func(p *player) (int, error) { return p.single(name) }})
	}
	return all
}

func (p *player) letter(name string) letter {
	return p.letters[name][p.rand.IntN(len(p.letters[name]))]
}

// single is a message over a connection of its own.
func (p *player) single(name string) (int, error) {
	l := p.letter(name)
	s, err := mta.Dial(l.client, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return 1, send(s, l, mta.Pace{})
}

func send(s *mta.Session, l letter, pace mta.Pace) error {
	if err := s.Envelope(l.message); err != nil {
		return err
	}
	answer, err := s.Content(l.message, pace)
	if err != nil {
		return err
	}
	return l.want.check(&answer)
}

// several sends one message after the other over one connection, from the same client, with some that are refused or given up.
func (p *player) several() (int, error) {
	first := p.letter("good")
	s, err := mta.Dial(first.client, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	n := 2 + p.rand.IntN(8)
	for i := range n {
		l := first
		if p.rand.IntN(4) == 0 { // whoever's it is, the client's address may send for all senders
			l = p.letter("changed body")
		}
		if err := send(s, l, mta.Pace{}); err != nil {
			return i, err
		}
	}
	return n, nil
}

// aborted gives up in the middle of a message and then sends another.
func (p *player) aborted() (int, error) {
	l := p.letter("good")
	s, err := mta.Dial(l.client, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if err := s.Envelope(l.message); err != nil {
		return 0, err
	}
	if _, err := s.Content(l.message, mta.Pace{Stop: 1 + p.rand.IntN(10)}); err != nil {
		return 0, err
	}
	if err := s.Abort(); err != nil {
		return 0, err
	}
	return 1, send(s, l, mta.Pace{})
}

// dropped goes away in the middle of a message.
func (p *player) dropped() (int, error) {
	name := "good"
	if p.rand.IntN(20) == 0 {
		name = "10 MiB"
	}
	l := p.letter(name)
	s, err := mta.Dial(l.client, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Drop()
	if err := s.Envelope(l.message); err != nil || p.rand.IntN(4) == 0 {
		return 0, err
	}
	_, err = s.Content(l.message, mta.Pace{Stop: 1 + p.rand.IntN(14)})
	return 0, err
}

// slow takes seconds for a message.
func (p *player) slow() (int, error) {
	l := p.letter("good")
	s, err := mta.Dial(l.client, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return 1, send(s, l, mta.Pace{Pause: time.Duration(20+p.rand.IntN(300)) * time.Millisecond})
}

// idle connects, says who is there, and nothing more for a while.
func (p *player) idle() (int, error) {
	s, err := mta.Dial(p.letter("good").client, p.filter)
	if err != nil {
		return 0, err
	}
	time.Sleep(time.Duration(p.rand.IntN(10_000)) * time.Millisecond)
	s.Close()
	return 0, nil
}

// garbage is what no mail server says. The gate is to end the connection, or to wait for the rest of a packet.
func (p *player) garbage() (int, error) {
	conn, err := net.Dial(p.filter.Network, p.filter.Address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	junk := make([]byte, 1+p.rand.IntN(200))
	for i := range junk {
		junk[i] = byte(p.rand.Uint32())
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.Write(junk)
	io.Copy(io.Discard, conn)
	return 0, nil
}

var errOutage = errors.New("in an outage")

// stretch is a message whose DNS may be failing.
func (p *player) stretch() (int, error) {
	c, m := stretched(p.rand, p.sender(p.rand))
	start := time.Now()
	s, err := mta.Dial(c, p.filter)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	answer, err := s.Deliver(m)
	if err != nil {
		return 0, err
	}
	surely, never := p.outages.met(start)
	passes := want{class: 2, results: []string{"spf=pass", "dmarc=pass"}}.check(&answer)
	defers := want{class: 4, reply: "451 4.7."}.check(&answer)
	switch {
	case surely && defers != nil:
		return 1, fmt.Errorf("%w: %w", errOutage, defers)
	case never && passes != nil:
		return 1, passes
	case passes != nil && defers != nil:
		return 1, passes
	}
	return 1, nil
}
