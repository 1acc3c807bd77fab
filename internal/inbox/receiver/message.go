package receiver

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/spool"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// maxReceived bounds the hosts that a message has passed (RFC 5321 6.3).
const maxReceived = 100

// maxHeader bounds the header of a message: each connection may have one in memory.
const maxHeader = 256 << 10

// take stores a message, and gives the reply to it.
func (s *session) take(r io.Reader, e envelope) error {
	kept := s.r.room.New()
	defer kept.Close()
	sender, err := s.examine(io.TeeReader(r, kept), e)
	if err != nil {
		return s.refuse(e, err)
	}
	item := intake.Item{
		Name:     fmt.Sprintf("mail from <%s>%s", e.from, forWhom(e.domains)),
		Input:    string(s.protocol),
		Received: time.Now().UTC(),
		Sender:   sender,
		Open:     kept.Open,
	}
	log := s.r.o.Log.With("input", item.Input, "client", s.conn.RemoteAddr().String(), "mail_from", e.from, "domain", sender.TokenDomain,
		"dmarc", sender.DMARC, "bytes", kept.Size())
	// The client may have gone meanwhile. What was committed stays, and is known when it comes again.
	outcome, err := s.r.batch.Import(s.r.ctx, item)
	switch {
	case err != nil:
		s.r.deferred.Add(1)
		log.Error("a report could not be stored; its sender keeps it", "error", err.Error())
		return replyDeferred
	case outcome.Bad() && intake.IsSettled(outcome.Refused):
		log.Info("a mail was no report", "reasons", strings.Join(outcome.Refused, "; "))
	case outcome.Bad():
		s.r.setAside.Add(1)
		log.Warn("a mail without a report was set aside", "reasons", strings.Join(outcome.Refused, "; "))
	default:
		log.Info("reports came", "new", outcome.New, "known", outcome.Known, "refused", len(outcome.Refused))
	}
	s.r.stored.Add(1)
	return replyStored
}

func forWhom(domains []string) string {
	if len(domains) == 0 {
		return ""
	}
	return " for " + strings.Join(domains, ", ")
}

// refuse gives the reply to a message that could not be read to its end, or is not to be taken.
func (s *session) refuse(e envelope, err error) error {
	var reply *smtp.SMTPError
	switch {
	case errors.As(err, &reply):
	case errors.Is(err, spool.ErrWrite):
		s.r.o.Log.Error("a message could not be kept; its sender keeps it", "error", err.Error())
		reply = replyFull
	case errors.Is(err, smtp.ErrTooLongLine):
		reply = replyLongLine
	default:
		reply = replyBroken
	}
	count := &s.r.refused
	if reply.Temporary() {
		count = &s.r.deferred
	}
	count.Add(1)
	s.r.o.Log.Info("a mail was not taken", "client", s.conn.RemoteAddr().String(), "mail_from", e.from, "reply", reply.Message)
	return reply
}

// examine reads a message to its end, and says whom it is from.
func (s *session) examine(r io.Reader, e envelope) (intake.Sender, error) {
	sender := intake.Sender{
		MailFrom: e.from,
		// Almost always one. A report is about one domain; that it was sent to the addresses of two is not for us to judge.
		TokenDomain: strings.Join(slices.Sorted(slices.Values(e.domains)), " "),
	}
	if !s.conn.relay {
		sender.IP = s.conn.ip.String()
	}
	m, err := message.Read(r, message.Limits{HeaderBytes: maxHeader})
	var tooLarge *message.LimitError
	switch {
	case errors.As(err, &tooLarge):
		return sender, replyLongHeader
	case errors.Is(err, message.ErrNoHeader):
		sender.DMARC = "permerror" // it has no Author Domain
		_, err := io.Copy(io.Discard, r)
		return sender, err
	case err != nil:
		return sender, err
	case m.Header.Count("Received") > maxReceived:
		return sender, replyLoop
	}
	if s.r.o.Verifier == nil {
		_, err := io.Copy(io.Discard, m.Body)
		return sender, err
	}
	client := verify.Client{MailFrom: e.from}
	if !s.conn.relay {
		client.IP, client.Helo = s.conn.ip, e.helo
	}
	v := s.r.o.Verifier.Begin(s.ctx, client)
	defer v.Close()
	v.Header(m.Header)
	if _, err := io.Copy(v, m.Body); err != nil {
		return sender, err
	}
	evaluation := v.End()
	sender.AuthorDomain, sender.DMARC = evaluation.DMARC.AuthorDomain, evaluation.DMARC.Result
	if !s.conn.relay {
		return sender, nil
	}
	if sender.DMARC == "fail" {
		sender.DMARC = "" // SPF might have passed
	}
	sender.DMARC = cmp.Or(relayed(m.Header, s.r.o.AuthservID, sender.AuthorDomain), sender.DMARC)
	return sender, nil
}
