//go:build linux

// Package postfix runs the gate behind a real Postfix, as docs/postfix.md hooks it up.
package postfix

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
)

const zone = `
$ORIGIN .
example.com.               TXT "v=spf1 ip4:192.0.2.1 ~all"
_dmarc.example.com.        TXT "v=DMARC1; p=reject"
mx.example.com.            A   192.0.2.1
1.2.0.192.in-addr.arpa.    PTR mx.example.com.
fail.example.              TXT "v=spf1 ip4:192.0.2.1 -all"
slow.example.              TXT "v=spf1 ip4:192.0.2.1 -all"
held.example.              TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.held.example.       TXT "v=DMARC1; p=quarantine"
`

var good = sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@example.com"}

// A bench is Postfix with the gate in front of it and a sink behind.
type bench struct {
	dns  *dnstest.Server
	gate *process
	mta  *mta
	sink *sink
	key  *rsa.PrivateKey
}

func setUp(t *testing.T, more string) *bench {
	t.Helper()
	b := prepare(t, more)
	b.open(t)
	return b
}

// prepare has everything ready but what open starts.
func prepare(t *testing.T, more string) *bench {
	t.Helper()
	needPostfix(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{key: key, sink: startSink(t)}
	b.dns = dnstest.Start(t, zone+dkim.ZoneRecord("s1", "example.com", dkim.Record(key.Public()))+"\n")
	b.gate = newGate(t, b.dns.Addr, more)
	return b
}

// open starts the gate, and then Postfix.
func (b *bench) open(t *testing.T) {
	t.Helper()
	b.gate.start(t)
	b.mta = startPostfix(t, "inet:"+b.gate.address, b.sink.address, "n")
}

// sign puts example.com's signature on a message.
func (b *bench) sign(t *testing.T, message string) string { return b.signAs(t, "example.com", message) }

func (b *bench) signAs(t *testing.T, domain, message string) string {
	t.Helper()
	var out bytes.Buffer
	err := dkim.Sign(&out, strings.NewReader(message), dkim.Signer{
		Domain: domain, Selector: "s1", Key: b.key, Canonicalization: dkim.Canonicalization{Header: dkim.Simple, Body: dkim.Simple},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// publish adds a key of ours to what a domain publishes.
func (b *bench) publish(t *testing.T, domains ...string) {
	t.Helper()
	text := zone
	for _, domain := range append(domains, "example.com") {
		text += dkim.ZoneRecord("s1", domain, dkim.Record(b.key.Public())) + "\n"
	}
	b.dns.SetZone(t, text)
}

// keyFile is a file with our key.
func (b *bench) keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s1.pem")
	if err := dkim.WriteKey(path, b.key); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bench) send(t *testing.T, s sender, message string) string {
	t.Helper()
	_, reply, err := s.send(b.mta.address, message)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func message(mark string, fields ...string) string {
	header := append(fields, "To: b@example.org", "Date: Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID: <"+mark+"@example.com>")
	return strings.Join(header, "\r\n") + "\r\n\r\nhello\r\n.\r\n..two dots\r\n"
}

const fromGood = "From: a@example.com"

// delivered takes our field, and Postfix's own Received, off a message as it was delivered.
func delivered(t *testing.T, got string) (results, rest string) {
	t.Helper()
	results, rest = cutField(got)
	if !strings.HasPrefix(results, "Authentication-Results: mx.example.org;") {
		t.Fatalf("our field is not on top of\n%.500s", got)
	}
	received, rest := cutField(rest)
	if !strings.HasPrefix(received, "Received: from mx.example.com") || !strings.Contains(received, "by mx.example.org (Postfix)") {
		t.Fatalf("Postfix's field is not below ours in\n%.1000s", got)
	}
	return results, rest
}

// cutField takes the topmost header field off a text.
func cutField(text string) (field, rest string) {
	end := 0
	for {
		n := strings.Index(text[end:], "\r\n")
		if n < 0 {
			return text, ""
		}
		end += n + 2
		if end == len(text) || text[end] != ' ' && text[end] != '\t' {
			return text[:end], text[end:]
		}
	}
}

func TestGoodMessageArrivesByteForByteBelowOurResults(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	sent := b.sign(t, message("good", fromGood, "Subject:  two spaces,\r\n\tone fold\r\n  and another \r\n\tend", "X-Tabs:\tx\t", "X-Odd:none",
		"Authentication-Results: other.example; spf=pass", "X-Latin: gr\xfc\xdfe"))
	if reply := b.send(t, good, sent); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	results, rest := delivered(t, b.sink.wait(t, "<good@example.com>"))
	if rest != sent {
		t.Errorf("delivered\n%q\nsent\n%q", rest, sent)
	}
	for _, want := range []string{"spf=pass smtp.mailfrom=a@example.com", "dkim=pass (2048-bit key)", "header.d=example.com",
		"dmarc=pass (p=reject dis=none) header.from=example.com", "iprev=pass"} {
		if !strings.Contains(strings.Join(strings.Fields(results), " "), want) {
			t.Errorf("%q is not in\n%s", want, results)
		}
	}
}

func TestResultsFieldIsDeliveredByteForByte(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	if reply := b.send(t, good, message("plain", fromGood)); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	results, rest := delivered(t, b.sink.wait(t, "<plain@example.com>"))
	const want = "Authentication-Results: mx.example.org;\r\n" +
		"\tspf=pass smtp.mailfrom=a@example.com;\r\n"
	if !strings.HasPrefix(results, want) {
		t.Errorf("got\n%q\nwant it to begin\n%q", results, want)
	}
	if sent := message("plain", fromGood); rest != sent {
		t.Errorf("delivered\n%q\nsent\n%q", rest, sent)
	}
}

func TestWhatFailsIsRefusedWithAReasonThatHelps(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	b.dns.Fail("slow.example", dnstest.ServFail)
	for _, c := range []struct {
		name    string
		from    sender
		fields  []string
		want    string
		mending string
	}{
		{"SPF fail", sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@fail.example"}, []string{"From: a@fail.example"},
			"550 5.7.23 SPF fail: 192.0.2.9 is not authorised by fail.example to send for a@fail.example (its record ends in \"-all\")", "ask its administrator"},
		{"SPF softfail, with % in the address", sender{ip: "192.0.2.9", helo: "mx.example.com", from: "50%off%%s@example.com"}, []string{fromGood},
			"550 5.7.23 SPF softfail: 192.0.2.9 is not authorised by example.com to send for 50%off%%s@example.com", "ask its administrator"},
		{"SPF fail over IPv6", sender{ip: "IPv6:2001:db8::9", helo: "mx.example.com", from: "a@fail.example"}, []string{"From: a@fail.example"},
			"550 5.7.23 SPF fail: 2001:db8::9 is not authorised by fail.example", "ask its administrator"},
		{"DNS that fails for now", sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@slow.example"}, []string{"From: a@slow.example"},
			"451 4.7.24 SPF temperror: whether slow.example authorises 192.0.2.1", "send it again later"},
		{"DMARC fail", sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@fail.example"}, []string{fromGood},
			"550 5.7.26 DMARC fail: neither SPF nor DKIM authenticates example.com", "sign with DKIM as example.com"},
		{"the decoy in a display name", sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@fail.example"}, []string{`From: "a@fail.example" <b@example.com>`},
			"550 5.7.26 DMARC fail: neither SPF nor DKIM authenticates example.com", "sign"},
		{"the decoy in a local part", sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@fail.example"}, []string{`From: "b@fail.example"@example.com`},
			"550 5.7.26 DMARC fail: neither SPF nor DKIM authenticates example.com", "sign"},
		{"two From fields", good, []string{fromGood, "From: b@held.example"}, "550 5.7.1 From names no single author domain", "write one From field"},
	} {
		reply := b.send(t, c.from, message("refused", c.fields...))
		if !strings.HasPrefix(reply, c.want) || !strings.Contains(reply, c.mending) {
			t.Errorf("%s\ngot  %s\nwant %s … %s", c.name, reply, c.want, c.mending)
		}
		if strings.ContainsAny(reply, "\r\n") {
			t.Errorf("%s: more than one line: %q", c.name, reply)
		}
	}
	// One more that passes, so that a message let in by mistake would have come before it.
	b.send(t, good, message("last", fromGood))
	b.sink.wait(t, "<last@example.com>")
	for _, m := range b.sink.all() {
		if strings.Contains(m, "<refused@example.com>") {
			t.Errorf("a message that was refused was delivered:\n%s", m)
		}
	}
}

func TestForgedResultsDoNotArrive(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	kept := []string{"Authentication-Results: other.example; spf=pass", fromGood, "Subject: forged"}
	forged := []string{
		"Authentication-Results: mx.example.org; dmarc=pass",
		kept[0],
		"AUTHENTICATION-RESULTS: (a comment; with it) MX.example.org 1;\r\n\tdkim=pass",
		"Authentication-Results: \"mx.example.org\"; spf=pass",
		kept[1],
		"Authentication-Results: (((mx.example.org; dkim=pass",
		"X-Gatepost-Verdict: accept",
		"Authentication-Results: mx.example.org; none",
		kept[2],
	}
	if reply := b.send(t, good, message("forged", forged...)); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	_, rest := delivered(t, b.sink.wait(t, "<forged@example.com>"))
	if want := message("forged", kept...); rest != want {
		t.Errorf("delivered\n%q\nwant\n%q", rest, want)
	}
}

func TestQuarantineIsHeld(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	reply := b.send(t, good, message("held", "From: a@held.example"))
	if !strings.HasPrefix(reply, "250 ") {
		t.Errorf("reply %s, want 250", reply)
	}
	waitFor(t, "the message on hold", func() bool { return b.mta.held() == 1 })
	if n := len(b.sink.all()); n > 0 {
		t.Errorf("%d messages were delivered, want none", n)
	}
}

func TestMonitorDeliversAndSaysWhatItWouldHaveDone(t *testing.T) {
	sideBySide(t)
	b := setUp(t, `mode = "monitor"`)
	sent := message("monitored", fromGood)
	reply := b.send(t, sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}, sent)
	if !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	got := b.sink.wait(t, "<monitored@example.com>")
	_, rest := cutField(got)
	verdict, _ := cutField(rest)
	if !strings.HasPrefix(verdict, "X-Gatepost-Verdict: reject; rule=spf-softfail; mode=monitor;") {
		t.Errorf("what would have been done does not stand below our results:\n%s", got)
	}
	if !strings.HasSuffix(got, sent) {
		t.Errorf("the message was changed:\n%q", got)
	}
}

func TestOurOwnMailIsLeftAsItIs(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	sent := message("own", "From: a@fail.example")
	if reply := b.send(t, sender{from: "a@fail.example"}, sent); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	received, rest := cutField(b.sink.wait(t, "<own@example.com>"))
	if !strings.HasPrefix(received, "Received: ") || rest != sent {
		t.Errorf("delivered\n%q\nwant no field but Postfix's own above\n%q", received+rest, sent)
	}
}

func TestLargeMessagePasses(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	var body strings.Builder
	body.WriteString(message("large", fromGood))
	line := make([]byte, 57)
	for body.Len() < 30<<20 {
		rand.Read(line)
		body.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
	}
	sent := b.sign(t, body.String())
	if reply := b.send(t, good, sent); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	results, rest := delivered(t, b.sink.wait(t, "<large@example.com>"))
	if rest != sent {
		t.Errorf("%d bytes were delivered, and not those %d that were sent", len(rest), len(sent))
	}
	if !strings.Contains(results, "dkim=pass") {
		t.Errorf("got %s, want dkim=pass", results)
	}
}

func TestStoppedGateEndsWellAndAChangedConfigurationIsRead(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	softfail := sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}
	if reply := b.send(t, softfail, message("before", fromGood)); !strings.HasPrefix(reply, "550 ") {
		t.Errorf("reply %s, want 550", reply)
	}
	b.gate.configure(t, b.dns.Addr, `policy = "stict"`)
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	waitFor(t, "the complaint", func() bool { return strings.Contains(b.gate.log.String(), `no such preset; there are standard`) })
	if reply := b.send(t, softfail, message("between", fromGood)); !strings.HasPrefix(reply, "550 ") {
		t.Errorf("after a configuration with an error: reply %s, want 550", reply)
	}
	b.gate.configure(t, b.dns.Addr, `mode = "monitor"`)
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	waitFor(t, "the new configuration", func() bool { return strings.Contains(b.gate.log.String(), "configuration read again") })
	if reply := b.send(t, softfail, message("after", fromGood)); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("in monitor mode: reply %s, want 250", reply)
	}
	b.gate.terminate(t)
	if reply := b.send(t, good, message("away", fromGood)); !strings.HasPrefix(reply, "4") {
		t.Errorf("without the gate: reply %s, want 4xx", reply)
	}
}
