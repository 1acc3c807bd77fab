package outbox

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/message"
)

// sign puts signatures on a mail, if there are keys of the domain that it comes from. The mail is written twice, and must be the same both
// times but for them: the boundary of its parts is fixed here, and everything else was before.
func (s *Server) sign(m *mail.Msg) error {
	if s.Signers == nil {
		return nil
	}
	from, err := netmail.ParseAddress(s.From)
	if err != nil {
		return err
	}
	domain := strings.ToLower(from.Address[strings.LastIndexByte(from.Address, '@')+1:])
	signers := s.Signers(domain)
	if len(signers) == 0 {
		return nil
	}
	m.SetBoundary(rand.Text())
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return err
	}
	read, err := message.Read(&b, message.Limits{})
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	signing, err := dkim.NewSigning(read.Header, signers...)
	if err != nil {
		return err
	}
	if _, err := io.Copy(signing, read.Body); err != nil {
		return err
	}
	fields, err := signing.Fields()
	if err != nil {
		return err
	}
	var text strings.Builder
	for i, f := range fields {
		value := strings.TrimLeft(f.Value(), " ")
		if i > 0 {
			value = "\r\n" + f.Name + ": " + value
		}
		text.WriteString(value)
	}
	m.SetGenHeaderPreformatted("DKIM-Signature", text.String())
	return nil
}
