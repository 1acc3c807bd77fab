package receiver

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/message"
)

// reporters is the DNS of those who send reports: one that signs, one whose servers are listed, and a victim.
func reporters(t *testing.T) (zone string, sign func(string) string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	zone = `
_dmarc.signs.example. TXT "v=DMARC1; p=reject"
listed.example. TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc.listed.example. TXT "v=DMARC1; p=reject"
victim.example. TXT "v=spf1 -all"
_dmarc.victim.example. TXT "v=DMARC1; p=reject"
` + dkim.ZoneRecord("s1", "signs.example", dkim.Record(key.Public()))
	return zone, func(text string) string {
		var out strings.Builder
		if err := dkim.Sign(&out, strings.NewReader(text), dkim.Signer{Domain: "signs.example", Selector: "s1", Key: key}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
}

// sent is the sender of a message from a reporter.
func (b *bench) sent(t *testing.T, p Protocol, from, text string) intake.Sender {
	t.Helper()
	c := b.dial(t, p)
	c.want("220 ")
	c.say(map[Protocol]string{SMTP: "EHLO", LMTP: "LHLO"}[p]+" mx.example.com\r\n", "250 ")
	c.say("MAIL FROM:<"+from+">\r\nRCPT TO:<"+b.to("example.com")+">\r\nDATA\r\n", "250 ", "250 ", "354 ")
	c.say(text+".\r\n", "250 ")
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	return b.store.items[len(b.store.items)-1].Sender
}

func from(domain, mark string, fields ...string) string {
	fields = append(fields, "From: reports@"+domain, "To: b@reports.example.net", "Subject: "+mark, "Date: Wed, 25 Nov 2026 10:00:00 +0000")
	return strings.Join(fields, "\r\n") + "\r\n\r\nreport\r\n"
}

func TestReportsAreTakenAndMarkedWithWhatDMARCSays(t *testing.T) {
	zone, sign := reporters(t)
	b := setUp(t, zone, Options{})
	b.dns.Fail("_dmarc.slow.example", 1)
	for i, c := range []struct{ author, mailFrom, text, want string }{
		{"signs.example", "", sign(from("signs.example", "signed")), "pass"},
		{"signs.example", "a@listed.example", sign(from("signs.example", "by another")), "pass"},
		{"signs.example", "", strings.Replace(sign(from("signs.example", "changed")), "report\r\n", "rebort\r\n", 1), "fail"},
		{"listed.example", "a@listed.example", from("listed.example", "by its server"), "pass"},
		{"victim.example", "a@listed.example", from("victim.example", "forged"), "fail"},
		{"victim.example", "a@listed.example", from("victim.example", "claims", "Authentication-Results: mx.example.org; dmarc=pass header.from=victim.example"), "fail"},
		{"nothing.example", "a@nothing.example", from("nothing.example", "no policy"), "none"},
		{"slow.example", "", from("slow.example", "no answer"), "temperror"},
		{"", "", "Subject: no author\r\n\r\nreport\r\n", "permerror"},
		{"", "", "no header\r\n", "permerror"},
	} {
		s := b.sent(t, SMTP, c.mailFrom, c.text)
		if s.DMARC != c.want || s.AuthorDomain != c.author || s.MailFrom != c.mailFrom || s.IP != "127.0.0.1" {
			t.Errorf("%d: got %+v, want %s of %q", i, s, c.want, c.author)
		}
	}
}

func TestRelayIsBelievedOnlyByItsName(t *testing.T) {
	zone, sign := reporters(t)
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	results := func(id, value, domain string) string {
		return "Authentication-Results: " + id + ";\r\n\tspf=pass smtp.mailfrom=a@listed.example;\r\n\tdmarc=" + value + " (p=reject) header.from=" + domain
	}
	for _, way := range []struct {
		protocol Protocol
		o        Options
	}{{LMTP, Options{AuthservID: "mx.example.org"}}, {SMTP, Options{AuthservID: "mx.example.org", TrustedRelays: local}}} {
		b := setUp(t, zone, way.o)
		for _, c := range []struct{ name, author, text, want string }{
			{"its word", "listed.example", from("listed.example", "1", results("mx.example.org", "pass", "listed.example")), "pass"},
			{"in other letters", "listed.example", from("listed.example", "2", results("MX.example.ORG", "FAIL", "Listed.Example")), "fail"},
			{"the topmost", "listed.example", from("listed.example", "3", results("mx.example.org", "fail", "listed.example"), results("mx.example.org", "pass", "listed.example")), "fail"},
			{"another's", "listed.example", from("listed.example", "4", results("evil.example", "pass", "listed.example")), ""},
			{"of another domain", "victim.example", from("victim.example", "5", results("mx.example.org", "pass", "listed.example")), ""},
			{"of no domain", "victim.example", from("victim.example", "6", "Authentication-Results: mx.example.org; dmarc=pass"), ""},
			{"of two domains", "victim.example", from("victim.example", "7", "Authentication-Results: mx.example.org; dmarc=pass header.from=victim.example header.from=listed.example"), ""},
			{"a word nobody knows", "victim.example", from("victim.example", "8", results("mx.example.org", "passed", "victim.example")), ""},
			{"none, though it signs", "signs.example", sign(from("signs.example", "9")), "pass"},
			{"silent of DMARC", "signs.example", "Authentication-Results: mx.example.org; dkim=pass\r\n" + sign(from("signs.example", "10")), "pass"},
			{"not signed: SPF may have passed", "listed.example", from("listed.example", "11"), ""},
			{"no policy", "nothing.example", from("nothing.example", "12"), "none"},
		} {
			s := b.sent(t, way.protocol, "a@listed.example", c.text)
			if s.DMARC != c.want || s.AuthorDomain != c.author || s.IP != "" || s.TokenDomain != "example.com" {
				t.Errorf("%s, %s: got %+v, want %q", way.protocol, c.name, s, c.want)
			}
		}
	}
	b := setUp(t, zone, Options{}) // no name is configured: nobody is believed
	if s := b.sent(t, LMTP, "", from("listed.example", "13", results("mx.example.org", "pass", "listed.example"))); s.DMARC != "" {
		t.Errorf("without a name: %+v", s)
	}
}

func TestEachRecipientOfLMTPGetsItsReply(t *testing.T) {
	b := setUp(t, "", Options{})
	c := b.dial(t, LMTP)
	c.say("EHLO x\r\n", "220 ", "500 ")
	c.say("LHLO x\r\n", "250 ")
	c.say("MAIL FROM:<>\r\nRCPT TO:<"+b.to("example.com")+">\r\nRCPT TO:<nobody@reports.example.net>\r\nRCPT TO:<"+b.to("example.org")+">\r\nDATA\r\n",
		"250 ", "250 ", "550 5.1.1", "250 ", "354 ")
	c.say(report("two")+".\r\n", "250 ", "250 ")
	b.store.set(fmt.Errorf("away"), nil)
	c.say("MAIL FROM:<>\r\nRCPT TO:<"+b.to("example.com")+">\r\nRCPT TO:<"+b.to("example.org")+">\r\nDATA\r\n", "250 ", "250 ", "250 ", "354 ")
	c.say(report("later")+".\r\n", "451 4.3.0", "451 4.3.0")
	if b.store.count() != 1 || b.store.items[0].Input != "lmtp" {
		t.Errorf("%d items", b.store.count())
	}
}

func TestSocketInTheFileSystem(t *testing.T) {
	b := setUp(t, "", Options{})
	dir, err := os.MkdirTemp("/tmp", "lmtp-") // the paths of sockets are short
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	go b.Serve(ln, LMTP)
	nc, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc)
	c.say("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<"+b.to("example.com")+">\r\nDATA\r\n", "220 ", "250 ", "250 ", "250 ", "354 ")
	c.say(report("socket")+".\r\n", "250 ")
	if s := b.store.items[0].Sender; s.IP != "" {
		t.Errorf("%+v", s)
	}
}

// No field that does not bear the name, or is not about the domain, is believed.
func FuzzRelayed(f *testing.F) {
	for _, value := range []string{
		"mx.example.org; dmarc=pass header.from=example.com", "(c) MX.example.org 1; dmarc=fail (p=none) header.from=example.com", "mx.example.org; none",
		"evil.example; dmarc=pass header.from=example.com", "mx.example.org;\r\n\tdkim=pass header.d=example.com;\r\n\tdmarc=pass header.from=a@example.com",
		`"mx.example.org" ; dmarc=pass reason="x" header.from="example.com"`, "mx.example.org 2; dmarc=pass header.from=example.com",
	} {
		f.Add(value, "mx.example.org")
	}
	f.Fuzz(func(t *testing.T, value, id string) {
		h := message.Header{message.NewField(authres.Name, " "+value)}
		switch got := relayed(h, id, "example.com"); got {
		case "":
		case "pass", "fail", "none", "temperror", "permerror":
			if len(authres.Forged(h, id)) == 0 {
				t.Errorf("%q is taken for a word of %q", value, id)
			}
			if !strings.Contains(strings.ToLower(value), "com") {
				t.Errorf("%q is taken for a word about example.com", value)
			}
		default:
			t.Errorf("%q means %q", value, got)
		}
	})
}
