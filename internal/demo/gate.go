package demo

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/observe"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// An inbound is mail of one kind that the company gets.
type inbound struct {
	ip, helo, from, author string // from is MAIL FROM, author the address in From
	signed                 bool   // by partner.example
	first, last            int    // the days before the last one that it comes on
	daily                  int    // messages on a day of work
	weekend                int
}

// inbounds are all of the mail that the gate judges. Whether a message passes is not written here: it is verified.
var inbounds = []inbound{
	{"203.0.113.50", "mx.partner.example", "orders@partner.example", "orders@partner.example", true, 89, 0, 12, 3},
	{"203.0.113.54", "mx.customer.example", "service@customer.example", "service@customer.example", false, 89, 0, 9, 2},
	{"203.0.113.20", "mx.supplier.example", "sales@supplier.example", "sales@supplier.example", false, 89, supplierMove + 1, 6, 0},
	{"203.0.113.21", "mail2.supplier.example", "sales@supplier.example", "sales@supplier.example", false, supplierMove, 0, 6, 0},
	{"203.0.113.30", "mx.accountant.example", "office@accountant.example", "office@accountant.example", false, 89, 0, 2, 0},
	{"203.0.113.31", "scan.accountant.example", "scan@accountant.example", "scan@accountant.example", false, scanner, 0, 3, 0},
	{"203.0.113.35", "mx.logistics.example", "track@logistics.example", "track@logistics.example", false, 89, 0, 5, 1},
	{"203.0.113.200", "vps.bank.example", "security@bank.example", "security@bank.example", false, 60, 0, 2, 2},
	{"203.0.113.201", "offers.example", "win@offers.example", "win@offers.example", false, 89, 0, 4, 4},
}

var people = []string{"amara.reed@example.com", "jonas.vale@example.com", "office@example.com", "purchasing@example.com"}

// mail judges what arrives day by day, and stores it a day at a time.
func (m *maker) mail(ctx context.Context) error {
	p, err := policy.Named(m.config.Policy)
	if err != nil {
		return err
	}
	set := exceptions.New(m.store, nil)
	for ago := Days - 1; ago >= 0; ago-- {
		if ago == excepted {
			if err := m.except(ctx); err != nil {
				return err
			}
			if err := set.Refresh(ctx); err != nil {
				return err
			}
		}
		zone, err := past(ago)
		if err != nil {
			return err
		}
		day := &mailDay{ago: ago, zone: zone, policy: p, set: set, batch: store.Batch{Source: "demo", Number: int64(Days - ago)}}
		for i := range inbounds {
			if err := m.arrive(ctx, day, &inbounds[i]); err != nil {
				return err
			}
		}
		b := day.batch
		slices.SortFunc(b.Decisions, func(x, y store.Decision) int {
			return cmp.Or(x.Time.Compare(y.Time), strings.Compare(x.Reference, y.Reference))
		})
		for i := range b.Decisions {
			if d := &b.Decisions[i]; d.AuthorDomain == "supplier.example" && d.Verdict == string(policy.Reject) {
				m.out.Reference = d.Reference
			}
		}
		if err := m.store.AddBatch(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// A day of mail, and what it is judged by.
type mailDay struct {
	ago    int
	zone   dns.Resolver
	policy *policy.Policy
	set    *exceptions.Set
	batch  store.Batch
}

// arrive judges the messages of one kind of a day.
func (m *maker) arrive(ctx context.Context, day *mailDay, in *inbound) error {
	b, ago := &day.batch, day.ago
	n := in.daily
	if w := m.day(ago).Weekday(); w == time.Saturday || w == time.Sunday {
		n = in.weekend
	}
	if ago > in.first || ago < in.last || n == 0 {
		return nil
	}
	noon := m.day(ago).Add(12 * time.Hour)
	e, err := evaluate(ctx, day.zone, in, noon)
	if err != nil {
		return err
	}
	v, used := day.set.Apply(day.policy.DecideAt(e, noon), e, noon)
	one := observe.Decision(e, v)
	one.Mode, one.Done = m.config.Mode, one.Verdict
	if used != nil {
		one.Exception = used.ID
	}
	last := time.Time{}
	for range n {
		d := *one
		d.Time = m.day(ago).Add(7*time.Hour + time.Duration(m.random.IntN(11*3600))*time.Second)
		d.QueueID = m.queueID()
		d.Reference, d.MessageID = d.QueueID, fmt.Sprintf("<%s@%s>", m.queueID(), in.helo)
		d.Recipients = []string{people[m.random.IntN(len(people))]}
		b.Decisions = append(b.Decisions, d)
		if d.Time.After(last) {
			last = d.Time
		}
	}
	b.Counts = append(b.Counts, store.Count{Observation: store.Observe(&b.Decisions[len(b.Decisions)-1]), Count: int64(n)})
	if used != nil {
		b.Uses = append(b.Uses, store.Use{Exception: used.ID, Count: int64(n), Last: last})
	}
	m.out.Messages += n
	return nil
}

// evaluate verifies such a message as it would be on a day.
func evaluate(ctx context.Context, zone dns.Resolver, in *inbound, at time.Time) (*verify.Evaluation, error) {
	text := fmt.Sprintf("From: %s\r\nTo: office@example.com\r\nSubject: Hello\r\nDate: %s\r\nMessage-ID: <1@%s>\r\n\r\nHello\r\n",
		in.author, at.Format(time.RFC1123Z), in.helo)
	mail := bytes.NewBufferString(text)
	if in.signed {
		var with bytes.Buffer
		signer := dkim.Signer{Domain: "partner.example", Selector: "p1", Key: partnerKey(), Now: at}
		if err := dkim.Sign(&with, strings.NewReader(text), signer); err != nil {
			return nil, err
		}
		mail = &with
	}
	client := verify.Client{IP: netip.MustParseAddr(in.ip), Helo: in.helo, MailFrom: in.from, Recipients: []string{"office@example.com"}}
	return verify.New(verify.Options{Resolver: zone, AuthservID: "mx1.example.com", Now: at}).Message(ctx, client, mail)
}

// except lets in the accountant's scanner.
func (m *maker) except(ctx context.Context) error {
	at := m.day(excepted).Add(9*time.Hour + 12*time.Minute)
	return m.store.AddException(ctx, &store.Exception{
		Domain: "accountant.example", Network: netip.MustParsePrefix("203.0.113.31/32"), Created: at,
		Until: m.day(-21).Add(24*time.Hour - time.Second), Reason: "their scanner is not in SPF yet; they know", Author: "amara",
	})
}

// queueID is a name as Postfix gives.
func (m *maker) queueID() string {
	const letters = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
	id := []byte("4f")
	for range 9 {
		id = append(id, letters[m.random.IntN(len(letters))])
	}
	return string(id)
}
