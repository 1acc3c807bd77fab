// Package notice writes to the owner of a domain whose records have its mail refused, and knows when that was mended.
//
//	office := &notice.Office{Config: c.Notice, Store: s, Audit: audit, Find: finder, Send: server}
//	n, opened, err := office.Propose(ctx, notice.Subject{Domain: "example.com"}, "ann", now)
//	n, err = office.Approve(ctx, n.ID, "ann", now)
//	err = office.Run(ctx, now) // a job: sends what was approved, looks whether what was written about is mended
//
// A letter is short, and one that a stranger can trust: what happened, what was seen, the one record to publish, how to check it without
// us, who we are, and how not to be written to again. Its sentences are in files, one a language ([Languages]). Who reads it learns
// nothing of persons: no address of a sender or recipient is in it, and no more of MAIL FROM than its domain.
//
// Nothing is sent unless somebody approved it, or a rule that somebody wrote; and the store holds to the limits, whatever asks it. What
// comes back is read ([Read]) and obeyed.
package notice

import (
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Subject is what a letter is to be about.
type Subject struct {
	Domain   string
	Decision *store.Decision // the message that was stopped; nil for what the audit found alone
	Count    int64           // how many such messages there were in thirty days
	Language string          // as the domain suggests if empty
}

// A Case is what a letter is made of.
type Case struct {
	Subject
	Report  *audit.Report // nil where the domain could not be looked at
	At      time.Time
	Sender  Sender
	Token   string // the local part's, of the address for those who want no more
	Address string // that address
}

// A Sender is who writes.
type Sender struct {
	Organization string // "Example GmbH"
	Host         string // the mail server's name
	Contact      string // an address that a person reads
	About        string // a page; may be empty
}
