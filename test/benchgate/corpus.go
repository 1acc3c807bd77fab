//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

const (
	domains     = 8
	messages    = 64
	messageSize = 4 << 10
	recipient   = "bob@example.org"
)

// A corpus is the mail of the load. No two messages are the same, so that nobody can remember having seen one.
type corpus struct {
	senders []*lab.Sender
	mail    map[lab.Kind][]letter
}

// A letter is a message and who hands it in.
type letter struct {
	client  mta.Client
	message *mta.Message
}

// kinds are the loads. A filter that looks into text, as rspamd cannot be kept from doing, has the least to do with an attachment.
var kinds = []lab.Kind{lab.Text, lab.Attachment}

func newCorpus() (*corpus, error) {
	c := &corpus{mail: map[lab.Kind][]letter{}}
	for i := range domains {
		s, err := lab.NewSender(fmt.Sprintf("sender%d.example", i))
		if err != nil {
			return nil, err
		}
		c.senders = append(c.senders, s)
	}
	for _, kind := range kinds {
		for i := range messages {
			s := c.senders[i%domains]
			m, err := signed(s, kind, i, 0)
			if err != nil {
				return nil, err
			}
			c.mail[kind] = append(c.mail[kind], letter{client(s, lab.GoodIP), m})
		}
	}
	return c, nil
}

func (c *corpus) zone() string {
	var zone strings.Builder
	for _, s := range c.senders {
		zone.WriteString(s.Zone())
	}
	fmt.Fprintf(&zone, "25.2.0.192.in-addr.arpa. PTR %s.\n", c.senders[0].Host())
	return zone.String()
}

func client(s *lab.Sender, ip string) mta.Client {
	return mta.Client{IP: ip, Name: s.Host(), Helo: s.Host()}
}

// signed is a message with its signature, and after that so many octets of the body changed.
func signed(s *lab.Sender, kind lab.Kind, number, changed int) (*mta.Message, error) {
	raw, err := s.Sign(s.Message(kind, number, messageSize))
	if err != nil {
		return nil, err
	}
	body := raw[bytes.Index(raw, []byte("\r\n\r\n"))+4:]
	for i := range changed {
		body[i] ^= 1
	}
	return mta.NewMessage(s.Mail(), recipient, raw)
}

// probe shows that a contender really verifies: what is good passes all three, a changed body fails DKIM, and what is forged is
// refused.
func (c *corpus) probe(who *contender) error {
	s := c.senders[0]
	for _, kind := range kinds {
		changed, err := signed(s, kind, 0, 3)
		if err != nil {
			return err
		}
		good, err := deliver(c.mail[kind][0], who.filters)
		if err != nil {
			return err
		}
		if err := passes(&good); err != nil {
			return fmt.Errorf("a good message: %w", err)
		}
		bad, err := deliver(letter{client(s, lab.GoodIP), changed}, who.filters)
		if err != nil {
			return err
		}
		if results := bad.Field(resultsField); strings.Contains(results, "dkim=pass") || !strings.Contains(results, "dkim=") {
			return fmt.Errorf("a message that was changed does not fail DKIM: %q", results)
		}
		forged, err := deliver(letter{client(s, lab.OtherIP), changed}, who.filters)
		if err != nil {
			return err
		}
		if forged.Class() != 5 {
			return fmt.Errorf("a forged message is let in: %q", forged.Field(resultsField))
		}
	}
	return nil
}

const resultsField = "Authentication-Results"

var errRefused = errors.New("it is not let in")

// passes tells whether an answer to a message of the corpus is the right one.
func passes(a *mta.Answer) error {
	if a.Class() != 2 || a.Held {
		return fmt.Errorf("%w: %c %s", errRefused, a.Code, a.Text)
	}
	for _, want := range []string{"dkim=pass", "spf=pass", "dmarc=pass"} {
		found := false
		for i := range a.Fields {
			found = found || strings.Contains(a.Fields[i].Value, want)
		}
		if !found {
			return fmt.Errorf("no %s in %q", want, a.Field(resultsField))
		}
	}
	return nil
}

func deliver(l letter, filters []mta.Filter) (mta.Answer, error) {
	s, err := mta.Dial(l.client, filters...)
	if err != nil {
		return mta.Answer{}, err
	}
	defer s.Close()
	return s.Deliver(l.message)
}
