package notice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Store is what is asked of a [store.Store].
type Store interface {
	store.Notices
	Decisions(ctx context.Context, f store.DecisionFilter) ([]store.Decision, error)
	Exceptions(ctx context.Context) ([]store.Exception, error)
	ExtendException(ctx context.Context, id int64, until time.Time) error
}

// An Office writes letters, sends what was approved, and follows what came of it. Its methods may be called at the same time, by several
// nodes too.
type Office struct {
	Config    Config
	Host      string // the name of our mail server
	Store     Store
	Languages *Catalogue
	Tokens    *Tokens

	// Audit looks at what a domain publishes; where servers are named, also whether it lets them in.
	Audit func(ctx context.Context, domain string, servers ...netip.Addr) *audit.Report
	Find  interface {
		Find(ctx context.Context, domain string, now time.Time) []store.NoticeRecipient
	}
	Send interface {
		Send(context.Context, outbox.Letter) error
	}
	// Tell tells alerts, each once within a time; nil: nobody is told. It is the method of an [alert.Runner].
	Tell func(ctx context.Context, all []alert.Alert, now time.Time, quiet time.Duration) error
	Log  *slog.Logger
}

// The errors that callers tell apart.
var (
	ErrNoFault = errors.New("there is no fault to write about")
	ErrUnseen  = errors.New("no fault was seen to write about, and not all could be had of what it publishes; try again later")
	ErrNobody  = errors.New("there is nobody to write to who accepts mail")
	ErrExcept  = errors.New("notice.except has it: nobody writes there")
)

func (o *Office) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// Draft writes the letter on a subject, and finds whom it would go to. Nothing is kept, and nothing sent.
func (o *Office) Draft(ctx context.Context, s Subject, now time.Time) (store.Notice, error) {
	if s.Domain == "" && s.Decision != nil {
		s.Domain, _ = FaultOf(s.Decision)
	}
	n := store.Notice{Domain: s.Domain, Opened: now, Faults: []string{}, Letters: []store.NoticeLetter{}}
	if s.Domain == "" {
		return n, ErrNoFault
	}
	n.Organization = senders.OrganizationalDomain(s.Domain)
	k := &Case{Subject: s, At: now, Sender: o.sender(), Token: o.Tokens.New()}
	k.Language, k.Address = cmp.Or(s.Language, o.Config.Language), o.Tokens.Address(k.Token)
	var servers []netip.Addr
	if s.Decision != nil {
		n.Draft.Reference = s.Decision.Reference
		if ip := s.Decision.ClientIP; ip.IsValid() {
			servers, n.Draft.Server = []netip.Addr{ip}, ip.String()
		}
		if k.Count == 0 {
			var err error
			if k.Count, err = o.count(ctx, s.Decision, now); err != nil {
				return n, err
			}
		}
	}
	k.Report = o.Audit(ctx, s.Domain, servers...)
	l, ok := o.Languages.Write(k)
	switch {
	case ok:
	case slices.ContainsFunc(k.Report.Findings, func(f audit.Finding) bool { return f.Severity == check.Unknown }):
		return n, ErrUnseen
	default:
		return n, ErrNoFault
	}
	n.Token, n.Faults = k.Token, l.Faults
	n.Draft.Language, n.Draft.Subject, n.Draft.Text, n.Draft.HTML = l.Language, l.Subject, l.Text, l.HTML
	n.Draft.Recipients = o.Find.Find(ctx, s.Domain, now)
	return n, nil
}

// sender is who writes.
func (o *Office) sender() Sender {
	return Sender{Organization: o.Config.Organization, Host: o.Host, Contact: cmp.Or(o.Config.Contact, bare(o.Config.From)), About: o.Config.About}
}

// The days back of which a letter tells how many messages there were, and how many decisions are looked at for it.
const (
	countDays     = 30
	mostDecisions = 10_000
)

// count is how many messages were stopped for the same fault.
func (o *Office) count(ctx context.Context, d *store.Decision, now time.Time) (int64, error) {
	domain, fault := FaultOf(d)
	all, err := o.Store.Decisions(ctx, store.DecisionFilter{Domain: domain, Since: now.Add(-countDays * day), Limit: mostDecisions})
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for i := range all {
		if other, same := FaultOf(&all[i]); other == domain && same == fault && all[i].Done == d.Done {
			n++
		}
	}
	return n, nil
}

// Propose opens a case with its letter, for somebody to approve. If the domain has one that is open, that is given.
func (o *Office) Propose(ctx context.Context, s Subject, author string, now time.Time) (store.Notice, bool, error) {
	if s.Domain == "" && s.Decision != nil {
		s.Domain, _ = FaultOf(s.Decision)
	}
	// Before anything is asked of the domain: whoever forges it has us do nothing.
	how, err := o.writable(ctx, s.Domain)
	if err != nil {
		return store.Notice{Domain: s.Domain}, false, err
	}
	n, err := o.Draft(ctx, s, now)
	if err != nil {
		return n, false, err
	}
	if len(n.Draft.Recipients) == 0 {
		return n, false, ErrNobody
	}
	n.Author, n.Detail = author, how
	return o.Store.ProposeNotice(ctx, n)
}

// writable tells how it is known that a domain is not used by its forgers alone, or why nobody is written to about it.
func (o *Office) writable(ctx context.Context, domain string) (how string, err error) {
	switch {
	case domain == "":
		return "", ErrNoFault
	case covers(o.Config.Except, domain):
		return "", ErrExcept
	case facts.IsPublicSuffix(domain): // what passed was of those below it, which are others
		return "", fmt.Errorf("%w: anybody can have a name below %s", store.ErrNoticeHeld, domain)
	}
	how, err = o.Store.Legitimate(ctx, domain)
	if err == nil && how == "" {
		err = fmt.Errorf("%w: nothing of %s ever passed here, so that it may be used by nobody but who abuses it", store.ErrNoticeHeld, domain)
	}
	return how, err
}

// The states that a case can be in to be approved, declined or closed.
var (
	Approvable = []string{store.NoticeProposed, store.NoticeBounced}
	Declinable = []string{store.NoticeProposed, store.NoticeApproved, store.NoticeBounced}
	Closable   = []string{store.NoticeSent, store.NoticeBounced}
)

// Approve lets the letter of a case be sent; of one that bounced to the next who may be written to, when the limits allow.
func (o *Office) Approve(ctx context.Context, id int64, author string, now time.Time) (store.Notice, error) {
	return o.Store.MoveNotice(ctx, id, Approvable, store.NoticeMove{State: store.NoticeApproved, Author: author, At: now})
}

// Decline has the letter of a case not be sent.
func (o *Office) Decline(ctx context.Context, id int64, author, reason string, now time.Time) (store.Notice, error) {
	return o.Store.MoveNotice(ctx, id, Declinable, store.NoticeMove{State: store.NoticeDeclined, Author: author, Detail: reason, At: now})
}

// Close ends a case whose letter was sent: nobody looks any more whether it was mended.
func (o *Office) Close(ctx context.Context, id int64, author, reason string, now time.Time) (store.Notice, error) {
	return o.Store.MoveNotice(ctx, id, Closable, store.NoticeMove{State: store.NoticeClosed, Author: author, Detail: reason, At: now})
}

// Deliver sends the letter of a case that was approved, to the first who may be written to. An error that wraps [store.ErrNoticeHeld] says
// why it is not sent now.
func (o *Office) Deliver(ctx context.Context, n store.Notice, now time.Time) (store.NoticeLetter, error) {
	if covers(o.Config.Except, n.Domain) {
		return store.NoticeLetter{Notice: n.ID}, fmt.Errorf("%w: %w", store.ErrNoticeHeld, ErrExcept)
	}
	var first error
	for _, r := range n.Draft.Recipients {
		if gone(n.Letters, r.Address) {
			continue
		}
		if strings.HasPrefix(n.Author, byRule) && !isOwn(&n, r.Address) {
			first = cmp.Or(first, fmt.Errorf("%w: %s is another organization's, and only a person lets it be written to", store.ErrNoticeHeld, r.Address))
			continue
		}
		l := store.NoticeLetter{Notice: n.ID, Recipient: r.Address, At: now, MessageID: "notice." + n.Token[:16] + "@" + domainOf(bare(o.Config.From))}
		l, err := o.Store.ClaimNotice(ctx, l, o.Config.limits())
		if errors.Is(err, store.ErrNoticeHeld) {
			first = cmp.Or(first, err)
			continue
		}
		if err != nil {
			return l, err
		}
		return o.handOver(ctx, n, l, now)
	}
	return store.NoticeLetter{Notice: n.ID}, cmp.Or(first, fmt.Errorf("%w: %w", store.ErrNoticeHeld, ErrNobody))
}

// gone tells whether a letter to an address was refused for good, or came back.
func gone(all []store.NoticeLetter, to string) bool {
	return slices.ContainsFunc(all, func(l store.NoticeLetter) bool {
		return strings.EqualFold(l.Recipient, to) && (l.State == store.LetterFailed || l.State == store.LetterBounced)
	})
}

// Mail is the letter of a case as it is sent.
func (o *Office) Mail(n store.Notice, to, id string, now time.Time) outbox.Letter {
	back := o.Tokens.Address(n.Token)
	return outbox.Letter{
		ID: id, Date: now, To: []string{to}, Subject: n.Draft.Subject, Text: n.Draft.Text, HTML: n.Draft.HTML,
		Return: back, Unsubscribe: back, ReplyTo: cmp.Or(o.Config.Contact, bare(o.Config.From)),
	}
}

func (o *Office) handOver(ctx context.Context, n store.Notice, l store.NoticeLetter, now time.Time) (store.NoticeLetter, error) {
	err := ctx.Err()
	if err == nil {
		err = o.Send.Send(ctx, o.Mail(n, l.Recipient, l.MessageID, now))
	}
	switch {
	case err == nil:
		l.State = store.LetterSent
	case outbox.Refused(err):
		l.State, l.Detail = store.LetterFailed, err.Error()
	default:
		l.State, l.Detail = store.LetterWaiting, err.Error()
	}
	l.Detail = outbox.Plain(l.Detail, longestValue)
	// Though the time is over: what is not noted is not known.
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if settled := o.Store.SettleNotice(settling, l); settled != nil {
		return l, errors.Join(err, settled)
	}
	o.log().Info("notice "+l.State, "case", n.ID, "domain", n.Domain, "recipient", l.Recipient, "message_id", l.MessageID, "detail", l.Detail)
	return l, err
}

// Take obeys what came back, if it is an answer to a letter of ours, and says in a line what it was.
func (o *Office) Take(ctx context.Context, a Answer, now time.Time) (store.Notice, error) {
	return o.Store.AnswerNotice(ctx, a.Token, store.NoticeAnswer{
		Bounced: a.Kind == Bounce, Unsubscribed: a.Kind == Unsubscribe, Detail: cmp.Or(a.Detail, a.Kind), At: now,
	})
}

// IsUnknown tells an answer to a letter of which there is no case.
func IsUnknown(err error) bool { return errors.Is(err, store.ErrNoNotice) }
