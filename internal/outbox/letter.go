package outbox

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"time"

	"github.com/wneessen/go-mail"
)

// message makes a letter a mail (RFC 5322): text and HTML as alternatives, images beside the HTML.
func (s *Server) message(l Letter) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(s.From); err != nil {
		return nil, fmt.Errorf("from %q: %w", s.From, err)
	}
	if len(l.To) == 0 {
		return nil, errors.New("to nobody")
	}
	if err := m.To(l.To...); err != nil {
		return nil, fmt.Errorf("to %q: %w", l.To, err)
	}
	if l.Date.IsZero() {
		l.Date = time.Now()
	}
	m.SetDateWithValue(l.Date)
	if l.ID != "" {
		m.SetMessageIDWithValue(l.ID)
	} else {
		m.SetMessageID()
	}
	if l.Return != "" {
		if err := m.EnvelopeFrom(l.Return); err != nil {
			return nil, fmt.Errorf("the envelope's sender %q: %w", l.Return, err)
		}
	}
	if l.ReplyTo != "" {
		if err := m.ReplyTo(l.ReplyTo); err != nil {
			return nil, fmt.Errorf("reply to %q: %w", l.ReplyTo, err)
		}
	}
	if l.Unsubscribe != "" {
		if _, err := netmail.ParseAddress(l.Unsubscribe); err != nil {
			return nil, fmt.Errorf("unsubscribe %q: %w", l.Unsubscribe, err)
		}
		// As one word, which is never folded or encoded: mail programs that offer the button read it so.
		m.SetGenHeaderPreformatted(mail.HeaderListUnsubscribe, "<mailto:"+l.Unsubscribe+"?subject=unsubscribe>")
	}
	m.Subject(Plain(l.Subject, longest))                            // names of strangers stand in it
	m.SetGenHeader(mail.Header("Auto-Submitted"), "auto-generated") // RFC 3834 5: no out-of-office answer to it
	m.SetBodyString(mail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		m.AddAlternativeString(mail.TypeTextHTML, l.HTML)
	}
	for _, image := range l.Inline {
		err := m.EmbedReader(image.Name, bytes.NewReader(image.PNG), mail.WithFileContentType("image/png"), mail.WithFileContentID("<"+image.Name+">"))
		if err != nil {
			return nil, err
		}
	}
	return m, s.sign(m)
}
