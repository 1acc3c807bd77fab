package receiver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A store stands in for the importer: it keeps bytes, each once.
type store struct {
	mu    sync.Mutex
	items []intake.Item
	texts []string
	away  error
	wait  chan struct{} // if not nil, what comes waits for it
}

func (s *store) Import(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	for item := range items {
		s.mu.Lock()
		away, wait := s.away, s.wait
		s.mu.Unlock()
		if wait != nil {
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if away != nil {
			return away
		}
		if err := done(item, s.add(item)); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) add(item intake.Item) intake.Outcome {
	r, err := item.Open()
	if err != nil {
		return intake.Outcome{Failed: err}
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return intake.Outcome{Failed: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.texts {
		if t == string(text) {
			return intake.Outcome{Known: 1}
		}
	}
	s.items, s.texts = append(s.items, item), append(s.texts, string(text))
	if strings.Contains(string(text), "no report") {
		return intake.Outcome{Refused: []string{"no report in it"}}
	}
	return intake.Outcome{New: 1}
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

func (s *store) set(away error, wait chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away, s.wait = away, wait
}

// A bench is a Receiver with what stands around it.
type bench struct {
	*Receiver
	store   *store
	book    *address.Book
	dns     *dnstest.Server
	address map[Protocol]string
	spool   string
}

const host = "reports.example.net"

func setUp(t *testing.T, zone string, o Options) *bench {
	t.Helper()
	b := &bench{store: &store{}, dns: dnstest.Start(t, zone), address: map[Protocol]string{}, spool: t.TempDir()}
	var err error
	b.book, err = address.New(address.Options{Host: host, Secrets: []address.Secret{{1}}, Domains: []string{"example.com", "example.org"}, Plain: []string{"dmarc"}})
	if err != nil {
		t.Fatal(err)
	}
	o.Hostname, o.Recipients, o.Importer, o.SpoolDir = host, b.book, b.store, b.spool
	o.Verifier = verify.New(verify.Options{Resolver: dns.NewClient(dns.ClientOptions{Servers: []string{b.dns.Addr}})})
	if b.Receiver, err = New(o); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Protocol{SMTP, LMTP} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b.address[p] = ln.Addr().String()
		go b.Serve(ln, p)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		b.Receiver.mu.Lock()
		done := b.Receiver.draining
		b.Receiver.mu.Unlock()
		if !done {
			b.Shutdown(ctx)
		}
		if left, _ := filepath.Glob(filepath.Join(b.spool, "*")); len(left) > 0 {
			t.Errorf("temporary files are left: %v", left)
		}
	})
	return b
}

func (b *bench) to(domain string) string {
	a, err := b.book.For(domain)
	if err != nil {
		panic(err)
	}
	return a
}

// A client speaks line by line.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (b *bench) dial(t *testing.T, p Protocol) *client {
	t.Helper()
	nc, err := net.Dial("tcp", b.address[p])
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, nc)
}

func newClient(t *testing.T, nc net.Conn) *client {
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	return &client{t, nc, bufio.NewReader(nc)}
}

// greeted is a client that said EHLO.
func (b *bench) greeted(t *testing.T) *client {
	t.Helper()
	c := b.dial(t, SMTP)
	c.want("220 ")
	c.say("EHLO mx.example.com\r\n", "250 ")
	return c
}

// reply is the last line of the next reply; empty where the connection ended.
func (c *client) reply() string {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return ""
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

func (c *client) want(prefix string) string {
	c.t.Helper()
	got := c.reply()
	if !strings.HasPrefix(got, prefix) || prefix == "" && got != "" {
		c.t.Fatalf("got %q, want %q", got, prefix)
	}
	return got
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Logf("writing: %v", err)
	}
}

// say writes and wants one reply of each prefix.
func (c *client) say(text string, prefixes ...string) {
	c.t.Helper()
	c.write(text)
	for _, p := range prefixes {
		c.want(p)
	}
}

// envelope goes as far as DATA.
func (c *client) envelope(to ...string) {
	c.t.Helper()
	c.say("MAIL FROM:<a@example.com>\r\n", "250 ")
	for _, a := range to {
		c.say("RCPT TO:<"+a+">\r\n", "250 ")
	}
	c.say("DATA\r\n", "354 ")
}

func report(mark string) string {
	return "From: a@example.com\r\nTo: b@reports.example.net\r\nSubject: " + mark + "\r\n\r\nreport " + mark + "\r\n"
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within 20 seconds", what)
}

func TestMailIsStoredByteForByteBeforeItIsAnswered(t *testing.T) {
	b := setUp(t, "", Options{MemoryBytes: 1000})
	c := b.greeted(t)
	for i, text := range []string{report("one"), report("two") + "\r\n.dot\r\n..\r\n", report("large") + strings.Repeat("0123456789abcdef\r\n", 500),
		"no header at all\r\nno report\r\n", report("bare") + "a\nb\n\r\n", "\r\n", "From: a@example.com\r\n"} {
		c.envelope(b.to("example.com"))
		c.write(strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:] + ".\r\n")
		c.want("250 2.0.0")
		if b.store.count() != i+1 || b.store.texts[i] != text {
			t.Fatalf("stored %q\nwant %q", b.store.texts[len(b.store.texts)-1], text)
		}
	}
	s := b.store.items[0].Sender
	if s.MailFrom != "a@example.com" || s.IP != "127.0.0.1" || s.TokenDomain != "example.com" || s.AuthorDomain != "example.com" || s.DMARC != "none" {
		t.Errorf("the sender is %+v", s)
	}
	if b.store.items[0].Input != "smtp" || !strings.Contains(b.store.items[0].Name, "example.com") {
		t.Errorf("the item is %+v", b.store.items[0])
	}
	if got := b.Counts(); got.Stored != 7 || got.SetAside != 1 || got.Deferred != 0 {
		t.Errorf("counts %+v", got)
	}
}

func TestOnlyOurAddressesAreTaken(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	c.say("MAIL FROM:<>\r\n", "250 ")
	c.say("RCPT TO:<"+strings.ToUpper(b.to("example.com"))+">\r\n", "250 ")
	c.say("RCPT TO:<dmarc@reports.example.net>\r\n", "250 ")
	c.say("RCPT TO:<"+b.to("unknown.example")+">\r\n", "550 5.1.1")
	c.say("RCPT TO:<postmaster@reports.example.net>\r\n", "550 5.1.1")
	c.say("RCPT TO:<postmaster>\r\n", "501 ")
	c.say("RCPT TO:<someone@example.com>\r\n", "550 5.7.1")
	c.say("RCPT TO:<@reports.example.net:someone@example.com>\r\n", "550 5.7.1")
	c.say("RCPT TO:<someone%example.com@reports.example.net>\r\n", "550 5.1.1")
	c.say("VRFY "+b.to("example.com")+"\r\n", "252 ")
	c.say("EXPN x\r\n", "502 ")
	c.say("AUTH PLAIN AGEAYg==\r\n", "523 ")
}

func TestDomainsMayBeAddedWhileItRuns(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	c.say("MAIL FROM:<>\r\nRCPT TO:<"+b.to("added.example")+">\r\n", "250 ", "550 5.1.1")
	more, err := address.New(address.Options{Host: host, Secrets: []address.Secret{{1}}, Domains: []string{"added.example"}})
	if err != nil {
		t.Fatal(err)
	}
	b.SetRecipients(more)
	c.say("RCPT TO:<"+b.to("added.example")+">\r\n", "250 ")
}

func TestProbingForAddressesEnds(t *testing.T) {
	b := setUp(t, "", Options{MaxUnknown: 3})
	c := b.greeted(t)
	c.say("MAIL FROM:<a@example.com>\r\n", "250 ")
	for range 3 {
		c.say("RCPT TO:<rua+aaaaaaaaaaaaaaaaaaaaaaaa@reports.example.net>\r\n", "550 5.1.1")
	}
	c.say("RCPT TO:<rua+aaaaaaaaaaaaaaaaaaaaaaaa@reports.example.net>\r\n", "421 4.7.0", "")
	if n := b.Counts().Unknown; n != 4 {
		t.Errorf("%d counted", n)
	}
}

func TestSeveralRecipientsAreOneItem(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	c.envelope(b.to("example.org"), b.to("example.com"), b.to("example.org"), "dmarc@reports.example.net")
	c.say(report("both")+".\r\n", "250 ")
	if b.store.count() != 1 || b.store.items[0].Sender.TokenDomain != "example.com example.org" {
		t.Errorf("%d items, the first for %q", b.store.count(), b.store.items[0].Sender.TokenDomain)
	}
	// Nothing of it is left for the next.
	c.envelope("dmarc@reports.example.net")
	c.say(report("plain")+".\r\n", "250 ")
	if d := b.store.items[1].Sender.TokenDomain; d != "" {
		t.Errorf("the next is for %q", d)
	}
}

func TestStoreThatIsAwayMakesTheSenderComeAgain(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	b.store.set(errors.New("the database is away"), nil)
	c.envelope(b.to("example.com"))
	c.say(report("again")+".\r\n", "451 4.3.0")
	b.store.set(nil, nil)
	for range 2 { // the answer to the first may be lost
		c.envelope(b.to("example.com"))
		c.say(report("again")+".\r\n", "250 ")
	}
	if b.store.count() != 1 {
		t.Errorf("%d items", b.store.count())
	}
	if got := b.Counts(); got.Deferred != 1 || got.Stored != 2 {
		t.Errorf("counts %+v", got)
	}
}

func TestNothingIsStoredOfAMailThatDoesNotEnd(t *testing.T) {
	b := setUp(t, "", Options{})
	half := report("half") + strings.Repeat("x", 100)
	for name, tail := range map[string]string{"in the middle": half, "before the dot": half + "\r\n", "at the dot": half + "\r\n.", "within the end": half + "\r\n.\r"} {
		c := b.greeted(t)
		c.envelope(b.to("example.com"))
		c.write(tail)
		c.Close()
		_ = name
	}
	for _, last := range []string{"", " LAST"} {
		c := b.greeted(t)
		c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
		c.write(fmt.Sprintf("BDAT %d%s\r\n%s", len(half)+10, last, half))
		c.Close()
	}
	c := b.greeted(t)
	c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
	c.say(fmt.Sprintf("BDAT %d\r\n%s", len(half), half), "250 ")
	c.say("RSET\r\n", "250 ")
	c.say("BDAT 0 LAST\r\n", "502 ")
	waitFor(t, "the connections to end", func() bool {
		b.Receiver.mu.Lock()
		defer b.Receiver.mu.Unlock()
		return len(b.Receiver.conns) == 1
	})
	if b.store.count() != 0 {
		t.Errorf("%d stored: %q", b.store.count(), b.store.texts)
	}
}

func TestChunksAreTaken(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	text := report("chunks") + "a line of a dot\r\n.\r\nno end\r\n"
	c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
	c.say(fmt.Sprintf("BDAT 20\r\n%sBDAT %d LAST\r\n%s", text[:20], len(text)-20, text[20:]), "250 ", "250 ")
	if b.store.count() != 1 || b.store.texts[0] != text {
		t.Errorf("stored %q", b.store.texts)
	}
}

// Two servers that disagree on where a message ends let a sender smuggle one into another (CVE-2023-51764).
func TestOnlyADotBetweenCRLFsEndsAMessage(t *testing.T) {
	b := setUp(t, "", Options{})
	for i, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\n.\r", "\r.\r\n", "\r\n\x00.\r\n", "\r\n.\r\r\n"} {
		c := b.greeted(t)
		c.envelope(b.to("example.com"))
		c.write(report(fmt.Sprint(i)) + end + "MAIL FROM:<evil@example.com>\r\nRCPT TO:<" + b.to("example.com") + ">\r\nDATA\r\nSubject: smuggled\r\n.\r\n")
		c.want("250 ")
		c.say("NOOP\r\n", "250 ")
		if n := b.store.count(); n != i+1 {
			t.Fatalf("%q: %d messages", end, n)
		}
		if text := b.store.texts[i]; !strings.HasSuffix(text, "smuggled\r\n") {
			t.Errorf("%q: stored %q", end, text)
		}
	}
}

func TestCommandsMayComeAllAtOnce(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.dial(t, SMTP)
	one := "MAIL FROM:<a@example.com>\r\nRCPT TO:<" + b.to("example.com") + ">\r\nDATA\r\n"
	c.write("EHLO x\r\n" + one + report("1") + ".\r\n" + one + report("2") + ".\r\nRSET\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\nQUIT\r\n")
	for _, p := range []string{"220 ", "250 ", "250 ", "250 ", "354 ", "250 ", "250 ", "250 ", "354 ", "250 ", "250 ", "250 ", "503 ", "502 ", "221 ", ""} {
		c.want(p)
	}
	if b.store.count() != 2 {
		t.Errorf("%d messages", b.store.count())
	}
}

func TestMailLoopIsRefused(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	hops := func(n int) string {
		return strings.Repeat("Received: from a by b; Wed, 25 Nov 2026 10:00:00 +0000\r\n", n)
	}
	c.envelope(b.to("example.com"))
	c.say(hops(100)+report("far")+".\r\n", "250 ")
	c.envelope(b.to("example.com"))
	c.say(hops(101)+report("loop")+".\r\n", "554 5.4.6")
	c.envelope(b.to("example.com"))
	c.say(hops(3000)+report("large")+".\r\n", "554 5.6.0")
	if b.store.count() != 1 || b.Counts().Refused != 2 {
		t.Errorf("%d messages, %+v", b.store.count(), b.Counts())
	}
}

func TestSpoolThatCannotBeWrittenMakesTheSenderComeAgain(t *testing.T) {
	b := setUp(t, "", Options{MemoryBytes: 10})
	if err := os.Remove(b.spool); err != nil {
		t.Fatal(err)
	}
	c := b.greeted(t)
	c.envelope(b.to("example.com"))
	c.say(report("full")+".\r\n", "452 4.3.1")
	os.Mkdir(b.spool, 0o700)
	c.envelope(b.to("example.com"))
	c.say(report("full")+".\r\n", "250 ")
}

func TestOptionErrorNamesTheField(t *testing.T) {
	book, _ := address.New(address.Options{Host: host, Secrets: []address.Secret{{1}}})
	good := func() Options { return Options{Hostname: host, Recipients: book, Importer: &store{}} }
	for field, spoil := range map[string]func(*Options){
		"hostname": func(o *Options) { o.Hostname = "" }, "recipients": func(o *Options) { o.Recipients = nil },
		"importer": func(o *Options) { o.Importer = nil }, "cert_file": func(o *Options) { o.CertFile = "x" },
		"max_bytes": func(o *Options) { o.MaxBytes = -1 }, "timeout": func(o *Options) { o.Timeout = -1 },
	} {
		o := good()
		spoil(&o)
		_, err := New(o)
		var wrong *option.Error
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	o := good()
	o.CertFile, o.KeyFile = "away.pem", "away.key"
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "away.pem") {
		t.Errorf("got %v", err)
	}
}

func TestNetworkOfAClient(t *testing.T) {
	for ip, want := range map[string]string{"192.0.2.1": "192.0.2.1/32", "2001:db8:1:2:3::4": "2001:db8:1:2::/64"} {
		if got := networkOf(netip.MustParseAddr(ip)).String(); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}
