// Package alert tells between two letters of what should not wait for the next one: a source that is new and large, a share of passing
// mail that drops, reports that cannot be read, a reporter that fell silent, a policy that reporters see otherwise than it is published.
//
//	r := &alert.Runner{Config: c.Alerts, Asker: asker, Store: s, Mail: server, From: c.Mail.From}
//	err := r.Run(ctx, time.Now())   // tells what there is to tell, as often as it is called
//
// Each thing is told once by each channel, and then not again for a quiet time, whatever comes of it: the store remembers what was told,
// so that neither a restart nor a second node tells it again. What a channel did not take is told by it the next time. After a crash an
// alert may come twice: better than never, for an alert.
package alert

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Kind is what an alert is about.
type Kind string

// The kinds.
const (
	NewSource      Kind = "new-source"
	PassRateDrops  Kind = "pass-rate-drops"
	UnreadReports  Kind = "unread-reports"
	SilentReporter Kind = "silent-reporter"
	PolicyDiffers  Kind = "policy-differs"
	KeyGone        Kind = "key-gone"
	PolicyWeaker   Kind = "policy-weaker"
	Dangling       Kind = "dangling"
	NewFault       Kind = "new-fault"
	NoticeMended   Kind = "notice-mended"
)

// An Alert is one thing to tell.
type Alert struct {
	ID      string    `json:"id"` // of this one: it is the same if it comes twice
	Kind    Kind      `json:"kind"`
	Domain  string    `json:"domain"`  // empty for what is about none
	Subject string    `json:"subject"` // what it is about, within its kind: it is quiet about that
	Title   string    `json:"title"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Link    string    `json:"link"` // the dashboard's address, if it has one
}

// A Store is what is asked of a [store.Store].
type Store interface {
	ClaimAlerts(ctx context.Context, all []store.Alert, now, quiet, since, forget time.Time) ([]store.Alert, error)
	SettleAlerts(ctx context.Context, all []store.Alert, told bool, now time.Time) error
	Raws(ctx context.Context, f store.RawFilter) iter.Seq2[store.RawInfo, error]
}

// A Sender hands letters over, as [outbox.Server] does.
type Sender interface {
	Send(context.Context, outbox.Letter) error
}

// A Runner looks for what there is to tell, and tells it. Its methods may be called at the same time, by several nodes too.
type Runner struct {
	Config  Config
	Domains []string // where Config names none; all that reports are about if empty
	Asker   *insight.Asker
	Store   Store
	Mail    Sender // nil: no mail
	From    string // the sender, whose domain is that of Message-IDs
	Log     *slog.Logger

	mu     sync.Mutex
	unread unread
	next   int // of the domains
}

// What is looked at.
const (
	window   = 3  // days until yesterday, of which most reports are there
	baseline = 28 // days before them
	claimFor = 5 * time.Minute
	remember = 400 * 24 * time.Hour
)

// mostDomains bounds what is looked at in one run.
const mostDomains = 100

// Run tells what there is to tell now. If the time is up before all domains were looked at, the next run begins with the others.
func (r *Runner) Run(ctx context.Context, now time.Time) error {
	if !r.Config.on() {
		return nil
	}
	domains, err := r.domains(ctx)
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	var errs []error
	if r.Config.UnreadReports > 0 {
		all, err := r.unreadReports(ctx, now)
		errs = append(errs, err, r.tell(ctx, all, now, r.Config.quiet()))
	}
	for range domains {
		name := domains[r.turn(len(domains))]
		all, err := r.look(ctx, name, now)
		if ctx.Err() != nil {
			r.turnBack()
			return errors.Join(append(errs, ctx.Err())...)
		}
		errs = append(errs, err, r.tell(ctx, all, now, r.Config.quiet()))
	}
	return errors.Join(errs...)
}

// Tell tells what somebody else found, each thing once within a time of its own.
func (r *Runner) Tell(ctx context.Context, all []Alert, now time.Time, quiet time.Duration) error {
	if !r.Config.on() {
		return nil
	}
	return r.tell(ctx, all, now, quiet)
}

// turn says whose turn it is.
func (r *Runner) turn(n int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = (r.next + 1) % n
	return r.next
}

// turnBack has the last one's turn come again.
func (r *Runner) turnBack() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = max(0, r.next-1)
}

// look looks for what is to be told of a domain.
func (r *Runner) look(ctx context.Context, domain string, now time.Time) ([]Alert, error) {
	yesterday := insight.DayOf(now).AddDate(0, 0, -1)
	asker := *r.Asker
	asker.Trend = window + baseline
	answer, err := asker.Ask(ctx, []string{domain}, insight.Period{From: yesterday.AddDate(0, 0, 1-window), To: yesterday})
	if err != nil {
		return nil, err
	}
	return r.Config.find(&answer.Domains[0]), nil
}

func (r *Runner) domains(ctx context.Context) ([]string, error) {
	switch {
	case len(r.Config.Domains) > 0:
		return r.Config.Domains, nil
	case len(r.Domains) > 0:
		return r.Domains, nil
	}
	all, err := r.Asker.Store.Domains(ctx, store.Question{Verified: r.Asker.Verified})
	var names []string
	for _, d := range all {
		if len(names) < mostDomains {
			names = append(names, d.Domain)
		}
	}
	return names, err
}

// A channel is a way to tell alerts.
type channel struct {
	name, says string // as the store knows it, and as people do
	send       func(ctx context.Context, all []Alert, now time.Time) error
	each       bool // one at a time
}

func (r *Runner) channels(quiet time.Duration) []channel {
	var all []channel
	if len(r.Config.To) > 0 && r.Mail != nil {
		all = append(all, channel{name: "mail", says: "mail", send: func(ctx context.Context, all []Alert, now time.Time) error {
			return r.mail(ctx, all, now, quiet)
		}})
	}
	if r.Config.Webhook != "" {
		all = append(all, channel{name: "webhook", says: "webhook", send: r.post, each: true})
	}
	return all
}

// tell tells by every channel what that did not tell lately.
func (r *Runner) tell(ctx context.Context, all []Alert, now time.Time, quiet time.Duration) error {
	for i := range all {
		a := &all[i]
		a.At, a.Link = now.UTC(), r.Config.Link
		a.Subject, a.Title, a.Text = line(a.Subject), line(a.Title), line(a.Text)
	}
	var errs []error
	for _, ch := range r.channels(quiet) {
		if err := r.tellBy(ctx, ch, all, now, quiet); err != nil {
			errs = append(errs, fmt.Errorf("alerts by %s: %w", ch.says, err))
		}
	}
	return errors.Join(errs...)
}

func (r *Runner) tellBy(ctx context.Context, ch channel, all []Alert, now time.Time, quiet time.Duration) error {
	if len(all) == 0 {
		return nil
	}
	var asked []store.Alert
	by := map[[3]string]Alert{}
	for _, a := range all {
		asked = append(asked, store.Alert{Channel: ch.name, Kind: string(a.Kind), Domain: a.Domain, Subject: a.Subject})
		by[[3]string{string(a.Kind), a.Domain, a.Subject}] = a
	}
	claimed, err := r.Store.ClaimAlerts(ctx, asked, now, now.Add(-quiet), now.Add(-claimFor), now.Add(-remember))
	if err != nil {
		return err
	}
	parts := [][]store.Alert{claimed}
	if ch.each {
		parts = nil
		for i := range claimed {
			parts = append(parts, claimed[i:i+1])
		}
	}
	var errs []error
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		var told []Alert
		for _, c := range part {
			a := by[[3]string{c.Kind, c.Domain, c.Subject}]
			a.ID = id(ch.name, &a, now)
			told = append(told, a)
		}
		err := ch.send(ctx, told, now)
		if err == nil {
			for _, a := range told {
				r.log().Info("alert told", "by", ch.says, "kind", string(a.Kind), "domain", a.Domain, "title", a.Title)
			}
		}
		errs = append(errs, err, r.settle(ctx, part, err == nil, now))
	}
	return errors.Join(errs...)
}

func (r *Runner) settle(ctx context.Context, all []store.Alert, told bool, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return r.Store.SettleAlerts(ctx, all, told, now)
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// id is the same for an alert that is told again on the same day, as after a crash.
func id(channel string, a *Alert, now time.Time) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{channel, string(a.Kind), a.Domain, a.Subject, now.UTC().Format(time.DateOnly)}, "\x00")))
	return fmt.Sprintf("%x", sum[:12])
}

// mail tells alerts in one letter.
func (r *Runner) mail(ctx context.Context, all []Alert, now time.Time, quiet time.Duration) error {
	host := "gatepost.invalid"
	if a, err := netmail.ParseAddress(r.From); err == nil {
		_, host, _ = strings.Cut(a.Address, "@")
	}
	l := outbox.Letter{ID: "gatepost.alert." + all[0].ID + "@" + host, Date: now, To: r.Config.To, Subject: "Gatepost: " + all[0].Title}
	if len(all) > 1 {
		l.Subject = fmt.Sprintf("Gatepost: %s, and %d more", all[0].Title, len(all)-1)
	}
	var b strings.Builder
	for i, a := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		wrap(&b, a.Title)
		wrap(&b, a.Text)
	}
	b.WriteString("\n-- \n")
	if r.Config.Link != "" {
		b.WriteString("Dashboard: " + r.Config.Link + "\n")
	}
	wrap(&b, fmt.Sprintf("Gatepost is quiet about the same for %s.", signing.Duration(quiet)))
	l.Text = b.String()
	return r.Mail.Send(ctx, l)
}

// wrap writes a text in lines of 72 columns.
func wrap(b *strings.Builder, s string) {
	n := 0
	for i, word := range strings.Fields(s) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case n+1+length > 72:
			b.WriteString("\n")
			n = 0
		default:
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += length
	}
	b.WriteString("\n")
}
