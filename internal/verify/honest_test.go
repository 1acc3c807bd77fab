package verify_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

const rejecting = `_dmarc.example.com. TXT "v=DMARC1; p=reject"` + "\n"

// RFC 6376 3.6.1.
func TestSignatureByAKeyUnderTestCountsForNothing(t *testing.T) {
	record := strings.Replace(dkim.Record(key.Public()), "v=DKIM1;", "v=DKIM1; t=y;", 1)
	r := zone(t, rejecting+dkim.ZoneRecord("s1", "example.com", record))
	e, err := verify.New(verify.Options{Resolver: r}).Message(context.Background(), verify.Client{}, strings.NewReader(sign(t, plain, "example.com")))
	if err != nil {
		t.Fatal(err)
	}
	if d := e.DKIM[0]; d.Result != "pass" || !d.Testing || e.DMARC.Result != "fail" || e.DMARC.Aligned.DKIM {
		t.Errorf("got %+v and %+v, want a pass that is being tested, and DMARC fail", d, e.DMARC)
	}
	if field := e.AuthenticationResults("mx.example.org"); !strings.Contains(field, "dkim=pass (256-bit key, being tested)") {
		t.Errorf("the field does not say that the key is being tested:\n%s", field)
	}
}

func TestResultsSayWhatASignatureLeavesUnsigned(t *testing.T) {
	var out bytes.Buffer
	s := dkim.Signer{Domain: "example.com", Selector: "s1", Key: key, BodyLength: true}
	if err := dkim.Sign(&out, strings.NewReader(plain), s); err != nil {
		t.Fatal(err)
	}
	r := zone(t, rejecting+dkim.ZoneRecord("s1", "example.com", dkim.Record(key.Public())))
	e, err := verify.New(verify.Options{Resolver: r}).Message(context.Background(), verify.Client{}, strings.NewReader(out.String()+"Pay here.\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if field := e.AuthenticationResults("mx.example.org"); !strings.Contains(field, "dkim=pass (256-bit key, 11 octets at the end not signed)") {
		t.Errorf("the field does not say what is not signed:\n%s", field)
	}
}

// RFC 9989 11.5: whatever the From field looks like, it is no way around a policy.
func TestAnOddFromIsNoWayAroundAPolicy(t *testing.T) {
	r := zone(t, rejecting+`evil.example. TXT "v=spf1 ip4:192.0.2.1 -all"`+"\n")
	c := client
	c.Helo, c.MailFrom = "evil.example", "x@evil.example"
	many := ""
	for _, n := range "abcdefgh" {
		many += "a@" + string(n) + ".example, "
	}
	for _, from := range []string{
		"ceo@example.com", "x@ex ample.com", "x@ex(a)ample.com", `"CEO" <x@ex ample.com>`, "<x@ex\r\n\tample.com>", "x@example..com", "x@example,com",
		"x@example:com", "x@evil.example example.com", "<x@evil.example()example.com>", "=?utf-8?q?ceo@example.com?=", "=?utf-8?q?ceo=40example.com?=",
		"ceo@example.com!", "'ceo@example.com'", "<ceo@example.com*>", "[ <ceo@example.com> ] <x@evil.example>", many + "ceo@example.com",
		`"` + strings.Repeat("x", 17_000) + `" <ceo@example.com>`,
	} {
		e, err := verify.New(verify.Options{Resolver: r}).Message(context.Background(), c, strings.NewReader("From: "+from+"\r\n\r\nhi\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range policy.Names() {
			p, err := policy.Preset(name)
			if err != nil {
				t.Fatal(err)
			}
			if v := p.Decide(e); v.Action != policy.Reject {
				t.Errorf("%.80q under %s: %s by %s; %+v", from, name, v.Action, v.Rule, e.DMARC)
			}
		}
	}
}
