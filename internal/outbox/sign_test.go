package outbox_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net/mail"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

func TestALetterIsSignedAsItsDomainWithEveryKey(t *testing.T) {
	first, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signers := []dkim.Signer{{Domain: "example.org", Selector: "r", Key: first}, {Domain: "example.org", Selector: "e", Key: second}}
	zone := "$ORIGIN example.org.\n@ 60 IN SOA ns.example.org. a.example.org. 1 1 1 1 1\n"
	for _, s := range signers {
		zone += s.Selector + "._domainkey 60 IN TXT ( " + strings.Join(dns.QuoteText(dkim.Record(s.Key.Public())), " ") + " )\n"
	}
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	l := letter
	l.Return, l.ReplyTo, l.Unsubscribe, l.Inline = "notices+x@example.org", "help@example.org", "notices+x@example.org", nil
	l.Subject, l.Text = "Grüße", strings.Repeat("Überlänge ", 40)+"\n.\n"
	o := outbox.Server{From: "Gatepost <gatepost@Example.org>", Signers: func(domain string) []dkim.Signer {
		if domain != "example.org" {
			return nil
		}
		return signers
	}}
	var b bytes.Buffer
	if err := o.Write(&b, l); err != nil {
		t.Fatal(err)
	}
	raw := b.String()
	v := verify.New(verify.Options{Resolver: z})
	e, err := v.Message(t.Context(), verify.Client{}, strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if len(e.DKIM) != 2 || e.DKIM[0].Result != "pass" || e.DKIM[1].Result != "pass" {
		t.Errorf("%+v\n%s", e.DKIM, raw)
	}
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if h := m.Header.Get("List-Unsubscribe"); h != "<mailto:notices+x@example.org?subject=unsubscribe>" {
		t.Errorf("List-Unsubscribe %q", h)
	}
	if h := m.Header.Get("Reply-To"); h != "<help@example.org>" {
		t.Errorf("Reply-To %q", h)
	}
}

func TestALetterOfADomainWithoutKeysGoesUnsigned(t *testing.T) {
	var b bytes.Buffer
	o := outbox.Server{From: "gatepost@example.org", Signers: func(string) []dkim.Signer { return nil }}
	if err := o.Write(&b, letter); err != nil || strings.Contains(b.String(), "DKIM-Signature") {
		t.Errorf("%v\n%s", err, b.String())
	}
}
