//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A letter is a message, who hands it in, and the answer that it is to get.
type letter struct {
	client  mta.Client
	message *mta.Message
	want    want
}

// A want is an answer.
type want struct {
	class   int      // 2, 4 or 5
	reply   string   // how it begins, if it is one
	results []string // what Authentication-Results says
	held    bool
}

func (w want) check(a *mta.Answer) error {
	results := a.Field("Authentication-Results")
	wrong := a.Class() != w.class || !strings.HasPrefix(a.Text, w.reply) || a.Held != w.held
	for _, r := range w.results {
		wrong = wrong || !strings.Contains(results, r)
	}
	if wrong {
		return fmt.Errorf("got %c %q held=%v results=%q, want class %d %q held=%v %q", a.Code, a.Text, a.Held, results, w.class, w.reply, w.held, w.results)
	}
	return nil
}

var allPass = []string{"dkim=pass", "spf=pass", "dmarc=pass"}

func client(s *lab.Sender, ip string) mta.Client {
	return mta.Client{IP: ip, Name: s.Host(), Helo: s.Host()}
}

// the evil host's own name is in order.
func evil() mta.Client {
	return mta.Client{IP: lab.OtherIP, Name: "mail." + evilDomain, Helo: "mail." + evilDomain}
}

// letters are made once for each name of a scene.
type letters map[string][]letter

const small = 4 << 10

// write makes all of the mail that does not change from time to time.
func (w *world) write() (letters, error) {
	all := letters{}
	for i, s := range w.senders {
		kind := [2]lab.Kind{lab.Text, lab.Attachment}[i%2]
		good, err := s.Sign(s.Message(kind, i, small))
		if err != nil {
			return nil, err
		}
		if err := all.add("good", client(s, lab.GoodIP), s.Mail(), good, want{class: 2, results: allPass}); err != nil {
			return nil, err
		}
		tampered := bytes.Replace(good, []byte("\r\n\r\n"), []byte("\r\n\r\nx"), 1)
		for name, l := range map[string]struct {
			client mta.Client
			from   string
			raw    []byte
			want   want
		}{
			"changed body":  {client(s, lab.GoodIP), s.Mail(), tampered, want{class: 2, results: []string{"dkim=fail", "spf=pass", "dmarc=pass"}}},
			"spf fail":      {client(s, lab.OtherIP), s.Mail(), good, want{class: 5, reply: "550 5.7.23 SPF fail"}},
			"spf softfail":  {evil(), "a@" + softDomain, good, want{class: 5, reply: "550 5.7.23 SPF softfail"}},
			"spf permerror": {evil(), "a@" + strings.TrimSuffix(permDomain, "."), good, want{class: 5, reply: "550 5.7.24 "}},
			"temperror":     {evil(), "a@" + brokenDomain, good, want{class: 4, reply: "451 4.7.24 "}},
			"forged From":   {evil(), "a@" + evilDomain, s.Message(kind, i, small), want{class: 5, reply: "550 5.7.26 DMARC fail"}},
			"held":          {evil(), "a@" + evilDomain, from(s.Message(kind, i, small), s.Mail(), "a@"+heldDomain), want{class: 2, held: true}},
			"own network":   {mta.Client{IP: "127.0.0.1", Name: "localhost", Helo: "localhost"}, s.Mail(), s.Message(kind, i, small), want{class: 2}},
			"own user": {mta.Client{IP: lab.OtherIP, Name: "laptop.example", Helo: "laptop", Login: "alice"}, s.Mail(), s.Message(kind, i, small),
				want{class: 2, results: []string{"auth=pass"}}},
		} {
			if err := all.add(name, l.client, l.from, l.raw, l.want); err != nil {
				return nil, err
			}
		}
	}
	return all, w.writeLarge(all)
}

// from puts another address into the From field.
func from(raw []byte, old, new string) []byte {
	return bytes.Replace(raw, []byte("<"+old+">"), []byte("<"+new+">"), 1)
}

func (all letters) add(name string, c mta.Client, from string, raw []byte, w want) error {
	m, err := mta.NewMessage(from, recipient, raw)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	all[name] = append(all[name], letter{c, m, w})
	return nil
}

// writeLarge makes what is large in one way or another.
func (w *world) writeLarge(all letters) error {
	s := w.senders[0]
	large, err := s.Sign(s.Message(lab.Attachment, 0, 10<<20))
	if err != nil {
		return err
	}
	if err := all.add("10 MiB", client(s, lab.GoodIP), s.Mail(), large, want{class: 2, results: allPass}); err != nil {
		return err
	}
	many := make([]string, 1500)
	for i := range many {
		many[i] = fmt.Sprintf("X-Field-%d: %s", i, strings.Repeat("x", i%200))
	}
	signed, err := s.Sign(s.Message(lab.Text, 1, small, many...))
	if err != nil {
		return err
	}
	if err := all.add("1500 fields", client(s, lab.GoodIP), s.Mail(), signed, want{class: 2, results: allPass}); err != nil {
		return err
	}
	fields := []mta.Field{{Name: "From", Value: " " + s.Mail()}}
	for i := range 3000 {
		fields = append(fields, mta.Field{Name: fmt.Sprintf("X-Field-%d", i), Value: " x"})
	}
	all["3000 fields"] = []letter{{client(s, lab.GoodIP), mta.New(s.Mail(), recipient, fields, []byte("hello\r\n")), want{class: 5, reply: "552 5.3.4 "}}}
	fields = []mta.Field{{Name: "From", Value: " " + s.Mail()}, {Name: "X-Large", Value: " " + strings.Repeat("x", 1<<20+1<<15)}}
	all["1 MiB field"] = []letter{{client(s, lab.GoodIP), mta.New(s.Mail(), recipient, fields, []byte("hello\r\n")), want{class: 5, reply: "552 5.3.4 "}}}
	return w.writeSigned(all)
}

// writeSigned makes a message that many have signed, of which only some can be right.
func (w *world) writeSigned(all letters) error {
	s := w.senders[0]
	raw := s.Message(lab.Text, 2, small)
	for i := range 12 {
		var err error
		if raw, err = w.senders[i].Sign(raw); err != nil {
			return err
		}
	}
	return all.add("12 signatures", client(s, lab.GoodIP), s.Mail(), raw, want{class: 2, results: []string{"dkim=pass", "spf=pass", "dmarc=pass"}})
}

// stretched is a message from a domain that is asked for the first time and perhaps in an outage.
func stretched(r *rand.Rand, s *lab.Sender) (mta.Client, *mta.Message) {
	domain := fmt.Sprintf("d%d.%s", r.Uint64(), stretchDomain)
	fields := []mta.Field{{Name: "From", Value: " a@" + domain}, {Name: "Subject", Value: " hello"}}
	return client(s, lab.GoodIP), mta.New("a@"+domain, recipient, fields, []byte("hello\r\n"))
}
