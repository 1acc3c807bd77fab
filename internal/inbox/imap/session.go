package imap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

// A session is one connection, with one mailbox selected.
type session struct {
	*mailbox
	c      *imapclient.Client
	guard  *guard
	caps   imap.CapSet
	wake   chan struct{} // new mail, says the server
	stop   func() bool   // no longer end with the context
	next   imap.UID      // those below were looked at
	end    imap.UID      // the UIDNEXT of when the mailbox was selected; zero if the server did not say
	create [fates]bool   // the mailbox for them was looked for

	mu   sync.Mutex // held during a command
	last time.Time  // when the last one ended
}

// connect makes a connection, logs in and selects the mailbox.
func (m *mailbox) connect(ctx context.Context) (*session, error) {
	conn, err := m.in.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{mailbox: m, guard: &guard{Conn: conn, stall: m.in.o.stall, left: allowance}, wake: make(chan struct{}, 1), next: 1}
	s.guard.begin()
	s.stop = context.AfterFunc(ctx, func() {
		time.AfterFunc(m.in.o.grace, func() { s.guard.fail(net.ErrClosed) })
	})
	s.c = imapclient.New(s.guard, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if data.NumMessages != nil {
				select {
				case s.wake <- struct{}{}:
				default:
				}
			}
		},
	}})
	if err := s.begin(ctx); err != nil {
		s.guard.fail(net.ErrClosed)
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) begin(ctx context.Context) error {
	if err := s.do(s.c.WaitGreeting); err != nil {
		return fmt.Errorf("%s: %w", s.in.o.Address, err)
	}
	if s.c.State() == imap.ConnStateNotAuthenticated {
		if err := s.login(ctx); err != nil {
			return err
		}
	}
	if err := s.do(func() error {
		if s.caps = s.c.Caps(); s.caps == nil {
			return errors.New("the server does not say what it can do")
		}
		return nil
	}); err != nil {
		return err
	}
	if err := s.openMailbox(); err != nil {
		return fmt.Errorf("mailbox %s: %w", s.name, err)
	}
	s.status.Up()
	return ctx.Err()
}

func (s *session) openMailbox() error {
	var data *imap.SelectData
	err := s.do(func() (err error) {
		data, err = s.c.Select(s.name, nil).Wait()
		return err
	})
	if err != nil {
		return err
	}
	s.end = data.UIDNext
	if s.memory.open(data.UIDValidity) {
		s.status.Log().Info("the mailbox was made anew by the server: its messages have other UIDs now", "mailbox", s.name)
	}
	if s.in.o.After == Flag && len(data.PermanentFlags) > 0 && !s.keeps(data.PermanentFlags) {
		return fmt.Errorf("the server keeps no keywords such as %s there; set After to move, seen or delete", s.in.o.Keyword)
	}
	return nil
}

func (s *session) keeps(flags []imap.Flag) bool {
	for _, f := range flags {
		if f == imap.FlagWildcard || f == imap.Flag(s.in.o.Keyword) {
			return true
		}
	}
	return false
}

// do gives a command, one at a time, and explains what goes wrong.
func (s *session) do(command func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doLocked(command)
}

func (s *session) doLocked(command func() error) error {
	if err := s.guard.broken(); err != nil {
		return err
	}
	s.guard.begin()
	err := command()
	s.guard.end()
	s.last = time.Now()
	return s.explain(err)
}

// A refusedError is that of a server that says no.
type refusedError struct{ said *imap.Error }

func (e *refusedError) Error() string {
	text := "the server says " + string(e.said.Type)
	if e.said.Code != "" {
		text += " [" + inbox.Line(string(e.said.Code), 40) + "]"
	}
	return text + " " + inbox.Line(e.said.Text, 300)
}

func (s *session) explain(err error) error {
	if err == nil {
		return nil
	}
	if refused := new(imap.Error); errors.As(err, &refused) {
		return &refusedError{refused}
	}
	if cause := s.guard.broken(); cause != nil {
		return cause
	}
	if s.c.State() == imap.ConnStateLogout { // the library closed it
		err = fmt.Errorf("the server sent what is not IMAP: %s", inbox.Line(err.Error(), 200))
		s.guard.fail(err)
	}
	return err
}

// keepAlive sees to it that the server does not think us gone while the importer is busy, until the function that it returns is called.
func (s *session) keepAlive() func() {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(s.in.o.keepalive / 2)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
			}
			if !s.mu.TryLock() {
				continue // something is under way
			}
			if time.Since(s.last) >= s.in.o.keepalive/2 && s.doLocked(func() error { return s.c.Noop().Wait() }) == nil && s.in.o.alive != nil {
				s.in.o.alive()
			}
			s.mu.Unlock()
		}
	}()
	return sync.OnceFunc(func() {
		close(quit)
		<-ended
	})
}

// wait returns when there may be something to do: the server tells of new mail, or it is time to ask, or ctx ended.
func (s *session) wait(ctx context.Context) error {
	most := s.in.o.Poll
	telling := s.caps.Has(imap.CapIdle)
	if telling {
		most = s.in.o.idle
	}
	timer := time.NewTimer(max(time.Until(s.memory.then(time.Now().Add(most))), 0))
	defer timer.Stop()
	if !telling {
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.wake:
		case <-s.c.Closed():
		}
		return s.do(func() error { return s.c.Noop().Wait() })
	}
	select {
	case <-s.wake: // it came during the last round
		return nil
	default:
	}
	var idle *imapclient.IdleCommand
	err := s.do(func() (err error) {
		idle, err = s.c.Idle()
		return err
	})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.wake:
	case <-s.c.Closed():
	}
	return s.do(func() error {
		if err := idle.Close(); err != nil {
			return err
		}
		return idle.Wait()
	})
}

// close says farewell if the server still listens.
func (s *session) close() {
	s.stop()
	if s.guard.broken() == nil {
		s.guard.stall = min(s.guard.stall, 2*time.Second)
		s.do(func() error { return s.c.Logout().Wait() })
	}
	s.guard.fail(net.ErrClosed)
	s.c.Close()
}
