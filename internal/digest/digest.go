// Package digest writes the letter that tells the owner of a domain, once a week, a day or a month, what the world did with the
// domain's mail and what to do next.
//
//	r := &digest.Runner{Digests: c.Digests, Asker: asker, Store: s, Send: server, From: c.Mail.From}
//	err := r.Run(ctx, time.Now())   // sends what is due, as often as it is called
//
// A letter is sent once. That it is about to be sent is committed to the store before it is handed to the mail server, and that it was
// sent after that. A process that dies in between leaves a letter of which nobody knows: it is not sent again by itself, the log and
// "gatepost digest list" tell of it, and "gatepost digest send NAME --again" sends it again. A mail server that puts the letter off has it
// tried again later.
//
// HTML and text are made of one page, so that both say the same. What strangers wrote (names of reporters, hosts and networks) is made
// harmless when the page is made, once for both.
package digest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Sender hands letters over, as [outbox.Server] does.
type Sender interface {
	Send(context.Context, outbox.Letter) error
}

// A Store is what is asked of a [store.Store].
type Store interface {
	ClaimLetter(ctx context.Context, l store.Letter, again bool) (store.Letter, bool, error)
	SettleLetter(ctx context.Context, l store.Letter) error
	Letters(ctx context.Context, name string, limit int) ([]store.Letter, error)
}

// A Runner sends what is due. Its methods may be called at the same time, by several nodes too.
type Runner struct {
	Digests []Config
	Domains []string // of letters that name none; all that reports are about if empty
	Asker   *insight.Asker
	Store   Store
	Send    Sender
	From    string // the sender, whose domain is that of Message-IDs
	Log     *slog.Logger

	mu   sync.Mutex
	told map[string]bool // letters that the log told of
}

// Stuck is how long a letter may be on its way before it counts as one that nobody knows of.
const Stuck = 10 * time.Minute

// The time from one attempt to the next, which doubles.
const (
	firstRetry = time.Minute
	lastRetry  = 2 * time.Hour
)

// Run sends each letter that is due and was not sent. One that fails keeps no other from being sent.
func (r *Runner) Run(ctx context.Context, now time.Time) error {
	var all []error
	for i := range r.Digests {
		if err := r.run(ctx, &r.Digests[i], now); err != nil {
			all = append(all, fmt.Errorf("digest %s: %w", r.Digests[i].Name, err))
		}
	}
	return errors.Join(all...)
}

func (r *Runner) run(ctx context.Context, c *Config, now time.Time) error {
	_, period, err := c.Due(now)
	if err != nil {
		return err
	}
	last, err := r.Store.Letters(ctx, c.Name, 20)
	if err != nil {
		return err
	}
	for _, l := range last {
		switch {
		case l.State == store.LetterSending && now.Sub(l.At) > Stuck:
			r.tell(l)
		case later(l.Period, period): // a clock that went back, or another rhythm
			return nil
		}
		if l.Period != period {
			continue
		}
		if l.State != store.LetterWaiting || now.Sub(l.At) < retry(l.Attempts) {
			return nil
		}
	}
	_, err = r.Deliver(ctx, c, period, now, false)
	return err
}

// later tells whether a period ended after another.
func later(a, b string) bool {
	x, errX := ParsePeriod(a)
	y, errY := ParsePeriod(b)
	return errX == nil && errY == nil && x.To.After(y.To)
}

func retry(attempts int64) time.Duration {
	return min(lastRetry, firstRetry<<min(20, max(0, attempts-1)))
}

// tell says once of a letter that nobody knows whether it was sent.
func (r *Runner) tell(l store.Letter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprint(l.Name, " ", l.Period, " ", l.Attempts)
	if r.told[key] {
		return
	}
	if r.told == nil {
		r.told = map[string]bool{}
	}
	r.told[key] = true
	r.log().Warn("nobody knows whether a letter was sent: the program ended while it was; see whether it arrived, or send it again",
		"digest", l.Name, "period", l.Period, "since", l.At, "message_id", l.MessageID, "command", "gatepost digest send "+l.Name+" --again")
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// ErrNotSent is that of a letter that is not to be sent now: it was, or is being.
var ErrNotSent = errors.New("it is not sent")

// Deliver sends one letter: unless it was claimed before, or in any case with again. It gives what became of it.
func (r *Runner) Deliver(ctx context.Context, c *Config, period string, now time.Time, again bool) (store.Letter, error) {
	l := store.Letter{Name: c.Name, Period: period, At: now, MessageID: r.messageID(c.Name, period, "")}
	if again {
		l.MessageID = r.messageID(c.Name, period, now.UTC().Format("20060102150405"))
	}
	letter, quiet, err := r.Write(ctx, c, period)
	if err != nil {
		return l, err
	}
	letter.ID, letter.Date = l.MessageID, now
	l, claimed, err := r.Store.ClaimLetter(ctx, l, again)
	if err != nil {
		return l, err
	}
	if !claimed {
		return l, fmt.Errorf("%w: %s of %s is %s since %s", ErrNotSent, l.Name, l.Period, l.State, l.At.Format(time.RFC3339))
	}
	if quiet && c.Quiet == QuietNothing && !again {
		l.State = store.LetterNothing
		return l, r.settle(ctx, l)
	}
	return r.handOver(ctx, l, letter)
}

func (r *Runner) handOver(ctx context.Context, l store.Letter, letter outbox.Letter) (store.Letter, error) {
	err := ctx.Err()
	if err == nil {
		err = r.Send.Send(ctx, letter)
	}
	switch {
	case err == nil:
		l.State = store.LetterSent
	case outbox.Refused(err):
		l.State, l.Detail = store.LetterFailed, err.Error()
		r.log().Error("a letter was refused", "digest", l.Name, "period", l.Period, "error", err.Error())
	default:
		l.State, l.Detail = store.LetterWaiting, err.Error()
	}
	if settled := r.settle(ctx, l); settled != nil {
		return l, errors.Join(err, settled)
	}
	if err == nil {
		r.log().Info("letter sent", "digest", l.Name, "period", l.Period, "message_id", l.MessageID)
	}
	return l, err
}

// settle notes what became of a letter, though the time for it is over: what is not noted is not known.
func (r *Runner) settle(ctx context.Context, l store.Letter) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	l.Detail = clean(l.Detail)
	var err error
	for attempt := range 3 {
		if err = r.Store.SettleLetter(ctx, l); err == nil || errors.Is(err, store.ErrNotClaimed) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(attempt+1) * 200 * time.Millisecond):
		}
	}
	return err
}

// messageID is the same for the same letter, so that whoever gets it twice can know it.
func (r *Runner) messageID(name, period, again string) string {
	host := "gatepost.invalid"
	if a, err := netmail.ParseAddress(r.From); err == nil {
		_, host, _ = strings.Cut(a.Address, "@")
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{name, period, again, host}, "\x00")))
	return fmt.Sprintf("gatepost.%s.%s.%x@%s", strings.ToLower(name), period, sum[:6], host)
}

// Write writes the letter of a period, and tells whether there was nothing to tell.
func (r *Runner) Write(ctx context.Context, c *Config, period string) (l outbox.Letter, quiet bool, err error) {
	p, err := ParsePeriod(period)
	if err != nil {
		return l, false, err
	}
	domains, err := r.domains(ctx, c)
	if err != nil {
		return l, false, err
	}
	asker := *r.Asker
	asker.Trend = trend(p)
	answer, err := asker.Ask(ctx, domains, p)
	if err != nil {
		return l, false, err
	}
	quiet = isQuiet(answer)
	l, err = render(compose(c, answer, quiet), answer.Days, quiet)
	l.To = c.To
	return l, quiet, err
}

// mostDomains bounds a letter.
const mostDomains = 100

func (r *Runner) domains(ctx context.Context, c *Config) ([]string, error) {
	if len(c.Domains) > 0 {
		return c.Domains, nil
	}
	if len(r.Domains) > 0 {
		return r.Domains, nil
	}
	all, err := r.Asker.Store.Domains(ctx, store.Question{Verified: r.Asker.Verified})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range all {
		if len(names) < mostDomains {
			names = append(names, d.Domain)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("there is no domain to write about; name it in domains")
	}
	return names, nil
}

// Digest finds the one of a name; the only one has none.
func Digest(all []Config, name string) (*Config, error) {
	var names []string
	for i := range all {
		if all[i].Name == name || name == "" && len(all) == 1 {
			return &all[i], nil
		}
		names = append(names, all[i].Name)
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("no digest is configured; add a table [[digest]]")
	case name == "":
		return nil, fmt.Errorf("which digest? There are %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("no digest %q is configured; there are %s", name, cmp.Or(strings.Join(names, ", "), "none"))
}
