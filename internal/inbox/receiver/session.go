package receiver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/emersion/go-smtp"

	"github.com/gatepost-mail/gatepost/internal/inbox/address"
)

type backend struct {
	r        *Receiver
	protocol Protocol
}

// NewSession implements smtp.Backend. There is a new one after EHLO, and after STARTTLS.
func (b *backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	raw := c.Conn()
	if t, ok := raw.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	nc, ok := raw.(*conn)
	if !ok { // nobody but our listener makes connections
		return nil, replyAway
	}
	s := &session{r: b.r, protocol: b.protocol, smtp: c, conn: nc}
	s.ctx, s.cancel = context.WithCancel(b.r.ctx)
	return s, nil
}

// The replies.
var (
	replyAway       = reply(421, 4, 3, 2, "not now; try again later")
	replyNested     = reply(503, 5, 5, 1, "a message is under way: RSET ends it")
	replyLongFrom   = reply(501, 5, 1, 7, "the sender's address is too long")
	replyUnknown    = reply(550, 5, 1, 1, "no such address here")
	replyElsewhere  = reply(550, 5, 7, 1, "nothing is passed on to other hosts")
	replyProbing    = reply(421, 4, 7, 0, "too many unknown addresses")
	replyStored     = reply(250, 2, 0, 0, "stored")
	replyDeferred   = reply(451, 4, 3, 0, "it cannot be stored now; try again later")
	replyFull       = reply(452, 4, 3, 1, "there is no room now; try again later")
	replyBroken     = reply(451, 4, 4, 2, "the message did not come to its end")
	replyLoop       = reply(554, 5, 4, 6, "more than 100 Received fields: a mail loop")
	replyLongHeader = reply(554, 5, 6, 0, "the header is too large")
	replyLongLine   = reply(554, 5, 6, 0, "a line is too long")
)

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// A session is what one client says. The library calls its methods from one goroutine, but for Data of chunks (RFC 3030), beside which
// Reset and Logout may come.
type session struct {
	r        *Receiver
	protocol Protocol
	smtp     *smtp.Conn
	conn     *conn
	ctx      context.Context
	cancel   context.CancelFunc
	unknown  int // recipients refused

	mu sync.Mutex
	envelope
	open bool // MAIL came
}

// An envelope is what came before the message.
type envelope struct {
	helo    string
	from    string
	domains []string // whose addresses it is to, each once; without those of plain addresses
}

// maxPath bounds MAIL FROM: RFC 5321 4.5.3.1.3 has 256 octets.
const maxPath = 512

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open:
		return replyNested
	case len(from) > maxPath:
		return replyLongFrom
	}
	s.open = true
	s.envelope = envelope{helo: s.smtp.Hostname(), from: from}
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	domain, err := (*s.r.recipients.Load()).Recipient(to)
	if err != nil {
		s.r.unknown.Add(1)
		if s.unknown++; s.unknown > s.r.o.MaxUnknown {
			s.conn.finish()
			return replyProbing
		}
		if errors.Is(err, address.ErrElsewhere) {
			return replyElsewhere
		}
		return replyUnknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if domain != "" && !slices.Contains(s.domains, domain) {
		s.domains = append(s.domains, domain)
	}
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	s.mu.Lock()
	e := s.envelope
	s.mu.Unlock()
	s.conn.begin()
	err := s.take(r, e)
	if err == replyStored {
		s.conn.stored()
	}
	return err
}

// Reset implements smtp.Session.
func (s *session) Reset() {
	s.conn.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelope, s.open = envelope{}, false
}

// Logout implements smtp.Session.
func (s *session) Logout() error {
	s.cancel()
	return nil
}
