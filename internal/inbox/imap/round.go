package imap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

const (
	firstSpan   = 5000 // UIDs that are searched at once
	sizesAtOnce = 200
	mostFound   = 2_000_000 // in one search
)

// A message is one that is to be taken in.
type message struct {
	uid  imap.UID
	size int64
	date time.Time
	body *spool.Spool
}

// A round is one look at the mailbox: what was not there at the last one, and what is to be tried again.
type round struct {
	*session
	ctx   context.Context
	found int
	err   error // what ended it
}

// round takes in what is new. found is how many messages there were.
func (s *session) round(ctx context.Context, im inbox.Importer) (found int, err error) {
	select {
	case <-s.wake: // whatever it told of is seen now
	default:
	}
	if err := s.putAway(); err != nil {
		return 0, err
	}
	stop := s.keepAlive()
	defer stop()
	r := round{session: s, ctx: ctx}
	err = inbox.Work(ctx, im, s.status, r.tasks)
	stop()
	if r.err != nil {
		err = r.err
	}
	if away := s.putAway(); err == nil {
		err = away
	}
	return r.found, err
}

// tasks are the messages, fetched a few at a time.
func (r *round) tasks(yield func(inbox.Task) bool) {
	for span, more := imap.UID(firstSpan), true; more; {
		var uids imap.UIDSet
		uids, more, r.err = r.search(span)
		if r.err != nil || !r.offerAll(uids, yield) {
			return
		}
		switch n := count(uids); {
		case n > firstSpan:
			span = firstSpan
		case n < firstSpan/10 && span < 1<<28:
			span *= 4
		}
	}
	for _, uid := range r.memory.due(time.Now()) {
		if !r.offer([]imap.UID{uid}, yield) {
			return
		}
	}
}

// search finds out which of the next UIDs there are. The ranges grow where UIDs are few, so that neither an answer is long nor a question
// is asked often.
func (s *session) search(span imap.UID) (found imap.UIDSet, more bool, err error) {
	set := imap.UIDSet{{Start: s.next, Stop: 0}}
	if s.end > s.next {
		set[0].Stop = imap.UID(min(uint64(s.next)+uint64(span), uint64(s.end)) - 1)
		more = true
	}
	criteria := &imap.SearchCriteria{UID: []imap.UIDSet{set}, NotFlag: []imap.Flag{imap.FlagDeleted}}
	switch s.in.o.After {
	case Flag:
		criteria.NotFlag = append(criteria.NotFlag, imap.Flag(s.in.o.Keyword))
	case Seen:
		criteria.NotFlag = append(criteria.NotFlag, imap.FlagSeen)
	}
	var all imap.UIDSet
	err = s.do(func() error {
		s.guard.expect(12 * int64(min(uint64(span), uint64(s.exists()), mostFound)))
		data, err := s.c.UIDSearch(criteria, nil).Wait()
		if err != nil {
			return err
		}
		all, _ = data.All.(imap.UIDSet)
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	if all.Dynamic() || count(all) > s.exists()+1000 {
		return nil, false, errors.New("the server found messages that cannot be there")
	}
	last := set[0].Stop
	for _, r := range all {
		if last != 0 {
			r.Stop = min(r.Stop, last)
		}
		if r.Start = max(r.Start, s.next); r.Start <= r.Stop {
			found.AddRange(r.Start, r.Stop)
		}
	}
	switch {
	case last != 0:
		s.next = last + 1
	case len(found) > 0 && found[len(found)-1].Stop < 1<<32-1:
		s.next = found[len(found)-1].Stop + 1
	}
	return found, more, nil
}

func (s *session) exists() int {
	if box := s.c.Mailbox(); box != nil {
		return int(box.NumMessages)
	}
	return 0
}

// offerAll offers the messages of a set that nothing is known of.
func (r *round) offerAll(set imap.UIDSet, yield func(inbox.Task) bool) bool {
	var uids []imap.UID
	for _, span := range set {
		for uid := span.Start; ; uid++ {
			if !r.memory.has(uid) {
				uids = append(uids, uid)
			}
			if len(uids) == sizesAtOnce {
				if !r.offer(uids, yield) {
					return false
				}
				uids = uids[:0]
			}
			if uid == span.Stop {
				break
			}
		}
	}
	return r.offer(uids, yield)
}

// offer fetches messages and offers them.
func (r *round) offer(uids []imap.UID, yield func(inbox.Task) bool) bool {
	if len(uids) == 0 {
		return true
	}
	messages, err := r.sizes(uids)
	if err != nil {
		r.err = err
		return false
	}
	if len(uids) == 1 && len(messages) == 0 {
		r.memory.forget(uids[0]) // somebody else took it away
	}
	var some []message
	var bytes int64
	for _, m := range messages {
		if m.size > r.in.o.MaxSize {
			r.tooLarge(m.uid, m.size)
			continue
		}
		if len(some) == mostOfSpool || len(some) > 0 && bytes+m.size > bytesAtOnce {
			if !r.hand(some, yield) {
				return false
			}
			some, bytes = some[:0], 0
		}
		some = append(some, m)
		bytes += m.size
	}
	return r.hand(some, yield)
}

// hand fetches a few messages whole and then hands them over. The connection is free meanwhile: the importer may take its time.
func (r *round) hand(some []message, yield func(inbox.Task) bool) bool {
	if len(some) == 0 {
		return true
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return false
	}
	err := r.fetch(some)
	handed := 0
	defer func() {
		for _, m := range some[handed:] {
			if m.body != nil {
				m.body.Close()
			}
		}
	}()
	goesOn := true
	for _, m := range some {
		handed++
		switch {
		case m.body != nil && goesOn:
			r.found++
			goesOn = yield(r.task(m))
		case m.body != nil:
			m.body.Close()
		case !r.memory.has(m.uid) || len(some) == 1:
			r.status.NotHad()
			r.memory.failed(m.uid, len(some) == 1, time.Now())
			if len(some) == 1 {
				r.status.Trouble(fmt.Errorf("%s could not be fetched: %w", r.item(m.uid), errOr(err, "the server does not hand it over")))
			}
		}
	}
	if refused := new(refusedError); errors.As(err, &refused) {
		err = nil
	}
	if err != nil {
		r.err = err
		return false
	}
	if goesOn && r.memory.ready(time.Now()) {
		if r.err = r.putAway(); r.err != nil {
			return false
		}
	}
	return goesOn
}

func errOr(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

func (s *session) item(uid imap.UID) string { return fmt.Sprintf("%s, UID %d", s.name, uid) }

func (r *round) task(m message) inbox.Task {
	return inbox.Task{
		Item: intake.Item{Name: r.item(m.uid), Input: r.in.name, Received: m.date, Open: m.body.Open},
		Drop: func() { m.body.Close() },
		Done: func(o intake.Outcome) error {
			switch {
			case o.Failed != nil:
				r.memory.failed(m.uid, true, time.Now())
				r.status.Trouble(fmt.Errorf("%s could not be stored: %w", r.item(m.uid), o.Failed))
			case o.Bad():
				r.status.Bad(r.item(m.uid), inbox.Reason(o), "moved to "+r.in.o.Bad)
				r.memory.settle(m.uid, bad)
			default:
				r.memory.settle(m.uid, good)
			}
			return nil
		},
	}
}

// tooLarge sets a message aside without looking at it.
func (r *round) tooLarge(uid imap.UID, size int64) {
	r.status.TooLarge()
	r.status.Bad(r.item(uid), fmt.Sprintf("it has %d bytes, and %d are the limit", size, r.in.o.MaxSize), "moved to "+r.in.o.Bad)
	r.memory.settle(uid, bad)
}

// sizes asks how large messages are and since when they are there. The answer has only those that are still there.
func (r *round) sizes(uids []imap.UID) ([]message, error) {
	var all []message
	err := r.do(func() error {
		cmd := r.c.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: !r.dateless})
		found, err := cmd.Collect()
		for _, m := range found {
			all = append(all, message{uid: m.UID, size: m.RFC822Size, date: m.InternalDate})
		}
		return err
	})
	if err != nil && r.guard.broken() != nil {
		r.dateless = true // perhaps the library cannot read one of the dates: the next connection does without
	}
	return all, err
}

// fetch fills in the bodies of messages, in whatever order they come, without marking them as read.
func (r *round) fetch(some []message) error {
	uids := make([]imap.UID, len(some))
	for i, m := range some {
		uids[i] = m.uid
	}
	var local error // ours, not the server's
	err := r.do(func() error {
		cmd := r.c.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
		for data := cmd.Next(); data != nil; data = cmd.Next() {
			var m *message
			for item := data.Next(); item != nil; item = data.Next() {
				switch item := item.(type) {
				case imapFetchUID:
					for i := range some {
						if some[i].uid == item.UID {
							m = &some[i]
						}
					}
				case imapFetchBody:
					if m == nil || m.body != nil || item.Literal == nil || local != nil {
						continue // the library reads over it
					}
					if m.body, local = r.spool(m.uid, item.Literal); r.guard.broken() != nil {
						return local // the library's own goroutine ends by itself; to read on would be to read beside it
					}
				}
			}
		}
		return cmd.Close()
	})
	if local != nil {
		return local
	}
	return err
}

// spool reads one message.
func (r *round) spool(uid imap.UID, literal imap.LiteralReader) (*spool.Spool, error) {
	size, bytes := literal.Size(), &untilError{r: literal}
	if size > r.in.o.MaxSize { // the server had said that it is smaller
		r.tooLarge(uid, size)
		r.guard.fail(errors.New("the server sent a message that is larger than it had said"))
		io.Copy(io.Discard, bytes)
		return nil, r.guard.broken()
	}
	r.guard.expect(size)
	body, err := r.in.o.Spool.Fill(bytes, size, size)
	if broken := r.guard.broken(); broken != nil {
		io.Copy(io.Discard, bytes)
		err = broken
	} else if err == nil && body.Size() != size {
		err = errors.New("the library gave less of a message than the server sent")
	}
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, err
	}
	return body, nil
}

// An untilError reads on no more after an error, which is when the library begins to use the connection again.
type untilError struct {
	r   io.Reader
	err error
}

func (u *untilError) Read(p []byte) (n int, err error) {
	if u.err == nil {
		n, u.err = u.r.Read(p)
	}
	return n, u.err
}
