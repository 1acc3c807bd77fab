package imap

import (
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

type (
	imapFetchUID  = imapclient.FetchItemDataUID
	imapFetchBody = imapclient.FetchItemDataBodySection
)

// putAway moves, flags or deletes what is in the store. Its error is that of a connection that can no longer be used. A server that
// refuses is asked again after a while, and meanwhile what is in the store is not fetched again.
func (s *session) putAway() error {
	defer func() { s.status.Waiting(s.memory.waiting()) }()
	for f := range fates {
		for {
			uids, copied := s.memory.next(f, time.Now())
			if len(uids) == 0 {
				break
			}
			err := s.put(uids, copied, f)
			var refused *refusedError
			if errors.As(err, &refused) {
				s.memory.refused(f, time.Now())
				s.status.Trouble(fmt.Errorf("%d messages of %s are in the store but cannot be put away: %w", len(uids), s.name, err))
				break
			}
			if err != nil {
				return err
			}
			s.memory.putAway(uids, f)
		}
	}
	return nil
}

func (s *session) put(uids []imap.UID, copied bool, f fate) error {
	set := imap.UIDSetNum(uids...)
	if f == bad {
		var refused *refusedError
		if err := s.store(set, badKeyword); err != nil && !errors.As(err, &refused) { // not every server keeps keywords
			return err
		}
		return s.move(set, uids, s.in.o.Bad, copied, f)
	}
	switch s.in.o.After {
	case Flag:
		return s.store(set, imap.Flag(s.in.o.Keyword))
	case Seen:
		return s.store(set, imap.FlagSeen)
	case Delete:
		return s.remove(set)
	}
	return s.move(set, uids, s.in.o.Done, copied, f)
}

// move moves messages (RFC 6851), or copies them and then deletes.
func (s *session) move(set imap.UIDSet, uids []imap.UID, to string, copied bool, f fate) error {
	if copied {
		return s.remove(set)
	}
	if !s.create[f] {
		s.create[f] = true
		if err := s.ensure(to); err != nil {
			return err
		}
	}
	if s.caps.Has(imap.CapMove) {
		return s.do(func() error {
			_, err := s.c.Move(set, to).Wait()
			return err
		})
	}
	err := s.do(func() error {
		_, err := s.c.Copy(set, to).Wait()
		return err
	})
	if err != nil {
		return err
	}
	s.memory.wereCopied(uids)
	return s.remove(set)
}

// ensure makes a mailbox if there is none.
func (s *session) ensure(name string) error {
	var there bool
	err := s.do(func() error {
		all, err := s.c.List("", name, nil).Collect()
		there = len(all) > 0
		return err
	})
	var refused *refusedError
	if there || err != nil && !errors.As(err, &refused) {
		return err
	}
	err = s.do(func() error { return s.c.Create(name, nil).Wait() })
	if errors.As(err, &refused) {
		if refused.said.Code == imap.ResponseCodeAlreadyExists {
			return nil
		}
		return fmt.Errorf("mailbox %s cannot be made: %w", name, err)
	}
	return err
}

// remove deletes messages. Without UIDPLUS (RFC 4315) there is no way to expunge ours alone: they are marked, and go when somebody expunges
// the mailbox; what others have marked is theirs to expunge.
func (s *session) remove(set imap.UIDSet) error {
	if err := s.store(set, imap.FlagDeleted); err != nil {
		return err
	}
	if !s.caps.Has(imap.CapUIDPlus) {
		return nil
	}
	return s.do(func() error { return s.c.UIDExpunge(set).Close() })
}

func (s *session) store(set imap.UIDSet, flag imap.Flag) error {
	return s.do(func() error {
		return s.c.Store(set, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{flag}}, nil).Close()
	})
}
