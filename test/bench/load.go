package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/message"
)

const bodyChunk = 64<<10 - 1

// load hands n messages to a milter from so many sessions at once, each over a new connection, as Postfix does, and gives the
// time it took.
func load(address string, signed []byte, sessions, n int) (time.Duration, error) {
	client := milter.NewClient("tcp", address, milter.WithActions(milter.AllClientSupportedActionMasks))
	header, body, err := split(signed)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	failures := make([]error, sessions)
	start := time.Now()
	for i := range sessions {
		wg.Go(func() {
			for next.Add(1) <= int64(n) && failures[i] == nil {
				failures[i] = deliver(client, header, body)
			}
		})
	}
	wg.Wait()
	return time.Since(start), errors.Join(failures...)
}

// split takes a message apart as Postfix hands it over: folds as LF, values with their leading space.
func split(raw []byte) (header [][2]string, body []byte, err error) {
	m, err := message.Read(bytes.NewReader(raw), message.Limits{})
	if err != nil {
		return nil, nil, err
	}
	for _, f := range m.Header {
		header = append(header, [2]string{f.Name, strings.ReplaceAll(f.Value(), "\r\n", "\n")})
	}
	body, err = io.ReadAll(m.Body)
	return header, body, err
}

func deliver(client *milter.Client, header [][2]string, body []byte) (err error) {
	macros := milter.NewMacroBag()
	macros.Set(milter.MacroQueueId, "4XyZ1a2b3c")
	s, err := client.Session(macros)
	if err != nil {
		return err
	}
	defer s.Close()
	step := func(_ *milter.Action, stepErr error) {
		if err == nil {
			err = stepErr
		}
	}
	step(s.Conn("mail.example.com", milter.FamilyInet, 25025, "192.0.2.25"))
	step(s.Helo("mail.example.com"))
	step(s.Mail("<alice@example.com>", ""))
	step(s.Rcpt("<bob@example.org>", ""))
	step(s.DataStart())
	for _, f := range header {
		step(s.HeaderField(f[0], f[1], nil))
	}
	step(s.HeaderEnd())
	for len(body) > 0 && err == nil {
		n := min(len(body), bodyChunk)
		step(s.BodyChunk(body[:n]))
		body = body[n:]
	}
	if err != nil {
		return err
	}
	_, act, err := s.End()
	if err == nil && act.StopProcessing() {
		err = fmt.Errorf("the message was refused: %s", act.SMTPReply)
	}
	return err
}
