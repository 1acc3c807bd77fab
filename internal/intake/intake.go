// Package intake takes reports in: it reads whatever an input hands over and brings it into the store, never losing anything and never
// counting anything twice.
//
//	err := importer.Import(ctx, items, func(item intake.Item, o intake.Outcome) error { … })
package intake

import (
	"io"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// An Item is one thing that arrived: a file, or a message. Inputs make them.
type Item struct {
	Name     string // what people call it: a path, "INBOX, UID 17"
	Input    string // by which way it came: "file", "imap:reports@mx.example.com", "smtp", "http"
	Received time.Time
	Sender   Sender

	// Open gives the bytes, each time from their beginning. It is called by another goroutine than the one that made the Item, and
	// again for what is too large to be kept in memory.
	Open func() (io.ReadCloser, error)
}

// A Sender is who handed a message to our own receiver, as verified by our own core. Zero where nobody verified it.
type Sender struct {
	IP           string
	MailFrom     string
	AuthorDomain string
	DMARC        string // pass, fail, none, temperror, permerror; empty where it was not verified
	TokenDomain  string // the domains whose secret address or token it was sent to, with spaces between them; a report about another is marked
}

// An Outcome is what became of an Item, once that is committed.
type Outcome struct {
	Hash        store.Hash // of the bytes; zero if they could not be had
	New         int        // reports that the store did not have
	Known       int        // that it had
	Conflicting int        // of the new, those whose id it had with another content
	Refused     []string   // parts that hold no report that can be read, and why
	Failed      error      // the bytes could not be had or stored: nothing is known of it, try again later
}

// Bad tells whether nothing in the item could be read. It is kept whole in the store with the reason.
func (o Outcome) Bad() bool { return o.Failed == nil && o.New+o.Known == 0 }
