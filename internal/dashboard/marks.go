package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Mark is somebody's word on what a source is.
type Mark struct {
	Source string       `json:"source"` // an address, a network or a service
	Every  bool         `json:"every"`  // for every domain, not for this one alone
	Class  senders.Kind `json:"class"`
	Reason string       `json:"reason"`
	Author string       `json:"author"`
	At     time.Time    `json:"at"`
}

// Marking is what the command line says to do the same.
type Marking struct {
	Sources []string     `json:"sources"` // that are marked: a service, or addresses
	Ours    senders.Kind `json:"ours"`    // what it is when it is called ours
	Command []string     `json:"command"` // to call it ours
	More    int          `json:"more"`    // addresses that are too many to be marked one by one
}

// MarkIn says whose a source is.
type MarkIn struct {
	Domain string `path:"domain" doc:"The domain's name in A-labels"`
	Source string `path:"source" maxLength:"300" doc:"An address, or the key of a source as the domain lists it"`
	Days
	Body struct {
		Whose  string `json:"whose" required:"false" doc:"ours, forwarder or not-ours"`
		Reason string `json:"reason" required:"false" maxLength:"1000" doc:"Why, for whoever reads it later"`
	}
}

// UnmarkIn takes a word back.
type UnmarkIn struct {
	Domain string `path:"domain" doc:"The domain's name in A-labels"`
	Source string `path:"source" maxLength:"300" doc:"An address, or the key of a source as the domain lists it"`
	Body   struct {
		Mark string `json:"mark" required:"false" doc:"The address, network or service that was marked"`
	}
}

// How much is said at once.
const (
	mostMarked     = 50 // addresses
	mostMarkReason = 1000
)

// What a source can be called.
const (
	whoseOurs      = "ours"
	whoseForwarder = "forwarder"
	whoseNotOurs   = "not-ours"
)

// marks are the words that hold for a source, as they are now.
func (d *Desk) marks(ctx context.Context, of *insight.Source) ([]Mark, error) {
	said := slices.Clone(of.Marks)
	now, err := d.Store.Marks(ctx, of.Domain)
	if err != nil {
		return nil, err
	}
	// What the facts have of this domain may be old.
	said = slices.DeleteFunc(said, func(m store.SourceMark) bool { return m.Domain != "" })
	all := []Mark{}
	for _, m := range slices.Concat(of.Marked(now), said) {
		all = append(all, Mark{m.Source, m.Domain == "", senders.Kind(m.Class), m.Reason, m.Author, m.At})
	}
	return all, nil
}

// marking is what a mark of a source is put on: its service, or its addresses.
func marking(of *insight.Source, asked string) Marking {
	m := Marking{Sources: []string{}, Ours: senders.Misconfigured, Command: []string{}}
	if f := of.Figures; f.Passed == f.Messages {
		m.Ours = senders.Passing
	}
	if id, ok := strings.CutPrefix(asked, "service:"); ok {
		m.Sources = append(m.Sources, id)
	} else {
		for _, a := range of.Addresses {
			switch {
			case !a.IP.IsValid():
			case len(m.Sources) == mostMarked:
				m.More++
			default:
				m.Sources = append(m.Sources, a.IP.String())
			}
		}
	}
	for _, s := range m.Sources {
		m.Command = append(m.Command, fmt.Sprintf("gatepost sources mark %s %s %s --reason \"…\"", of.Domain, quoted(s), m.Ours))
	}
	return m
}

// quoted is a word for a shell. Ids of services are plain, and so are addresses; what is neither stands in quotation marks.
func quoted(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.:-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// DoMark notes somebody's word on a source.
func (d *Desk) DoMark(ctx context.Context, who *people.Access, in *MarkIn) (*Done, error) {
	of, err := d.marked(ctx, who, in)
	if err != nil {
		return nil, err
	}
	on := marking(of, in.Source)
	class, ok := map[string]senders.Kind{whoseOurs: on.Ours, whoseForwarder: senders.Forwarded, whoseNotOurs: senders.Abuse}[in.Body.Whose]
	switch {
	case !ok:
		return nil, invalid("whose", "Say whose it is: yours, of one who passes your mail on, or not yours.")
	case strings.TrimSpace(in.Body.Reason) == "":
		return nil, invalid("reason", "Say why, for whoever reads it later.")
	case len(in.Body.Reason) > mostMarkReason:
		return nil, invalid("reason", "Say it in less than %d letters.", mostMarkReason)
	case len(on.Sources) == 0:
		return nil, invalid("", "Reports give no address of this source, so that there is nothing to mark.")
	}
	for _, source := range on.Sources {
		word := insight.Word{Domain: in.Domain, Source: source, Class: class, Reason: strings.TrimSpace(in.Body.Reason), Author: who.Name}
		m, err := word.Mark(d.now())
		if err != nil {
			return nil, invalid("", "It cannot be marked: %v.", err)
		}
		if err := d.Store.SetMark(ctx, m); err != nil {
			return nil, err
		}
		d.event(ctx, who, "mark-source", in.Domain, source+" is "+string(class)+": "+m.Reason)
	}
	d.Answers.Change("domain " + in.Domain + " ")
	text := map[string]string{
		whoseOurs: "%s is yours from now on.", whoseForwarder: "%s passes your mail on, from now on.", whoseNotOurs: "%s is not yours, from now on.",
	}[in.Body.Whose]
	to := sourcePath(in.Domain, in.Source)
	if in.Days.Days != 0 && in.Days.Days != days {
		to += fmt.Sprintf("?days=%d", in.Days.Days)
	}
	return &Done{To: to, Text: fmt.Sprintf(text, of.Name)}, nil
}

// DoUnmark takes a word back.
func (d *Desk) DoUnmark(ctx context.Context, who *people.Access, in *UnmarkIn) (*Done, error) {
	if err := d.see(keep.Patient(ctx), in.Domain); err != nil {
		return nil, err
	}
	domain, source, err := insight.ParseMark(in.Domain, in.Body.Mark)
	if err != nil {
		return nil, invalid("mark", "Say which mark is to go: %v.", err)
	}
	switch err := d.Store.RemoveMark(ctx, domain, source); {
	case errors.Is(err, store.ErrNoMark):
		return nil, fmt.Errorf("%w: %w", err, ErrNotFound)
	case err != nil:
		return nil, err
	}
	d.event(ctx, who, "unmark-source", in.Domain, source)
	d.Answers.Change("domain " + in.Domain + " ")
	return &Done{To: sourcePath(in.Domain, in.Source), Text: "The mark is gone: the evidence says again what it is."}, nil
}

// marked is a source that is to be marked, by the days that the page with the form is of. Unlike a page it waits.
func (d *Desk) marked(ctx context.Context, who *people.Access, in *MarkIn) (*insight.Source, error) {
	ctx = keep.Patient(ctx)
	if err := d.see(ctx, in.Domain); err != nil {
		return nil, err
	}
	p, err := d.askedPeriod(who, in.Days)
	if err != nil {
		return nil, err
	}
	f, _, err := d.facts(ctx, in.Domain, in.Source, p)
	if err != nil {
		return nil, err
	}
	if of := f.Source(0, in.Source); of != nil {
		return of, nil
	}
	return nil, fmt.Errorf("source %q of %s: %w", in.Source, in.Domain, ErrNotFound)
}
