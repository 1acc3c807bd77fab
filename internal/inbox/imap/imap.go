// Package imap takes reports from mailboxes on an IMAP server (RFC 9051, RFC 3501).
//
//	in, err := imap.New(imap.Options{Address: "mx.example.com", User: "reports@example.com", PasswordFile: "/etc/gatepost/imap"})
//	err = in.Run(ctx, importer)
//
// A message is looked at without being marked as read, and moved, flagged or deleted after what it holds is committed to the store.
// One with nothing in it that can be read is moved to a mailbox of its own and gets the keyword $GatepostBad there; the reason is in
// the store and in the log. Each mailbox has a connection of its own, on which the server tells of new mail (IDLE, RFC 2177) if it can.
//
// A server that stalls, floods or sends what is not IMAP costs a bounded amount of memory and time, and then its connection.
package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// How a connection is encrypted.
const (
	TLS      = "tls"      // from its first byte; port 993
	StartTLS = "starttls" // before anything secret is said; port 143
	Plain    = "none"     // not; only with a server on this very machine
)

// What becomes of a message after what it holds is committed.
const (
	Move   = "move"   // to another mailbox
	Flag   = "flag"   // it gets a keyword
	Seen   = "seen"   // it is marked as read
	Delete = "delete" // it is deleted
)

// badKeyword marks what could not be read.
const badKeyword imap.Flag = "$GatepostBad"

// Options say which mailboxes. Address, User and one of PasswordFile and OAuth are needed.
type Options struct {
	Address    string // a host, or host:port
	TLS        string // tls, starttls or none; tls if empty
	CAFile     string // whom to trust instead of the system's authorities
	ServerName string // in the server's certificate, if it is another than in Address

	User         string
	PasswordFile string
	OAuth        *api.OAuth // instead of a password (XOAUTH2, or OAUTHBEARER of RFC 7628)

	Mailboxes []string      // INBOX if empty
	After     string        // move, flag, seen or delete; move if empty
	Done      string        // the mailbox to move to; Gatepost-Done if empty
	Bad       string        // the mailbox for what cannot be read; Gatepost-Bad if empty
	Keyword   string        // for flag; $GatepostDone if empty
	MaxSize   int64         // of a message; 50 MiB if zero
	Poll      time.Duration // how often to ask a server that does not tell; 1 min if zero

	Spool *spool.Room // its zero value if nil
	Log   *slog.Logger

	// For tests.
	idle      time.Duration // how long one IDLE lasts: 9 min, as some routers forget a connection after 10
	keepalive time.Duration // between two commands while the importer is busy: 2 min
	stall     time.Duration // how long an answer may take to go on: 1 min
	grace     time.Duration // to move what is committed after the end was asked for: 5 s
	backoff   inbox.Backoff
	alive     func() // a keepalive was sent
}

const (
	mostMailboxes = 20
	mostOfSpool   = 64 // messages that are fetched at once
	bytesAtOnce   = 4 << 20
	putAwayAtOnce = 500
)

// New makes an input of options, or says what is wrong with them, naming the field.
func New(o Options) (*Input, error) {
	if o.Address == "" {
		return nil, option.Errorf("Address", "is missing")
	}
	o.TLS = cmp.Or(o.TLS, TLS)
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		port := "143"
		host = strings.Trim(o.Address, "[]")
		if o.TLS == TLS {
			port = "993"
		}
		if strings.Contains(host, ":") && net.ParseIP(host) == nil || strings.ContainsAny(host, " /@") {
			return nil, option.Errorf("Address", "%q is not a host, nor host:port", o.Address)
		}
		o.Address = net.JoinHostPort(host, port)
	}
	if host == "" {
		return nil, option.Errorf("Address", "%q has no host", o.Address)
	}
	switch {
	case !slices.Contains([]string{TLS, StartTLS, Plain}, o.TLS):
		return nil, option.Errorf("TLS", "%q is not known; there are tls, starttls and none", o.TLS)
	case o.TLS == Plain && !api.Loopback(host):
		return nil, option.Errorf("TLS", "none is only for a server on this machine, since a password for %s could be read on the way", host)
	case o.User == "":
		return nil, option.Errorf("User", "is missing")
	case strings.ContainsAny(o.User, "\x00\x01\r\n"):
		return nil, option.Errorf("User", "has a control character in it")
	case o.PasswordFile == "" && o.OAuth == nil:
		return nil, option.Errorf("PasswordFile", "is missing, and so is OAuth")
	case o.PasswordFile != "" && o.OAuth != nil:
		return nil, option.Errorf("PasswordFile", "is given, and so is OAuth; one of them is enough")
	}
	o.After = cmp.Or(o.After, Move)
	o.Done = cmp.Or(o.Done, "Gatepost-Done")
	o.Bad = cmp.Or(o.Bad, "Gatepost-Bad")
	o.Keyword = cmp.Or(o.Keyword, "$GatepostDone")
	if len(o.Mailboxes) == 0 {
		o.Mailboxes = []string{"INBOX"}
	}
	if err := checkMailboxes(o); err != nil {
		return nil, err
	}
	switch {
	case o.MaxSize < 0:
		return nil, option.Errorf("MaxSize", "is negative")
	case o.Poll < 0:
		return nil, option.Errorf("Poll", "is negative")
	}
	o.MaxSize = cmp.Or(o.MaxSize, inbox.DefaultMaxSize)
	o.Poll = cmp.Or(o.Poll, time.Minute)
	o.idle = cmp.Or(o.idle, 9*time.Minute)
	o.keepalive = cmp.Or(o.keepalive, 2*time.Minute)
	o.stall = cmp.Or(o.stall, time.Minute)
	o.grace = cmp.Or(o.grace, 5*time.Second)
	if o.Spool == nil {
		o.Spool = new(spool.Room)
	}
	in := &Input{o: o, host: host, name: "imap:" + o.User + "@" + host}
	if strings.Contains(o.User, "@") {
		in.name = "imap:" + o.User
	}
	if o.OAuth != nil {
		if in.tokens, err = api.NewSource(*o.OAuth, scopes(o.OAuth)...); err != nil {
			return nil, option.Within("OAuth", err)
		}
	}
	if in.tls, err = api.TLS(o.CAFile); err != nil {
		return nil, err
	}
	in.tls.ServerName = cmp.Or(o.ServerName, host)
	for _, name := range o.Mailboxes {
		label := in.name
		if len(o.Mailboxes) > 1 {
			label += ", " + name
		}
		in.mailboxes = append(in.mailboxes, &mailbox{in: in, name: name, status: inbox.NewStatus(label, o.Log)})
	}
	return in, nil
}

func checkMailboxes(o Options) error {
	if len(o.Mailboxes) > mostMailboxes {
		return option.Errorf("Mailboxes", "%d are more than %d, and each takes a connection", len(o.Mailboxes), mostMailboxes)
	}
	for i, name := range o.Mailboxes {
		switch {
		case name == "":
			return option.Errorf("Mailboxes", "one is empty")
		case slices.ContainsFunc(o.Mailboxes[:i], func(other string) bool { return same(other, name) }):
			return option.Errorf("Mailboxes", "%s is there twice", name)
		case same(name, o.Bad):
			return option.Errorf("Bad", "%s is one of Mailboxes", o.Bad)
		case o.After == Move && same(name, o.Done):
			return option.Errorf("Done", "%s is one of Mailboxes", o.Done)
		}
	}
	for _, name := range slices.Concat(o.Mailboxes, []string{o.Done, o.Bad}) {
		if strings.ContainsAny(name, "\x00\r\n") {
			return option.Errorf("Mailboxes", "%q has a control character in it", name)
		}
	}
	if !slices.Contains([]string{Move, Flag, Seen, Delete}, o.After) {
		return option.Errorf("After", "%q is not known; there are move, flag, seen and delete", o.After)
	}
	for _, r := range o.Keyword {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) {
			return option.Errorf("Keyword", "%q is not an atom of IMAP", o.Keyword)
		}
	}
	return nil
}

// same tells whether two names are those of one mailbox; INBOX is it in any case (RFC 9051 5.1).
func same(a, b string) bool {
	return a == b || strings.EqualFold(a, "INBOX") && strings.EqualFold(b, "INBOX")
}

// scopes are what a provider wants to be asked for so that its token is good for IMAP.
func scopes(o *api.OAuth) []string {
	switch {
	case o.Provider == api.Google:
		return []string{"https://mail.google.com/"}
	case o.Provider == api.Microsoft && o.RefreshTokenFile == "":
		return []string{"https://outlook.office365.com/.default"}
	case o.Provider == api.Microsoft:
		return []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"}
	}
	return nil
}

// An Input is one account on one server.
type Input struct {
	o         Options
	host      string
	name      string
	tls       *tlsConfig
	tokens    *api.Source
	mailboxes []*mailbox
}

// Name is the account's.
func (in *Input) Name() string { return in.name }

// State is that of all mailboxes together.
func (in *Input) State() inbox.State {
	all := make([]inbox.State, len(in.mailboxes))
	for i, m := range in.mailboxes {
		all[i] = m.status.State()
	}
	return inbox.Sum(all...)
}

// Run takes in what is in the mailboxes and what comes, until ctx ends.
func (in *Input) Run(ctx context.Context, im inbox.Importer) error {
	var running sync.WaitGroup
	for _, m := range in.mailboxes {
		running.Go(func() {
			m.status.Repeat(ctx, in.o.backoff, func(ctx context.Context) error { return m.attend(ctx, im) })
		})
	}
	running.Wait()
	return nil
}

// Once takes in what is in the mailboxes now.
func (in *Input) Once(ctx context.Context, im inbox.Importer) error {
	var all []error
	for _, m := range in.mailboxes {
		err := m.once(ctx, im)
		m.status.Down()
		if err != nil {
			m.status.Failed(err)
			all = append(all, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	return errors.Join(all...)
}

// A mailbox is one of those that are looked at, with what is remembered of it from connection to connection.
type mailbox struct {
	in     *Input
	name   string
	status *inbox.Status
	memory memory

	dateless bool // the library could not read a date
}

// attend has one connection, for as long as it lasts.
func (m *mailbox) attend(ctx context.Context, im inbox.Importer) error {
	s, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	idle := inbox.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second}
	for {
		found, err := s.round(ctx, im)
		if err != nil {
			return err
		}
		switch {
		case m.memory.blocked():
		case m.memory.troubled():
			m.status.Through()
		default:
			m.status.Succeeded()
		}
		if found > 0 {
			idle.Reset()
			continue
		}
		woken := time.Now()
		if err := s.wait(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		if time.Since(woken) < time.Second { // a server that always calls is not to keep us busy
			inbox.Sleep(ctx, idle.Next())
		} else {
			idle.Reset()
		}
	}
}

func (m *mailbox) once(ctx context.Context, im inbox.Importer) error {
	s, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for {
		found, err := s.round(ctx, im)
		if err != nil {
			return err
		}
		if found == 0 {
			break
		}
	}
	if n := m.memory.waiting(); n > 0 {
		return fmt.Errorf("%d messages are in the store but could not be put away: %s", n, m.status.State().LastError)
	}
	if n := len(m.memory.later); n > 0 {
		return fmt.Errorf("%d messages could not be fetched or stored and are still there: %s", n, m.status.State().LastError)
	}
	m.status.Succeeded()
	return nil
}
