// Package verify runs SPF, DKIM, ARC and DMARC over one message as it streams in, and gives the [Evaluation].
//
// A door (the milter, the command line) calls the methods of a [Session] in the order of the SMTP dialogue, as soon as it knows
// each thing; the session starts every DNS look-up that the thing allows, and waits for none until the end of the message.
//
//	s := verify.New(options).Begin(ctx, verify.Client{IP: ip, Helo: helo, MailFrom: from})
//	defer s.Close()
//	s.Header(header)
//	s.Write(body)
//	evaluation := s.End()
package verify

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// Options are set once for a program. The zero value of each member means its default.
type Options struct {
	Resolver      dns.Resolver
	AuthservID    string         // who we are, for SPF's macro %{r}
	Timeout       time.Duration  // for the look-ups of a message; 20 s (RFC 7208 4.6.4)
	MaxQueries    int            // DNS queries for a message; 300
	MaxBytes      int64          // of header and body; 256 MiB
	Limits        message.Limits // of the header, where [Verifier.Message] reads it
	MaxSignatures int            // 10
	MinRSABits    int            // 1024
	Method        dmarc.Method   // the tree walk
	Sealers       []string       // domains whose ARC seals are trusted; none
	Diagnose      bool           // find out why signatures fail; costs memory and time
	Detail        bool           // name servers of ours in reasons, which are then not fit for strangers
	Trace         bool           // record how each result came about
	Now           time.Time      // evaluate as at this time; the present if zero
	SkipIPRev     bool
}

const (
	defaultTimeout    = 20 * time.Second
	defaultMaxQueries = 300
	defaultMaxBytes   = 256 << 20
)

// A Verifier makes sessions. It is safe for concurrent use.
type Verifier struct{ o Options }

// New prepares a Verifier.
func New(o Options) *Verifier {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.MaxQueries <= 0 {
		o.MaxQueries = defaultMaxQueries
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	return &Verifier{o: o}
}

// Message evaluates a whole message. The error is about reading it; that it exceeds a limit is part of the Evaluation.
func (v *Verifier) Message(ctx context.Context, c Client, r io.Reader) (*Evaluation, error) {
	m, err := message.Read(r, v.o.Limits)
	var tooLarge *message.LimitError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, err
	}
	s := v.Begin(ctx, c)
	defer s.Close()
	if tooLarge != nil {
		s.HeaderError(err)
		return s.End(), nil
	}
	s.Header(m.Header)
	if _, err := io.Copy(s, io.LimitReader(m.Body, v.o.MaxBytes+1)); err != nil {
		return nil, err
	}
	return s.End(), nil
}
