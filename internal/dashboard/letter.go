package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// LetterIn asks for a case.
type LetterIn struct {
	ID int64 `path:"id" minimum:"1"`
}

// A LetterCase is a letter, to whom it goes, and what came of it.
type LetterCase struct {
	CaseLine
	Means      string        `json:"means"` // what its state is
	Checked    time.Time     `json:"checked,omitzero"`
	Mended     time.Time     `json:"mended,omitzero"`
	Language   string        `json:"language"`
	From       string        `json:"from"`
	Subject    string        `json:"subject"`
	Text       string        `json:"text"`
	Reference  string        `json:"reference"` // of the message that it is about
	About      *DecisionLine `json:"about"`     // that message, where it is kept still
	Server     string        `json:"server"`    // the address that was refused
	Recipients []Recipient   `json:"recipients"`
	Sent       []LetterSent  `json:"sent"`
	Limits     LetterLimits  `json:"limits"`

	MayApprove bool `json:"may_approve"` // whoever asks, as the case is now
	MayDecline bool `json:"may_decline"`
	MayClose   bool `json:"may_close"`
}

// A Recipient is an address that a letter may go to; the first one that may be written to gets it.
type Recipient struct {
	Address string `json:"address"`
	Source  string `json:"source"` // where it was found
	Not     string `json:"not"`    // why nobody writes there; empty: it may be written to
}

// A LetterSent is what became of one that was sent, or is to be.
type LetterSent struct {
	Recipient string    `json:"recipient"`
	State     string    `json:"state"`
	At        time.Time `json:"at"`
	MessageID string    `json:"message_id"`
	Attempts  int64     `json:"attempts"`
	Detail    string    `json:"detail"`
}

// LetterLimits bound what is sent.
type LetterLimits struct {
	PerHour int `json:"per_hour"`
	PerDay  int `json:"per_day"`
	Quiet   int `json:"quiet_days"` // one letter to an organization in so many days
}

// Title is what the page is called.
func (c *LetterCase) Title() string { return "Letter to " + c.Domain }

// Crumbs lead back.
func (c *LetterCase) Crumbs() []Crumb {
	return []Crumb{{"Gate", "/gate"}, {"Letters", "/gate/letters"}}
}

// Lines are those of the letter.
func (c *LetterCase) Lines() []string { return strings.Split(strings.TrimRight(c.Text, "\n"), "\n") }

// addressSources say where an address was found.
var addressSources = map[string]string{
	notice.FromSecurityTXT: "named in its security.txt", notice.FromSOA: "named in the SOA record of its zone", notice.FromPostmaster: "the postmaster, whom every domain has",
}

// Letter gives one case.
func (d *Desk) Letter(ctx context.Context, who *people.Access, in *LetterIn) (*LetterCase, error) {
	n, err := d.Store.Notice(ctx, in.ID)
	if err != nil {
		return nil, caseGone(err)
	}
	config := &d.Config().Notice
	can := who.Everywhere() >= people.Analyst
	c := &LetterCase{
		CaseLine: caseLine(&n), Means: stateOf(n.State).Means, Checked: n.Checked, Mended: n.Mended, Language: n.Draft.Language, From: config.From,
		Subject: n.Draft.Subject, Text: n.Draft.Text, Reference: n.Draft.Reference, Server: n.Draft.Server, Recipients: []Recipient{}, Sent: []LetterSent{},
		Limits:     LetterLimits{PerHour: config.PerHour, PerDay: config.PerDay, Quiet: int(notice.Quiet / (24 * time.Hour))},
		MayApprove: can && slices.Contains(notice.Approvable, n.State), MayDecline: can && slices.Contains(notice.Declinable, n.State),
		MayClose: can && slices.Contains(notice.Closable, n.State),
	}
	for _, l := range n.Letters {
		c.Sent = append(c.Sent, LetterSent{l.Recipient, l.State, l.At, l.MessageID, l.Attempts, l.Detail})
	}
	if err := d.recipients(ctx, c, &n); err != nil {
		return nil, err
	}
	if c.Reference != "" {
		found, err := d.Store.Decisions(ctx, store.DecisionFilter{Reference: c.Reference, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			line := Line(&found[0])
			c.About = &line
		}
	}
	return c, nil
}

// recipients says of each whether it may be written to.
func (d *Desk) recipients(ctx context.Context, c *LetterCase, n *store.Notice) error {
	suppressed, err := d.Store.Suppressions(ctx)
	if err != nil {
		return err
	}
	for _, r := range n.Draft.Recipients {
		to := Recipient{Address: r.Address, Source: addressSources[r.Source]}
		if to.Source == "" {
			to.Source = r.Source
		}
		domain := r.Address[strings.LastIndexByte(r.Address, '@')+1:]
		for _, s := range suppressed {
			if s.Subject == r.Address || s.Subject == domain || strings.HasSuffix("."+domain, "."+s.Subject) || s.Subject == n.Domain {
				to.Not = "nobody writes there: " + s.Reason
			}
		}
		for _, l := range n.Letters {
			if strings.EqualFold(l.Recipient, r.Address) && (l.State == store.LetterFailed || l.State == store.LetterBounced) {
				to.Not = "a letter did not arrive there"
			}
		}
		c.Recipients = append(c.Recipients, to)
	}
	return nil
}

func caseGone(err error) error {
	if errors.Is(err, store.ErrNoNotice) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// DoApproveIn asks for a letter to be sent.
type DoApproveIn struct {
	ID int64 `path:"id" minimum:"1"`
}

// DoApprove lets the letter of a case be sent.
func (d *Desk) DoApprove(ctx context.Context, who *people.Access, in *DoApproveIn) (*Done, error) {
	office := &notice.Office{Store: d.Store}
	n, err := office.Approve(ctx, in.ID, who.Name, d.now())
	return d.moved(ctx, who, n, in.ID, "approve-letter", "", "The letter is approved. The gate sends it as soon as the limits allow.", err)
}

// DoDeclineIn asks for a letter not to be sent.
type DoDeclineIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Reason string `json:"reason" required:"false" doc:"For whoever reads it later"`
	}
}

// DoDecline has the letter of a case not be sent.
func (d *Desk) DoDecline(ctx context.Context, who *people.Access, in *DoDeclineIn) (*Done, error) {
	office, reason := &notice.Office{Store: d.Store}, plainLine(in.Body.Reason)
	n, err := office.Decline(ctx, in.ID, who.Name, reason, d.now())
	return d.moved(ctx, who, n, in.ID, "decline-letter", reason, "The letter is declined, and not sent.", err)
}

// DoCloseIn asks for a case to be closed.
type DoCloseIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Reason string `json:"reason" required:"false" doc:"For whoever reads it later"`
	}
}

// DoClose ends a case whose letter was sent.
func (d *Desk) DoClose(ctx context.Context, who *people.Access, in *DoCloseIn) (*Done, error) {
	office, reason := &notice.Office{Store: d.Store}, plainLine(in.Body.Reason)
	n, err := office.Close(ctx, in.ID, who.Name, reason, d.now())
	return d.moved(ctx, who, n, in.ID, "close-case", reason, "The case is closed: nobody looks any more whether it was mended.", err)
}

// moved is what became of a case whose state was to change.
func (d *Desk) moved(ctx context.Context, who *people.Access, n store.Notice, id int64, what, reason, text string, err error) (*Done, error) {
	if errors.Is(err, store.ErrNoticeState) {
		now, lost := d.Store.Notice(ctx, id)
		if lost != nil {
			return nil, caseGone(lost)
		}
		return nil, invalid("", "The case is %s already, by %s: nothing was changed.", now.State, now.Author)
	}
	if err != nil {
		return nil, caseGone(err)
	}
	d.Answers.Change(casesKey)
	detail := fmt.Sprintf("case %d", n.ID)
	if reason != "" {
		detail += ": " + reason
	}
	d.event(ctx, who, what, n.Domain, detail)
	return &Done{To: casePath(n.ID), Text: text}, nil
}
