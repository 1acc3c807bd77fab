package dashboard

import (
	"errors"
	"strings"
	"testing"
)

func analysis(t *testing.T, d *Desk, message string, more ...func(*AnalyzeIn)) (*Analysis, error) {
	t.Helper()
	in := &AnalyzeIn{}
	in.Body.Message = message
	for _, f := range more {
		f(in)
	}
	return d.Analyze(t.Context(), shopkeeper, in)
}

// found is a line for each method: "spf softfail".
func found(a *Analysis) string {
	var all []string
	for _, r := range a.Rows {
		all = append(all, r.Method+" "+r.Result)
	}
	return strings.Join(all, ", ")
}

const signed = "DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; s=s1; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"

func TestAMessageIsVerifiedAsTheGateWouldVerifyIt(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	text := "From: a@shop.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nhello\r\n"
	a, err := analysis(t, d, text, func(in *AnalyzeIn) {
		in.Body.IP, in.Body.Helo, in.Body.MailFrom = "192.0.2.9", "x.example", "<a@shop.example>"
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := found(a); got != "spf softfail, spf none, iprev permerror, dkim none, arc none, dmarc fail, verdict reject" {
		t.Error(got)
	}
	if a.Subject != "Grüße" || a.Verdict == nil || a.Verdict.Rule != "spf-softfail" || !strings.HasPrefix(a.Results, "mx.example.org; spf=softfail smtp.mailfrom=a@shop.example;") {
		t.Errorf("%+v\n%s", a, a.Results)
	}
	// The same by the field that a server wrote.
	a, err = analysis(t, d, "Return-Path: <a@shop.example>\r\nReceived: from x.example (x.example [192.0.2.1]) by mx.example.org with ESMTP; Tue, 24 Nov 2026 08:00:00 +0000\r\n"+text,
		func(in *AnalyzeIn) { in.Body.Received = true })
	if err != nil || !strings.HasPrefix(found(a), "spf pass, ") || !strings.Contains(found(a), "dmarc pass") || len(a.Hops) != 1 {
		t.Errorf("%v: %s", err, found(a))
	}
	// There is no such field, and so only the rest is said.
	a, err = analysis(t, d, text, func(in *AnalyzeIn) { in.Body.Received = true })
	if err != nil || !strings.HasPrefix(found(a), "spf -, ") || !strings.Contains(a.Client, "no Received field") {
		t.Errorf("%v: %s; %s", err, found(a), a.Client)
	}
	a, err = analysis(t, d, "", func(in *AnalyzeIn) { in.Body.File = []byte(text) })
	if err != nil || a.Subject != "Grüße" {
		t.Errorf("as a file: %v", err)
	}
}

func TestOfAHeaderAloneNothingIsSaidThatNeedsTheBody(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	head := "Authentication-Results: MX.example.org; dkim=pass header.d=shop.example\r\nAuthentication-Results: ; broken(\r\n" + signed + "From: a@shop.example\r\n"
	a, err := analysis(t, d, head)
	if err != nil {
		t.Fatal(err)
	}
	if got := found(a); !a.HeaderOnly || a.Verdict != nil || got != "spf -, dkim -, arc none, dmarc -" {
		t.Errorf("header only %t: %s", a.HeaderOnly, got)
	}
	if len(a.Claims) != 2 || !a.Claims[0].Ours || a.Claims[0].Results[0].Value != "pass" || a.Claims[1].Broken == "" {
		t.Errorf("%+v", a.Claims)
	}
	if a, err = analysis(t, d, head+"\r\nbody\r\n"); err != nil || a.HeaderOnly || a.Verdict == nil {
		t.Errorf("with a body: %v", err)
	}
	if a, err = analysis(t, d, "From: a@shop.example\r\n"); err != nil || a.HeaderOnly {
		t.Errorf("without a signature there is nothing that a body is needed for: %v", err)
	}
}

func TestWhatCannotBeAnalyzedIsSaid(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	for field, change := range map[string]func(*AnalyzeIn){
		"message": func(in *AnalyzeIn) { in.Body.Message = "no message at all" },
		"ip":      func(in *AnalyzeIn) { in.Body.IP = "mx.example.com" },
		"file":    func(in *AnalyzeIn) { in.Body.File = make([]byte, mostFile+1) },
	} {
		var wrong *Invalid
		if _, err := analysis(t, d, "From: a@shop.example\r\n", change); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, text := range []string{"", strings.Repeat("x", mostPasted+1)} {
		var wrong *Invalid
		if _, err := analysis(t, d, text); !errors.As(err, &wrong) || wrong.Field != "message" {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
	// A header that no server takes is a result, not a failure.
	a, err := analysis(t, d, strings.Repeat("X: y\r\n", 5000), func(in *AnalyzeIn) { in.Body.Received = true })
	if err != nil || !strings.HasPrefix(found(a), "limit reached") {
		t.Errorf("%v", err)
	}
}

func TestNobodyHasMoreAnalyzedThanALittle(t *testing.T) {
	d, _, _ := checkDesk(t, weakZone)
	var busy *Busy
	for range askedAMinute {
		if _, err := analysis(t, d, "From: a@shop.example\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := analysis(t, d, "From: a@shop.example\r\n"); !errors.As(err, &busy) {
		t.Errorf("%v", err)
	}
	d.audits.busy = analyzeAtOnce
	if err := d.audits.beginAnalysis(everybodysOwner); !errors.As(err, &busy) {
		t.Errorf("while others are: %v", err)
	}
}
