package store

import (
	"context"
	"errors"
	"time"
)

// Notices is the part of a [Store] that remembers whom was written to about the faults of a domain, and what came of it.
//
// A case is opened with the letter that it proposes. It is sent only when somebody, or a rule that somebody wrote, approved it; and each
// limit is looked at in the transaction that claims the sending, so that two nodes together keep to it as one does.
type Notices interface {
	// ProposeNotice opens a case and gives it its ID. If the domain has one that is open, that is given instead, as it is.
	ProposeNotice(ctx context.Context, n Notice) (Notice, bool, error)

	// Notices gives cases with what was sent of them, the latest first. Notice gives one, and wraps [ErrNoNotice] where there is none.
	Notices(ctx context.Context, f NoticeFilter) ([]Notice, error)
	Notice(ctx context.Context, id int64) (Notice, error)

	// MoveNotice gives a case another state, and wraps [ErrNoticeState] if its state is none of those that it may come from.
	MoveNotice(ctx context.Context, id int64, from []string, m NoticeMove) (Notice, error)

	// ClaimNotice notes that the letter of a case is about to be sent to somebody, and by a number under which attempt. It wraps
	// [ErrNoticeHeld], and says why, if it may not be sent now.
	ClaimNotice(ctx context.Context, l NoticeLetter, limits NoticeLimits) (NoticeLetter, error)

	// SettleNotice notes what became of a letter that was claimed. It wraps [ErrNotClaimed] if it is not that attempt's any more.
	SettleNotice(ctx context.Context, l NoticeLetter) error

	// AnswerNotice notes what came back to the address with a token. It wraps [ErrNoNotice] where no case has that.
	AnswerNotice(ctx context.Context, token string, a NoticeAnswer) (Notice, error)

	// CheckedNotice notes when it was last looked whether the faults of a case are there.
	CheckedNotice(ctx context.Context, id int64, at time.Time) error

	// Legitimate tells how it is known that mail of a domain, or of one beneath it, passed that was not a stranger's; empty if it is not.
	Legitimate(ctx context.Context, domain string) (string, error)

	// Suppress has nobody write to a domain and those beneath it, or to an address; Unsuppress takes that back, and tells whether it was so.
	Suppress(ctx context.Context, s Suppression) error
	Unsuppress(ctx context.Context, subject string) (bool, error)
	Suppressions(ctx context.Context) ([]Suppression, error)
}

// The states of a case.
const (
	NoticeProposed = "proposed" // it waits for somebody to approve or decline it
	NoticeApproved = "approved" // it is sent as soon as the limits allow
	NoticeDeclined = "declined" // it is not sent
	NoticeSent     = "sent"     // it was, and is looked at until the faults are gone
	NoticeBounced  = "bounced"  // it was, and did not arrive
	NoticeMended   = "mended"   // the faults are gone
	NoticeClosed   = "closed"   // nobody looks at it any more
)

// OpenNotice are the states of cases that are open. A domain has one such at most.
var OpenNotice = []string{NoticeProposed, NoticeApproved, NoticeSent, NoticeBounced}

// LetterBounced is the state of a letter that came back.
const LetterBounced = "bounced"

// The errors that callers tell apart.
var (
	ErrNoNotice    = errors.New("no such case")
	ErrNoticeState = errors.New("the case is in another state")
	ErrNoticeHeld  = errors.New("it is not sent")
)

// A Notice is a case.
type Notice struct {
	ID           int64     `json:"id"`
	Domain       string    `json:"domain"`
	Organization string    `json:"organization"` // its Organizational Domain
	State        string    `json:"state"`
	Opened       time.Time `json:"opened"`
	Changed      time.Time `json:"changed"` // since when the state is what it is
	Checked      time.Time `json:"checked,omitzero"`
	Mended       time.Time `json:"mended,omitzero"`
	Author       string    `json:"author"` // who made the state what it is
	Detail       string    `json:"detail"`
	Faults       []string  `json:"faults"` // ids of findings, the first first
	Token        string    `json:"-"`      // who has it can have us be silent

	Draft   NoticeDraft    `json:"draft"`
	Letters []NoticeLetter `json:"letters"`
}

// A NoticeDraft is the letter of a case, as whoever approves it sees it.
type NoticeDraft struct {
	Language   string            `json:"language"`
	Subject    string            `json:"subject"`
	Text       string            `json:"text"`
	HTML       string            `json:"html"`
	Reference  string            `json:"reference,omitempty"` // of the decision that it is about
	Server     string            `json:"server,omitempty"`    // the address that was refused, which the record must let in to be mended
	Recipients []NoticeRecipient `json:"recipients"`          // the best first
}

// A NoticeRecipient is an address to write to, and where it was found.
type NoticeRecipient struct {
	Address string `json:"address"`
	Source  string `json:"source"` // security.txt, soa, postmaster
}

// A NoticeLetter is one that was sent to somebody, or is to be.
type NoticeLetter struct {
	Notice    int64     `json:"notice"`
	Recipient string    `json:"recipient"`
	State     string    `json:"state"`
	At        time.Time `json:"at"` // since when
	MessageID string    `json:"message_id"`
	Attempts  int64     `json:"attempts"`
	Detail    string    `json:"detail"`
}

// A NoticeMove is another state of a case.
type NoticeMove struct {
	State  string
	Author string
	Detail string
	At     time.Time
}

// NoticeLimits bound what is sent.
type NoticeLimits struct {
	PerHour, PerDay int           // of all letters
	Quiet           time.Duration // one letter to an Organizational Domain in that time
	Recipient       time.Duration // and one to an address
}

// A NoticeAnswer is what came back.
type NoticeAnswer struct {
	Bounced      bool // it did not arrive, and will not
	Unsubscribed bool // who got it wants no more
	Detail       string
	At           time.Time
}

// A NoticeFilter lets through what every member that is set asks for.
type NoticeFilter struct {
	Domain string
	States []string
	Before time.Time // last looked at before then, those that wait the longest first
	Limit  int       // 1000 if zero
}

// A Suppression is one whom nobody writes to.
type Suppression struct {
	Subject string    `json:"subject"` // a domain, or an address
	Reason  string    `json:"reason"`
	Author  string    `json:"author"`
	At      time.Time `json:"at"`
}
