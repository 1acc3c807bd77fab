package outbox

import (
	"bytes"
	"errors"
	"fmt"
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
	return m, nil
}
