//go:build linux

package postfix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/certfile/certtest"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/inbox/receiver"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A desk is where reports come in: our own receiver with Postfix before it, and an importer that keeps what it gets, or is away.
type desk struct {
	*receiver.Receiver
	book *address.Book
	mta  *mta
	sign func(string) string

	mu    sync.Mutex
	away  error
	tries int
	items []intake.Item
	texts []string
}

// Import implements batch.Importer.
func (d *desk) Import(_ context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for item := range items {
		d.tries++
		if d.away != nil {
			return d.away
		}
		r, err := item.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		d.items, d.texts = append(d.items, item), append(d.texts, string(text))
		if err := done(item, intake.Outcome{New: 1}); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) set(away error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

// got is the one message with a text in it.
func (d *desk) got(t *testing.T, mark string) (intake.Item, string) {
	t.Helper()
	var item intake.Item
	var text string
	waitFor(t, "the message "+mark, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for i := range d.texts {
			if strings.Contains(d.texts[i], mark) {
				item, text = d.items[i], d.texts[i]
				return true
			}
		}
		return false
	})
	return item, text
}

const reportsHost = "reports.example.net"

// openDesk has Postfix pass on what comes for the host of the reports, by a transport that names the receiver's address as %s.
func openDesk(t *testing.T, ln net.Listener, protocol receiver.Protocol, transport, more string) *desk {
	t.Helper()
	cert, keyFile := certtest.Write(t, t.TempDir(), 1, reportsHost)
	signer, err := dkim.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	server := dnstest.Start(t, "_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\nexample.com. TXT \"v=spf1 -all\"\n"+
		dkim.ZoneRecord("s1", "example.com", dkim.Record(signer.Public())))
	d := &desk{mta: newPostfix(t)}
	d.sign = func(text string) string {
		var out strings.Builder
		if err := dkim.Sign(&out, strings.NewReader(text), dkim.Signer{Domain: "example.com", Selector: "s1", Key: signer}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if d.book, err = address.New(address.Options{Host: reportsHost, Secrets: []address.Secret{{1}}, Domains: []string{"example.com", "example.org"}}); err != nil {
		t.Fatal(err)
	}
	d.Receiver, err = receiver.New(receiver.Options{
		Hostname: reportsHost, Recipients: d.book, Importer: d, CertFile: cert, KeyFile: keyFile, AuthservID: "mx.example.org",
		Verifier: verify.New(verify.Options{Resolver: dns.NewClient(dns.ClientOptions{Servers: []string{server.Addr}})}),
	})
	if err != nil {
		t.Fatal(err)
	}
	go d.Serve(ln, protocol)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		d.Shutdown(ctx)
	})
	main := fmt.Sprintf(mainCF, d.mta.dir, "25")
	main = strings.Replace(main, "relay_domains = ", "relay_domains = "+reportsHost+", ", 1)
	main = strings.Replace(main, "transport_maps = inline:{", "transport_maps = inline:{{"+reportsHost+"="+transport+"}, ", 1)
	d.mta.run(t, main+"maximal_backoff_time = 2s\n"+more, fmt.Sprintf(masterCF, d.mta.address, "n")+"lmtp unix - - n - - lmtp\ntlsmgr unix - - n 1000? 1 tlsmgr\n")
	return d
}

// post hands a message to Postfix for the addresses of domains.
func (d *desk) post(t *testing.T, text string, domains ...string) {
	t.Helper()
	from := sender{from: "reports@example.com"}
	for _, domain := range domains {
		to, err := d.book.For(domain)
		if err != nil {
			t.Fatal(err)
		}
		from.to = append(from.to, to)
	}
	if _, reply, err := from.send(d.mta.address, text); err != nil || !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("Postfix says %s, %v", reply, err)
	}
}

// passedOn checks a message as it came through Postfix.
func passedOn(t *testing.T, sent, got string) {
	t.Helper()
	received, rest := cutField(got)
	if !strings.HasPrefix(received, "Received: ") || rest != sent {
		t.Errorf("came\n%.500q\nsent\n%.500q", rest, sent)
	}
}

// tell runs the same story over each way that Postfix has to us.
func (d *desk) tell(t *testing.T, protocol receiver.Protocol, forged string) {
	t.Helper()
	sent := d.sign(message("signed", "From: reports@example.com"))
	d.post(t, sent, "example.com")
	item, got := d.got(t, "<signed@example.com>")
	passedOn(t, sent, got)
	if s := item.Sender; item.Input != string(protocol) || s.DMARC != "pass" || s.AuthorDomain != "example.com" || s.MailFrom != "reports@example.com" || s.TokenDomain != "example.com" {
		t.Errorf("%+v", item)
	}
	d.post(t, message("forged", "From: reports@example.com"), "example.com")
	if item, _ := d.got(t, "<forged@example.com>"); item.Sender.DMARC != forged {
		t.Errorf("a forged one: %+v", item.Sender)
	}

	large := message("large", "From: reports@example.com") + strings.Repeat(strings.Repeat("0123456789", 7)+"\r\n", 50_000)
	d.post(t, large, "example.org", "example.com")
	item, got = d.got(t, "<large@example.com>")
	passedOn(t, large, got)
	if item.Sender.TokenDomain != "example.com example.org" {
		t.Errorf("two recipients: %+v", item.Sender)
	}

	d.post(t, message("unknown", "From: reports@example.com"), "unknown.example")
	waitFor(t, "the refusal", func() bool { return strings.Contains(d.mta.log(), "said: 550 5.1.1") })

	d.set(errors.New("the store is away"))
	for i := range 3 {
		d.post(t, message(fmt.Sprintf("later-%d", i), "From: reports@example.com"), "example.com")
	}
	waitFor(t, "the mail to wait", func() bool { return strings.Count(d.mta.log(), "said: 451 4.3.0") >= 3 })
	d.set(nil)
	for i := range 3 {
		d.got(t, fmt.Sprintf("<later-%d@example.com>", i))
	}
	waitFor(t, "Postfix to hear of each", func() bool { return strings.Count(d.mta.log(), "status=sent") == 7 }) // recipients
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.texts) != 6 {
		t.Errorf("%d messages came, want each of 6 once", len(d.texts))
	}
}

func TestPostfixDeliversReportsToUsBySMTPWithTLS(t *testing.T) {
	needPostfix(t)
	sideBySide(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	d := openDesk(t, ln, receiver.SMTP, "smtp:[127.0.0.1]:"+port, "smtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1\n")
	d.tell(t, receiver.SMTP, "fail")
	if log := d.mta.log(); !strings.Contains(log, "TLS connection established to 127.0.0.1") {
		t.Error("it did not come over TLS")
	}
}

func TestPostfixDeliversReportsToUsByLMTP(t *testing.T) {
	needPostfix(t)
	sideBySide(t)
	dir := shortDir(t, "gatepost-lmtp-")
	socket := filepath.Join(dir, "lmtp")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, socket: 0o666} { // Postfix's daemons are not root
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	d := openDesk(t, ln, receiver.LMTP, "lmtp:unix:"+socket, "")
	d.tell(t, receiver.LMTP, "")
	d.post(t, message("vouched", "Authentication-Results: mx.example.org; dmarc=pass header.from=example.com", "From: reports@example.com"), "example.com")
	if item, _ := d.got(t, "<vouched@example.com>"); item.Sender.DMARC != "pass" {
		t.Errorf("vouched for by the mail server: %+v", item.Sender)
	}
}
