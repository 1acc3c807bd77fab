package failure

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var secret = []byte("a key that nobody else has")

func TestNothingPersonalRemainsAfterRedaction(t *testing.T) {
	r, err := Read(strings.NewReader(`From: Reporter <r@receiver.example>
Message-ID: <1@receiver.example>
Date: Mon, 2 Nov 2026 08:15:02 +0000
Content-Type: multipart/report; report-type=feedback-report; boundary=x

--x

--x
Content-Type: message/feedback-report

Feedback-Type: auth-failure
User-Agent: Filter/1 (run by zorro@receiver.example)
Version: 1
Auth-Failure: dmarc zorro
Delivery-Result: zorro
Identity-Alignment: dkim, zorro
Source-IP: zorro@example.net
Original-Envelope-Id: zorro
Original-Mail-From: <zorro@news.example.net>
Original-Rcpt-To: <"zorro de la vega"@receiver.example>
Original-Rcpt-To: zorro
Reported-Domain: example.com
Reported-Domain: zorro!
Reported-URI: http://www.example.net/zorro?u=zorro#zorro
Reported-URI: mailto:zorro@example.net?subject=zorro
Reported-URI: zorro
Authentication-Results: mx.receiver.example (zorro); auth=pass smtp.auth=zorro; spf=fail (zorro) smtp.mailfrom=zorro@news.example.net;
 dkim=fail reason="zorro header.from=zorro" header.i=zorro@example.com header.d=example.com; dmarc=fail header.from=example.com
DKIM-Domain: example.com
DKIM-Identity: zorro@example.com
DKIM-Selector: s1
DKIM-Canonicalized-Header: em9ycm8=
DKIM-Canonicalized-Body: em9ycm8=
DKIM-Selector-DNS: "v=DKIM1; n=zorro@example.com; p=AAAA"
SPF-DNS: txt : example.com : "v=spf1 exp=zorro@example.com -all"
X-Zorro: zorro

--x
Content-Type: message/rfc822

Return-Path: <zorro@news.example.net>
X-Original-To: zorro@receiver.example
Delivered-To: zorro@receiver.example
Received: from zorros-laptop (zorro [192.0.2.7]) (Authenticated sender: zorro)
 by mx.receiver.example with ESMTPSA id zorro for <zorro@receiver.example>; Mon, 2 Nov 2026 08:15:00 +0000 (zorro)
Authentication-Results: mx.receiver.example; auth=pass smtp.auth=zorro
DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; i=zorro@example.com;
 z=From:zorro@example.com|Subject:zorro; h=from; bh=AAAA; b=BBBB
ARC-Authentication-Results: i=1; mx.receiver.example; spf=pass smtp.mailfrom=zorro@example.com
From: "Don Zorro" <zorro@example.com>
To: Zorro <zorro@receiver.example>, undisclosed zorro:;
Cc: "zorro zorro"@receiver.example
Reply-To: zorro
Subject: The mask of Zorro
Date: Mon, 2 Nov 2026 09:14:58 +0100 (zorro)
Message-ID: <zorro@example.com>
References: <zorro@example.com>
List-Id: Friends of Zorro <friends.example.com>
List-Unsubscribe: <mailto:zorro@example.com>
Content-Type: text/plain; name="zorro.txt"
X-Mailer: zorro
Comments: zorro

Zorro was here.
--x--
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	red := r.Redact(secret)
	out, err := json.Marshal(red.Document())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.ToLower(string(out)), "zorro") || strings.Contains(string(out), "em9ycm8") || strings.Contains(string(out), "mask") {
		t.Errorf("%s", out)
	}
	if red.AuthorDomain != "example.com" || red.DKIM.Domain != "example.com" || red.ReportedDomain() != "example.com" || red.Reporter != "Reporter" ||
		!strings.HasSuffix(red.OriginalMailFrom, "@news.example.net") || !strings.HasPrefix(red.ReportedURIs[0], "http://www.example.net/") {
		t.Errorf("what is not personal is gone: %+v", red)
	}
	for _, keep := range []string{"spf=fail", "dmarc=fail", "header.from=example.com", "header.d=example.com", "mx.receiver.example"} {
		if !strings.Contains(red.AuthenticationResults[0], keep) {
			t.Errorf("no %s in %q", keep, red.AuthenticationResults)
		}
	}
	for _, keep := range []string{"([192.0.2.7])", "by mx.receiver.example with ESMTPSA; Mon, 2 Nov 2026 08:15:00 +0000", "d=example.com; s=s1", "<friends.example.com>"} {
		if !strings.Contains(red.OriginalHeader, keep) {
			t.Errorf("no %q in %q", keep, red.OriginalHeader)
		}
	}
	if r.OriginalMailFrom != "zorro@news.example.net" || r.OriginalBody == nil {
		t.Error("the report itself was changed")
	}
}

func TestTheSameLocalPartIsTheSameWordUnderTheSameKeyOnly(t *testing.T) {
	r := readFile(t, "plain")
	a, b, c := r.Redact(secret), r.Redact(secret), r.Redact([]byte("another"))
	if !reflect.DeepEqual(a, b) || a.OriginalMailFrom == c.OriginalMailFrom || a.Subject == c.Subject {
		t.Errorf("%+v\n%+v\n%+v", a, b, c)
	}
	if local, _, _ := strings.Cut(a.OriginalRcptTo[0], "@"); !strings.Contains(a.OriginalHeader, "To: <"+local+"@receiver.example>") {
		t.Errorf("%q is not in %q", local, a.OriginalHeader)
	}
}

func TestARedactedReportIsWrittenAndReadsBackEqual(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.eml")
	for _, file := range files {
		r := readFile(t, strings.TrimSuffix(filepath.Base(file), ".eml")).Redact(secret)
		for _, name := range []string{"alice", "Weiss", "bob", "martin", "Basel", "private", "bounce"} {
			out, _ := json.Marshal(r.Document())
			if bytes.Contains(out, []byte(name)) || bytes.Contains(out, []byte(base64.StdEncoding.EncodeToString([]byte(name)))) {
				t.Errorf("%s: %q remains in %s", file, name, out)
			}
		}
		if r.AuthorDomain != "example.com" {
			t.Errorf("%s: Author Domain %q", file, r.AuthorDomain)
		}
		if r.Check(toOwner) != nil {
			continue
		}
		back, err := Read(bytes.NewReader(write(t, r, toOwner)), Options{})
		if err != nil || !reflect.DeepEqual(without(back), without(r)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\n%v", file, back, r, err)
		}
	}
}
