package receiver

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/certfile/certtest"
)

// secure says STARTTLS and EHLO, and gives the certificate's serial number.
func (c *client) secure() int64 {
	c.t.Helper()
	c.say("STARTTLS\r\n", "220 ")
	tc := tls.Client(c.Conn, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.Conn, c.r = tc, bufio.NewReader(tc)
	c.say("EHLO mx.example.com\r\n", "250 ")
	return tc.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestMailComesOverTLSAndARenewedCertificateIsUsed(t *testing.T) {
	dir := t.TempDir()
	cert, key := certtest.Write(t, dir, 1, host)
	b := setUp(t, "", Options{CertFile: cert, KeyFile: key, MaxPerIP: 200})
	c := b.dial(t, SMTP)
	c.want("220 ")
	c.write("EHLO x\r\n")
	offered := false
	for {
		line, err := c.r.ReadString('\n')
		offered = offered || strings.Contains(line, "STARTTLS")
		if err != nil || line[3] == ' ' {
			break
		}
	}
	if !offered {
		t.Error("STARTTLS is not offered")
	}
	if serial := c.secure(); serial != 1 {
		t.Errorf("serial %d", serial)
	}
	c.envelope(b.to("example.com"))
	c.say(report("secret")+".\r\n", "250 ")
	if s := b.store.items[0].Sender; s.IP != "127.0.0.1" || s.TokenDomain != "example.com" {
		t.Errorf("the sender is %+v", s)
	}
	certtest.Write(t, dir, 2, host)
	waitFor(t, "the new certificate", func() bool {
		time.Sleep(100 * time.Millisecond)
		return b.greeted(t).secure() == 2
	})
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // what was looked at counts as fresh for a second
	if serial := b.greeted(t).secure(); serial != 2 {
		t.Errorf("with a broken file: serial %d", serial)
	}
}

// What was said before the handshake, by whoever sits on the line, must not count after it (CVE-2011-0411).
func TestNothingSaidBeforeTLSCountsAfterIt(t *testing.T) {
	cert, key := certtest.Write(t, t.TempDir(), 1, host)
	b := setUp(t, "", Options{CertFile: cert, KeyFile: key})
	c := b.greeted(t)
	c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
	c.say("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n", "220 ")
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.Conn, c.r = tc, bufio.NewReader(tc)
	c.say("RCPT TO:<"+b.to("example.com")+">\r\n", "502 ")
	c.say("EHLO x\r\n", "250 ")
	c.say("DATA\r\n", "502 ")
}

func TestMessageThatIsTooLargeIsRefused(t *testing.T) {
	b := setUp(t, "", Options{MaxBytes: 10_000})
	c := b.greeted(t)
	c.say("MAIL FROM:<a@example.com> SIZE=10001\r\n", "552 5.3.4")
	c.say("MAIL FROM:<a@example.com> SIZE=9000\r\nRSET\r\n", "250 ", "250 ")
	c.envelope(b.to("example.com"))
	c.say(report("large")+strings.Repeat("0123456789abcdef\r\n", 1000)+".\r\n", "552 5.3.4")
	c.envelope(b.to("example.com"))
	c.say(report("good")+".\r\n", "250 ")
	c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
	c.say("BDAT 20000 LAST\r\n"+strings.Repeat("x", 20000), "552 5.3.4")
	if b.store.count() != 1 {
		t.Errorf("%d messages", b.store.count())
	}
}

// A client that never stops is not listened to for ever.
func TestClientThatSendsWithoutEndIsCutOff(t *testing.T) {
	b := setUp(t, "", Options{MaxBytes: 10_000})
	for _, opening := range []string{"DATA\r\n", "BDAT 4000000000\r\n", "NOOP "} {
		c := b.greeted(t)
		c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
		c.write(opening)
		line := strings.Repeat("0123456789abcdef", 256) + "\r\n"
		if opening == "NOOP " {
			line = strings.TrimSpace(line)
		}
		sent := 0
		for sent < 100<<20 {
			n, err := c.Write([]byte(line))
			if sent += n; err != nil {
				break
			}
		}
		if sent > 50<<20 {
			t.Errorf("%s: %d bytes were taken", opening, sent)
		}
	}
	if b.store.count() != 0 {
		t.Errorf("%d messages", b.store.count())
	}
}

func TestLineThatIsTooLongIsRefused(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	c.envelope(b.to("example.com"))
	c.say(report("a report in one line")+strings.Repeat("x", 100_000)+"\r\n.\r\n", "250 ")
	c.envelope(b.to("example.com"))
	c.write(report("too long") + strings.Repeat("x", maxLine+10))
	c.want("554 5.6.0")
	if b.store.count() != 1 {
		t.Errorf("%d messages", b.store.count())
	}
}

// Each connection may have a header in memory.
func TestHeaderThatIsTooLargeIsRefused(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.greeted(t)
	c.envelope(b.to("example.com"))
	c.say(strings.Repeat("X-Field: "+strings.Repeat("x", 900)+"\r\n", 400)+report("1")+".\r\n", "554 5.6.0 the header is too large")
	if n := b.store.count(); n != 0 {
		t.Errorf("%d are stored", n)
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	b := setUp(t, "", Options{Timeout: 300 * time.Millisecond, Patience: time.Second, MinRate: 1 << 20})
	trickle := func(c *client, text string) time.Duration {
		began := time.Now()
		for time.Since(began) < 15*time.Second {
			if _, err := c.Write([]byte(text)); err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		return time.Since(began)
	}
	for name, prepare := range map[string]struct {
		before string
		text   string
	}{
		"a command, byte for byte":  {"", "N"},
		"commands for ever":         {"", "NOOP\r\n"},
		"a message, byte for byte":  {"DATA", "x"},
		"a message, line for line":  {"DATA", "x\r\n"},
		"a chunk, byte for byte":    {"BDAT 100000 LAST", "x"},
		"the greeting, in silence":  {"", ""},
		"a message, and no more":    {"DATA", ""},
		"a chunk, and then no more": {"BDAT 1\r\nx", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := b.greeted(t)
			if prepare.before != "" {
				c.say("MAIL FROM:<a@example.com>\r\nRCPT TO:<"+b.to("example.com")+">\r\n", "250 ", "250 ")
				c.write(prepare.before + "\r\n")
			}
			if prepare.text == "" {
				for c.reply() != "" {
				}
				return
			}
			if d := trickle(c, prepare.text); d > 10*time.Second {
				t.Errorf("listened to for %v", d)
			}
		})
	}
	t.Cleanup(func() {
		if b.store.count() != 0 {
			t.Errorf("%d messages", b.store.count())
		}
	})
}

// A message that comes slowly, but as fast as is asked, is taken.
func TestPatienceCountsFromTheLastMessage(t *testing.T) {
	b := setUp(t, "", Options{Timeout: 10 * time.Second, Patience: 600 * time.Millisecond})
	c := b.greeted(t)
	for i := range 4 {
		c.envelope(b.to("example.com"))
		c.write(report(fmt.Sprint(i)))
		time.Sleep(250 * time.Millisecond)
		c.say(".\r\n", "250 ")
	}
	c.want("421 ")
}

func TestConnectionsAreBounded(t *testing.T) {
	b := setUp(t, "", Options{MaxConnections: 4, MaxPerIP: 2})
	one, two := b.greeted(t), b.greeted(t)
	b.dial(t, SMTP).want("421 4.3.2")
	var relays []*client
	for range 2 { // those of the relay count apart
		c := b.dial(t, LMTP)
		c.want("220 ")
		relays = append(relays, c)
	}
	b.dial(t, LMTP).want("421 4.3.2")
	one.say("QUIT\r\n", "221 ", "")
	two.Close()
	relays[0].Close()
	waitFor(t, "room", func() bool {
		c := b.dial(t, SMTP)
		defer c.Close()
		return strings.HasPrefix(c.reply(), "220 ")
	})
	if b.Counts().TurnedAway < 2 {
		t.Errorf("%+v", b.Counts())
	}
}

func TestTrustedRelayIsNotBoundedByItsAddress(t *testing.T) {
	b := setUp(t, "", Options{MaxPerIP: 1, TrustedRelays: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for range 5 {
		b.greeted(t)
	}
}

func TestShutdownLetsAMessageEndAndClosesTheRest(t *testing.T) {
	b := setUp(t, "", Options{})
	idle, busy := b.greeted(t), b.greeted(t)
	busy.envelope(b.to("example.com"))
	busy.write(report("last"))
	waitFor(t, "the message", func() bool {
		b.Receiver.mu.Lock()
		defer b.Receiver.mu.Unlock()
		for c := range b.Receiver.conns {
			c.mu.Lock()
			message := c.message
			c.mu.Unlock()
			if message {
				return true
			}
		}
		return false
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Shutdown(context.Background())
	}()
	if got := idle.reply(); got != "" {
		t.Errorf("an idle connection hears %q", got)
	}
	busy.say(".\r\n", "250 ", "")
	<-ended
	if b.store.count() != 1 {
		t.Errorf("%d messages", b.store.count())
	}
}

func TestShutdownEndsThoughTheStoreHangs(t *testing.T) {
	b := setUp(t, "", Options{})
	b.store.set(nil, make(chan struct{}))
	c := b.greeted(t)
	c.envelope(b.to("example.com"))
	c.write(report("hangs") + ".\r\n")
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	b.Shutdown(ctx)
	if got := c.reply(); got != "" && !strings.HasPrefix(got, "4") {
		t.Errorf("got %q", got)
	}
	if b.store.count() != 0 {
		t.Errorf("%d messages", b.store.count())
	}
}
