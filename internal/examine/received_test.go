package examine

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

func TestReceivedFieldsOfKnownServers(t *testing.T) {
	for _, c := range []struct{ server, field, ip, helo string }{
		{"Postfix", "from mail.example.net (mx.example.net [192.0.2.1])\r\n\tby mx.example.org (Postfix) with ESMTP id 4F1", "192.0.2.1", "mail.example.net"},
		{"Postfix, no reverse name", "from mail.example.net (unknown [IPv6:2001:db8::1])\r\n\tby mx.example.org (Postfix)", "2001:db8::1", "mail.example.net"},
		{"Postfix with TLS", "from mail.example.net (mx.example.net [192.0.2.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n\t key-exchange X25519 server-signature ECDSA (P-256))\r\n\t(No client certificate requested)\r\n\tby mx.example.org (Postfix) with ESMTPS id 4F1", "192.0.2.1", "mail.example.net"},
		{"Postfix, an address literal as HELO", "from [192.0.2.1] (unknown [192.0.2.1])\r\n\tby mx.example.org (Postfix)", "192.0.2.1", "[192.0.2.1]"},
		{"sendmail", "from mail.example.net (mx.example.net [192.0.2.1] (may be forged))\r\n\tby mx.example.org (8.18.1/8.18.1) with ESMTP id x", "192.0.2.1", "mail.example.net"},
		{"sendmail, no reverse name", "from mail.example.net ([192.0.2.1])\r\n\tby mx.example.org (8.18.1/8.18.1) with ESMTP id x", "192.0.2.1", "mail.example.net"},
		{"Exim", "from mx.example.net ([192.0.2.1] helo=mail.example.net)\r\n\tby mx.example.org with esmtps  (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.98)\r\n\t(envelope-from <a@example.com>)\r\n\tid 1t", "192.0.2.1", "mail.example.net"},
		{"Exim with a port", "from mx.example.net ([192.0.2.1]:51234)\r\n\tby mx.example.org with esmtps (Exim 4.98)", "192.0.2.1", "mx.example.net"},
		{"Exim, no reverse name", "from [192.0.2.1] (helo=mail.example.net)\r\n\tby mx.example.org with esmtp (Exim 4.98)", "192.0.2.1", "mail.example.net"},
		{"Exim, no reverse name, with a port", "from [192.0.2.1] (port=51234 helo=mail.example.net)\r\n\tby mx.example.org with esmtp (Exim 4.98)", "192.0.2.1", "mail.example.net"},
		{"Exim, an address literal as HELO", "from mx.example.net ([192.0.2.1] helo=[198.51.100.9])\r\n\tby mx.example.org with esmtp (Exim 4.98)", "192.0.2.1", "[198.51.100.9]"},
		{"Exchange", "from mail.example.net (192.0.2.1) by EX.example.org (10.0.0.2) with Microsoft SMTP Server id 15.1", "192.0.2.1", "mail.example.net"},
		{"Exchange, IPv6", "from mail.example.net (2001:db8::1) by EX.example.org (fe80::1) with Microsoft SMTP Server", "2001:db8::1", "mail.example.net"},
		{"Gmail", "from mail.example.net (mx.example.net. [192.0.2.1])\r\n        by mx.google.com with ESMTPS id x\r\n        for <b@example.org>\r\n        (version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n        Tue, 24 Nov 2026 08:00:00 -0800 (PST)", "192.0.2.1", "mail.example.net"},
		{"qmail", "from unknown (HELO mail.example.net) (192.0.2.1)\r\n  by mx.example.org with SMTP", "192.0.2.1", "mail.example.net"},
		{"qmail with ident", "from mx.example.net (HELO mail.example.net) (user@192.0.2.1)\r\n  by mx.example.org with SMTP", "192.0.2.1", "mail.example.net"},
	} {
		h := message.Header{message.NewField("Return-Path", " <a@example.com>"), message.NewField("Received", " "+c.field)}
		got, err := clientOf(h)
		want := verify.Client{IP: netip.MustParseAddr(c.ip), Helo: c.helo, MailFrom: "a@example.com"}
		if err != nil || got.IP != want.IP || got.Helo != want.Helo || got.MailFrom != want.MailFrom {
			t.Errorf("%s: %q\ngot  %+v, %v\nwant %+v", c.server, c.field, got, err, want)
		}
	}
}

func TestReceivedFieldsThatTellNothingAreRefused(t *testing.T) {
	for _, c := range []struct {
		what, field string
		want        error
	}{
		{"a server's word to itself", "by 2002:a05:6000:1 with SMTP id x; Tue, 24 Nov 2026 08:00:00 -0800", errNoClient},
		{"a local user", "from root by mx.example.org with local (Exim 4.98)", errNoClient},
		{"a HELO that looks like the whole", "from mail.example.net (mx.example.net [198.51.100.9]) (evil.example [192.0.2.1]) by mx.example.org", errManyClients},
		{"two literals in one comment", "from mail.example.net (mx.example.net [198.51.100.9] [192.0.2.1]) by mx.example.org", errNoClient},
		{"an address within the reverse name", "from mail.example.net (x[198.51.100.9] [192.0.2.1]) by mx.example.org", errNoClient},
		{"a comment without an end", "from mail.example.net (mx.example.net [192.0.2.1] by mx.example.org", errReceivedForm},
		{"no by", "from mail.example.net (mx.example.net [192.0.2.1])", errReceivedForm},
		{"no name", "from (mx.example.net [192.0.2.1]) by mx.example.org", errReceivedForm},
		{"empty", "", errNoClient},
	} {
		got, err := clientOf(message.Header{message.NewField("Received", " "+c.field)})
		if !errors.Is(err, c.want) || got.IP.IsValid() {
			t.Errorf("%s: %q\ngot  %+v, %v\nwant %v", c.what, c.field, got, err, c.want)
		}
	}
	if _, err := clientOf(nil); !errors.Is(err, errNoReceived) {
		t.Errorf("no field at all: got %v, want %v", err, errNoReceived)
	}
}

func TestReturnPathThatIsNoPathIsRefused(t *testing.T) {
	for path, want := range map[string]string{"<>": "", "<a@example.com>": "a@example.com"} {
		if got, err := parseReturnPath(path); err != nil || got != want {
			t.Errorf("parseReturnPath(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"", "a@example.com", "<a@example.com", ">"} {
		if got, err := parseReturnPath(path); err == nil {
			t.Errorf("parseReturnPath(%q) = %q, want an error", path, got)
		}
	}
}

// Whatever the field says: an address comes out only if it stands in the field, and an error gives none.
func FuzzParseReceived(f *testing.F) {
	f.Add("from mail.example.net (mx.example.net [192.0.2.1]) by mx.example.org")
	f.Add("from [192.0.2.1] (helo=mail.example.net) by mx.example.org")
	f.Add("from mail.example.net (2001:db8::1) by mx.example.org")
	f.Add(`from a (\) (((`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseReceived(s)
		switch {
		case err != nil && c.IP.IsValid():
			t.Errorf("%q: an address and an error: %v, %v", s, c.IP, err)
		case err == nil && !c.IP.IsValid():
			t.Errorf("%q: neither address nor error", s)
		case err == nil && c.IP.Is4() && !strings.Contains(s, c.IP.String()) && !strings.Contains(s, ":"):
			t.Errorf("%q: %v does not stand in it", s, c.IP)
		}
	})
}
