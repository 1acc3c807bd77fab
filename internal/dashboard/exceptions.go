package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gatepost-mail/gatepost/internal/exceptions"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

// exceptionDays is for how long an exception is proposed.
const exceptionDays = 30

// mostReason is how many characters a reason may have that we propose.
const mostReason = 200

// ExceptionsIn asks for the exceptions.
type ExceptionsIn struct {
	Domain string `query:"domain" doc:"Only those for this domain"`
}

// mostExceptions is how many are on the page.
const mostExceptions = 200

// ExceptionList are the exceptions, those that hold first.
type ExceptionList struct {
	Exceptions []ExceptionLine `json:"exceptions"`
	Holding    int             `json:"holding"`
	Ended      int             `json:"ended"`
	More       int             `json:"more"`    // that are not listed
	Can        bool            `json:"can_act"` // whoever asks may make and remove them

	all []ExceptionLine
}

// An ExceptionLine is an exception, with what it opens.
type ExceptionLine struct {
	store.Exception
	State   string `json:"state"`   // holds, ending, ended
	Way     string `json:"way"`     // how mail must come
	Opens   string `json:"opens"`   // a sentence
	Command string `json:"command"` // that makes it
}

func exceptionLine(x *store.Exception, now time.Time) ExceptionLine {
	return ExceptionLine{*x, exceptions.State(x, now), exceptions.Way(x), exceptions.Opens(x), exceptions.Command(x)}
}

// Exceptions lists the exceptions: those that end next first, then those that have ended, the last first.
func (d *Desk) Exceptions(ctx context.Context, who *people.Access, in *ExceptionsIn) (*ExceptionList, error) {
	all, err := d.Store.Exceptions(ctx)
	if err != nil {
		return nil, err
	}
	if domain := strings.ToLower(in.Domain); domain != "" {
		all = slices.DeleteFunc(all, func(x store.Exception) bool { return x.Domain != domain && !exceptions.IsFor(&x, domain) })
	}
	now := d.now()
	list := &ExceptionList{all: []ExceptionLine{}, Can: who.Everywhere() >= people.Analyst}
	slices.SortStableFunc(all, func(a, b store.Exception) int { return a.Until.Compare(b.Until) })
	var ended []ExceptionLine
	for i := range all {
		line := exceptionLine(&all[i], now)
		if line.State == exceptions.Ended {
			ended = append(ended, line)
			continue
		}
		list.all = append(list.all, line)
	}
	slices.Reverse(ended)
	list.Holding, list.Ended = len(list.all), len(ended)
	list.all = append(list.all, ended...)
	list.Exceptions = list.all[:min(len(list.all), mostExceptions)]
	list.More = len(list.all) - len(list.Exceptions)
	return list, nil
}

// Tables has the exceptions.
func (l *ExceptionList) Tables() []Table {
	return []Table{{
		Name: "exceptions", Columns: []string{"id", "domain", "network", "dkim", "until", "state", "reason", "author", "created", "uses", "last used"},
		Rows: func(yield func([]string) bool) {
			for _, x := range l.all {
				network, used := "", ""
				if x.Network.IsValid() {
					network = x.Network.String()
				}
				if !x.LastUsed.IsZero() {
					used = x.LastUsed.UTC().Format(time.RFC3339)
				}
				if !yield([]string{count(x.ID), x.Domain, network, x.SDID, x.Until.UTC().Format(time.RFC3339), x.State, x.Reason, x.Author,
					x.Created.UTC().Format(time.RFC3339), count(x.Uses), used}) {
					return
				}
			}
		},
	}}
}

// NewExceptionIn asks for an exception that could be made: for a message, or for what is known of it.
type NewExceptionIn struct {
	Reference string `query:"reference" doc:"The message that was stopped"`
	ID        int64  `query:"id" minimum:"0" doc:"The ID of the decision, where the reference does not tell"`
	Domain    string `query:"domain" doc:"The Author Domain"`
	Network   string `query:"network" doc:"From where mail is to be let in"`
}

// NewException is an exception that is proposed.
type NewException struct {
	Domain  string        `json:"domain"`
	Network string        `json:"network"`
	DKIM    string        `json:"dkim"` // in place of the network
	Until   string        `json:"until"`
	Reason  string        `json:"reason"`
	Name    string        `json:"-"`       // by which, with its ID, that is asked for
	About   *DecisionLine `json:"about"`   // the message that it is made for; null: none
	Signers []string      `json:"signers"` // whose good signatures the message bears: another way to let it in
	Opens   string        `json:"opens"`   // a sentence: what would get in; empty where it is not known yet
	Command string        `json:"command"` // that makes it; likewise
	Last    string        `json:"last"`    // the last day that can be its end
	Can     bool          `json:"can_act"`
}

// Crumbs lead back.
func (x *NewException) Crumbs() []Crumb {
	return []Crumb{{"Gate", "/gate"}, {"Exceptions", "/gate/exceptions"}}
}

// NewException proposes an exception.
func (d *Desk) NewException(ctx context.Context, who *people.Access, in *NewExceptionIn) (*NewException, error) {
	now := d.now()
	x := &NewException{
		Domain: in.Domain, Network: in.Network, Signers: []string{}, Can: who.Everywhere() >= people.Analyst,
		Until: now.AddDate(0, 0, exceptionDays).Format(time.DateOnly), Last: now.Add(exceptions.MaxDuration - 24*time.Hour).Format(time.DateOnly),
	}
	if in.Reference != "" {
		found, err := d.decisions(ctx, &DecisionIn{Reference: in.Reference, ID: in.ID})
		if err != nil {
			return nil, err
		}
		it := found[len(found)-1]
		if i := slices.IndexFunc(found, func(o store.Decision) bool { return o.ID == in.ID }); i >= 0 {
			it = found[i]
		}
		x.of(&it)
	}
	if e, err := wantedException(x.Domain, x.Network, x.DKIM, x.Until, x.Reason, who.Name, now); err == nil {
		x.Opens, x.Command = exceptions.Opens(&e), exceptions.Command(&e)
	}
	return x, nil
}

// of proposes what would let one message in.
func (x *NewException) of(d *store.Decision) {
	line := Line(d)
	x.About, x.Domain = &line, d.AuthorDomain
	x.Name = nameOf(d.Reference)
	if d.ClientIP.IsValid() {
		ip := d.ClientIP.Unmap()
		x.Network = netip.PrefixFrom(ip, ip.BitLen()).String()
	}
	for _, s := range d.DKIM {
		if s.Result == "pass" && !slices.Contains(x.Signers, s.SDID) {
			x.Signers = append(x.Signers, s.SDID)
		}
	}
	why := "message"
	if d.Reference != "" {
		why += " " + d.Reference
	}
	if d.Rule != "" {
		why += " was stopped by the rule " + d.Rule
	}
	x.Reason = plainLine(why + " on " + d.Time.UTC().Format(time.DateOnly))
}

// plainLine is a text as a reason may be written.
func plainLine(s string) string {
	return show.Clip(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, show.Printable(s)), mostReason)
}

// DoExceptIn asks for an exception to be made.
type DoExceptIn struct {
	Body struct {
		Domain  string `json:"domain" required:"false" doc:"The Author Domain; *.example.com for all beneath it"`
		Network string `json:"network" required:"false" doc:"From where: 192.0.2.0/24, 2001:db8::/48 or one address"`
		DKIM    string `json:"dkim" required:"false" doc:"In place of the network: which domain (d=) must have signed it"`
		Until   string `json:"until" required:"false" doc:"The end: a day, a time (RFC 3339) or a stretch (30d); a year away at most"`
		Reason  string `json:"reason" required:"false" doc:"For whoever finds it later"`
	}
}

// wantedException reads what was typed; what cannot be is an [Invalid].
func wantedException(domain, network, sdid, until, reason, author string, now time.Time) (store.Exception, error) {
	x := store.Exception{Domain: domain, SDID: sdid, Reason: reason, Author: plainLine(author), Created: now.Truncate(time.Microsecond)}
	var err error
	if network != "" {
		if x.Network, err = exceptions.ParseNetwork(network); err != nil {
			return x, invalid("network", "The network %q is %s.", network, err)
		}
	}
	if x.Until, err = when.Until(until, now); err != nil {
		return x, invalid("until", "The end %q is %s.", until, err)
	}
	if err = exceptions.Check(&x, now); err != nil {
		return x, exceptionWrong(err)
	}
	return x, nil
}

// exceptionWrong says what is wrong with an exception on its form.
func exceptionWrong(err error) error {
	var wrong *exceptions.Wrong
	if errors.As(err, &wrong) {
		return invalid(wrong.Field, "%s", sentence(wrong.Error()))
	}
	return err
}

// sentence makes one of an error.
func sentence(s string) string {
	first, rest := s[:min(1, len(s))], s[min(1, len(s)):]
	return strings.ToUpper(first) + strings.TrimSuffix(rest, ".") + "."
}

// DoExcept makes an exception.
func (d *Desk) DoExcept(ctx context.Context, who *people.Access, in *DoExceptIn) (*Done, error) {
	b := &in.Body
	x, err := wantedException(b.Domain, b.Network, b.DKIM, b.Until, b.Reason, who.Name, d.now())
	if err != nil {
		return nil, err
	}
	if err := d.Store.AddException(ctx, &x); err != nil {
		return nil, err
	}
	d.event(ctx, who, "add-exception", x.Domain, fmt.Sprintf("%d: %s, until %s: %s", x.ID, exceptions.Way(&x), x.Until.Format(time.RFC3339), x.Reason))
	return &Done{To: "/gate/exceptions", Text: fmt.Sprintf("Exception %d is made: mail of %s, %s, is let in until %s. The gate goes by it within a second.",
		x.ID, x.Domain, cameFrom(&x), x.Until.Format(time.DateOnly))}, nil
}

// cameFrom says how mail must come, in a sentence.
func cameFrom(x *store.Exception) string {
	if x.Network.IsValid() {
		return "from " + exceptions.Way(x)
	}
	return exceptions.Way(x)
}

// DoExtendIn asks for another end of an exception.
type DoExtendIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Until string `json:"until" required:"false" doc:"The end: a day, a time (RFC 3339) or a stretch (30d); a year away at most"`
	}
}

// DoExtend gives an exception another end.
func (d *Desk) DoExtend(ctx context.Context, who *people.Access, in *DoExtendIn) (*Done, error) {
	until, err := when.Until(in.Body.Until, d.now())
	if err != nil {
		return nil, invalid("until", "The end %q is %s.", in.Body.Until, err)
	}
	if err := exceptions.CheckUntil(until, d.now()); err != nil {
		return nil, exceptionWrong(err)
	}
	if err := d.Store.ExtendException(ctx, in.ID, until); err != nil {
		return nil, exceptionGone(err)
	}
	d.event(ctx, who, "extend-exception", count(in.ID), until.Format(time.RFC3339))
	return &Done{To: "/gate/exceptions", Text: fmt.Sprintf("Exception %d holds until %s.", in.ID, until.Format(time.DateOnly))}, nil
}

// DoUnexceptIn asks for an exception to be removed.
type DoUnexceptIn struct {
	ID int64 `path:"id" minimum:"1"`
}

// DoUnexcept removes an exception.
func (d *Desk) DoUnexcept(ctx context.Context, who *people.Access, in *DoUnexceptIn) (*Done, error) {
	if err := d.Store.RemoveException(ctx, in.ID); err != nil {
		return nil, exceptionGone(err)
	}
	d.event(ctx, who, "remove-exception", count(in.ID), "")
	return &Done{To: "/gate/exceptions", Text: fmt.Sprintf("Exception %d is removed. Such mail is judged by the rules again.", in.ID)}, nil
}

func exceptionGone(err error) error {
	if errors.Is(err, store.ErrNoException) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}
