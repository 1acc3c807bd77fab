package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// nowhere takes letters in, and sends none.
type nowhere struct{}

func (nowhere) Send(context.Context, outbox.Letter) error { return nil }

// letters are two: one that was written to a domain which then mended its record, and one that waits to be approved.
func (m *maker) letters(ctx context.Context) error {
	const author = "amara"
	at := func(ago, hour int) time.Time { return m.day(ago).Add(time.Duration(hour) * time.Hour) }
	office, err := m.office(logisticsTold)
	if err != nil {
		return err
	}
	told, err := m.propose(ctx, office, "logistics.example", at(logisticsTold, 19))
	if err != nil {
		return err
	}
	if _, err := office.Approve(ctx, told.ID, author, at(logisticsTold-1, 9)); err != nil {
		return err
	}
	if err := office.Run(ctx, at(logisticsTold-1, 10)); err != nil {
		return err
	}
	if office, err = m.office(logisticsGood - 1); err != nil {
		return err
	}
	if err := office.Recheck(ctx, at(logisticsGood-1, 10)); err != nil {
		return err
	}
	if office, err = m.office(0); err != nil {
		return err
	}
	if _, err = m.propose(ctx, office, "supplier.example", at(0, 19)); err != nil {
		return err
	}
	return m.digests(ctx)
}

// digests notes that the weekly letters were sent, when each was due, and that somebody looked at one source.
func (m *maker) digests(ctx context.Context) error {
	c := &m.config.Digests[0]
	for ago := Days - 1; ago >= 0; ago-- {
		if m.day(ago).Weekday() != time.Tuesday {
			continue
		}
		at := m.day(ago).Add(7*time.Hour + 4*time.Second)
		_, period, err := c.Due(at)
		if err != nil {
			return err
		}
		l, _, err := m.store.ClaimLetter(ctx, store.Letter{Name: c.Name, Period: period, At: at}, false)
		if err != nil {
			return err
		}
		l.State = store.LetterSent
		if err := m.store.SettleLetter(ctx, l); err != nil {
			return err
		}
	}
	return m.store.SetMark(ctx, store.SourceMark{Domain: "example.net", Source: "203.0.113.95", Class: string(senders.Abuse),
		Reason: "nobody of ours sends as example.net", Author: "amara", At: m.day(60).Add(10 * time.Hour)})
}

// office is who writes letters, with DNS as it was on a day.
func (m *maker) office(ago int) (*notice.Office, error) {
	zone, err := past(ago)
	if err != nil {
		return nil, err
	}
	office, err := letters.Office(letters.NoticeOptions{Options: letters.Options{Config: m.config, Store: m.store, DNS: zone}})
	if err != nil {
		return nil, err
	}
	office.Send = nowhere{}
	return office, nil
}

// propose opens a case of the last message of a domain that was stopped until then.
func (m *maker) propose(ctx context.Context, office *notice.Office, domain string, at time.Time) (store.Notice, error) {
	all, err := m.store.Decisions(ctx, store.DecisionFilter{Domain: domain, Verdict: string(policy.Reject)})
	if err != nil {
		return store.Notice{}, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if d := &all[i]; !d.Time.After(at) {
			n, _, err := office.Propose(ctx, notice.Subject{Domain: domain, Decision: d}, "amara", at)
			return n, err
		}
	}
	return store.Notice{}, fmt.Errorf("no message of %s was stopped by %s", domain, at.Format(time.DateTime))
}
