// Package receiver is our own door for reports that come as mail: SMTP (RFC 5321), so that rua= may point straight at Gatepost, and LMTP
// (RFC 2033), so that a mail server may hand them over.
//
//	r, err := receiver.New(receiver.Options{Hostname: "reports.example.net", Recipients: book, Importer: importer, Verifier: verifier})
//	go r.Serve(ln, receiver.SMTP)
//	…
//	r.Shutdown(ctx)
//
// It takes mail for the addresses that its Recipients know and for nobody else, passes nothing on, answers no mail with mail, and knows
// no passwords. A message is answered with 250 when what was read from it is committed to the store, or when it is set aside there whole
// since no report is in it; and with 451 where that cannot be done now, so that the sender keeps it and comes again.
//
// # Whom a message is from
//
// A message that comes from a stranger is verified by our own core: SPF with the client's address, DKIM, DMARC. One that fails is taken,
// and marked: what a report is worth is for its reader to say.
//
// A message that comes by LMTP, or from a trusted relay, was sent by somebody whose address we cannot see. If the relay verifies mail
// itself, what its Authentication-Results field (RFC 8601) says of DMARC is believed where the field bears the name that AuthservID
// says, and names the Author Domain that we see: the relay must take away fields of this name from what comes to it, as Gatepost does.
// Otherwise DKIM alone is verified: a pass is a pass, and that nothing passes is not held against a message that SPF might have let
// pass; its result is empty then.
package receiver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/certfile"
	"github.com/gatepost-mail/gatepost/internal/inbox/batch"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// Recipients knows whose addresses are ours. The error is address.ErrElsewhere or address.ErrUnknown; the domain is empty where the
// address does not say whose reports come to it.
type Recipients interface {
	Recipient(address string) (domain string, err error)
}

// Options are set once. The zero value of each member means its default, but for the first three.
type Options struct {
	Hostname   string // who we are, in the greeting
	Recipients Recipients
	Importer   batch.Importer
	Verifier   *verify.Verifier // nil: nothing is verified

	CertFile, KeyFile string // for STARTTLS, in PEM; read again when they change; none offered if empty

	TrustedRelays []netip.Prefix // mail servers of our own that pass reports on
	AuthservID    string         // the name in the Authentication-Results that relays write; their word is not asked for if empty

	MaxBytes       int64         // of a message; 64 MiB
	MaxRecipients  int           // of a message; 100 (RFC 5321 4.5.3.1.8)
	MaxUnknown     int           // recipients refused before the connection ends; 10
	MaxConnections int           // at once; 200
	MaxPerIP       int           // of these from one IPv4 address or IPv6 /64, trusted relays apart; 20
	Timeout        time.Duration // for a command, and for silence within a message; 5 min (RFC 5321 4.5.3.2)
	Patience       time.Duration // how long a connection may go on without a message being stored; 15 min
	MinRate        int64         // bytes a second that a message must come with, after the first Timeout; 1 KiB

	SpoolDir    string // of temporary files; the system's if empty
	MemoryBytes int64  // of a message that are kept in memory; 256 KiB

	Batch batch.Options
	Log   *slog.Logger // none if nil
}

var (
	errNone     = errors.New("there is none")
	errNegative = errors.New("less than nothing")
)

func (o *Options) check() error {
	host, err := dns.ToASCII(o.Hostname)
	if err != nil {
		return option.Errorf("hostname", "%q is no domain", o.Hostname)
	}
	o.Hostname = host
	switch {
	case o.Recipients == nil:
		return option.Within("recipients", errNone)
	case o.Importer == nil:
		return option.Within("importer", errNone)
	case (o.CertFile == "") != (o.KeyFile == ""):
		return option.Errorf("cert_file", "certificate and key are given together or not at all")
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"max_bytes", o.MaxBytes}, {"max_recipients", int64(o.MaxRecipients)}, {"max_unknown", int64(o.MaxUnknown)},
		{"max_connections", int64(o.MaxConnections)}, {"max_per_ip", int64(o.MaxPerIP)}, {"timeout", int64(o.Timeout)},
		{"patience", int64(o.Patience)}, {"min_rate", o.MinRate}, {"memory_bytes", o.MemoryBytes},
	} {
		if n.value < 0 {
			return option.Within(n.field, errNegative)
		}
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<20)
	o.MaxRecipients = cmp.Or(o.MaxRecipients, 100)
	o.MaxUnknown = cmp.Or(o.MaxUnknown, 10)
	o.MaxConnections = cmp.Or(o.MaxConnections, 200)
	o.MaxPerIP = cmp.Or(o.MaxPerIP, 20)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Minute)
	o.Patience = cmp.Or(o.Patience, 15*time.Minute)
	o.MinRate = cmp.Or(o.MinRate, 1<<10)
	o.MemoryBytes = cmp.Or(o.MemoryBytes, 256<<10)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Protocol is what a listener speaks.
type Protocol string

// The protocols.
const (
	SMTP Protocol = "smtp"
	LMTP Protocol = "lmtp"
)

// Counts are what happened since the start.
type Counts struct {
	Connections uint64 // taken
	TurnedAway  uint64 // connections, since there were too many
	Unknown     uint64 // recipients refused
	Stored      uint64 // messages, those set aside among them
	SetAside    uint64 // of these: no report was in them
	Deferred    uint64 // messages that could not be stored, and will come again
	Refused     uint64 // messages: too large, in a loop
}

// A Receiver takes mail. It is safe for concurrent use.
type Receiver struct {
	o       Options
	room    *spool.Room
	batch   *batch.Batcher
	servers map[Protocol]*smtp.Server
	ctx     context.Context // of verification; ends with the Receiver
	cancel  context.CancelFunc

	recipients atomic.Pointer[Recipients]

	connections, turnedAway, unknown, stored, setAside, deferred, refused atomic.Uint64

	mu        sync.Mutex
	draining  bool
	listeners []net.Listener
	conns     map[*conn]bool
	perIP     map[netip.Prefix]int
	empty     chan struct{} // closed when the last connection has ended while draining
}

// maxLine bounds what a line may have, a command's and a message's: a report may be one line of XML.
const maxLine = 256 << 10

// New prepares a Receiver. The error is an [*option.Error], or that of reading the certificate.
func New(o Options) (*Receiver, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Receiver{o: o, servers: map[Protocol]*smtp.Server{}, conns: map[*conn]bool{}, perIP: map[netip.Prefix]int{}, empty: make(chan struct{})}
	r.room = &spool.Room{Dir: o.SpoolDir, Most: spool.Unbounded, Each: o.MemoryBytes} // connections are bounded
	var config *tls.Config
	if o.CertFile != "" {
		var err error
		if config, err = certfile.TLS(o.CertFile, o.KeyFile, "the receiver", o.Log); err != nil {
			return nil, err
		}
	}
	for _, p := range []Protocol{SMTP, LMTP} {
		s := smtp.NewServer(&backend{r, p})
		s.LMTP = p == LMTP
		s.Domain = o.Hostname
		s.MaxMessageBytes, s.MaxRecipients, s.MaxLineLength = o.MaxBytes, o.MaxRecipients, maxLine
		s.ReadTimeout, s.WriteTimeout = o.Timeout, min(o.Timeout, time.Minute)
		s.EnableSMTPUTF8 = true
		s.TLSConfig = config
		s.ErrorLog = libraryLog{o.Log}
		r.servers[p] = s
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.SetRecipients(o.Recipients)
	r.batch = batch.New(o.Importer, o.Batch)
	return r, nil
}

// SetRecipients changes whose addresses are ours, as where domains were added.
func (r *Receiver) SetRecipients(rs Recipients) { r.recipients.Store(&rs) }

// Serve answers on a listener until [Receiver.Shutdown]. It returns early only where the listener fails for good.
func (r *Receiver) Serve(ln net.Listener, p Protocol) error {
	server, ok := r.servers[p]
	if !ok {
		return fmt.Errorf("receiver: there is no protocol %q", p)
	}
	r.mu.Lock()
	r.listeners = append(r.listeners, ln)
	draining := r.draining
	r.mu.Unlock()
	if draining {
		return ln.Close()
	}
	err := server.Serve(&listener{ln, r, p})
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Shutdown takes no more connections, lets the messages that are under way come to their end, and cuts off what is left when ctx is
// done. It is called once.
func (r *Receiver) Shutdown(ctx context.Context) {
	r.mu.Lock()
	r.draining = true
	for _, ln := range r.listeners {
		ln.Close()
	}
	open := make([]*conn, 0, len(r.conns))
	for c := range r.conns {
		open = append(open, c)
	}
	if len(open) == 0 {
		close(r.empty)
	}
	r.mu.Unlock()
	for _, c := range open {
		c.drain()
	}
	select {
	case <-r.empty:
	case <-ctx.Done():
		r.o.Log.Warn("messages were cut off; their senders keep them", "reason", "they did not end in time")
	}
	r.cancel()
	for _, s := range r.servers {
		s.Close()
	}
	r.batch.Close()
}

// Counts tells what happened since the start.
func (r *Receiver) Counts() Counts {
	return Counts{
		Connections: r.connections.Load(), TurnedAway: r.turnedAway.Load(), Unknown: r.unknown.Load(), Stored: r.stored.Load(),
		SetAside: r.setAside.Load(), Deferred: r.deferred.Load(), Refused: r.refused.Load(),
	}
}

// trusts tells whether a client passes on what others sent. The zero address is that of a socket in the file system.
func (r *Receiver) trusts(ip netip.Addr) bool {
	if !ip.IsValid() {
		return true
	}
	for _, n := range r.o.TrustedRelays {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// libraryLog writes what go-smtp has to say. That a connection ended without a word is everyday; a panic is not.
type libraryLog struct{ log *slog.Logger }

// Printf implements smtp.Logger.
func (l libraryLog) Printf(format string, args ...any) {
	level := slog.LevelDebug
	if len(format) > 5 && format[:5] == "panic" {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "receiver: "+fmt.Sprintf(format, args...))
}

// Println implements smtp.Logger.
func (l libraryLog) Println(args ...any) { l.log.Debug("receiver: " + fmt.Sprint(args...)) }
