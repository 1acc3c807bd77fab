package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/internal/demo"
)

// A Page is one of the dashboard's, with what the demo has on it.
type Page struct {
	Path string
	Fill map[string]string // a form on it that is filled in, by the names of its fields, and sent; nil: none is
}

// message is one that brings along what a page about messages can show.
const message = "Return-Path: <news@supplier.example>\r\n" +
	"Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=news@supplier.example; dkim=fail (body hash) header.d=supplier.example\r\n" +
	"Received: from mail2.supplier.example (mail2.supplier.example [203.0.113.21])\r\n\tby mx1.example.com (Postfix) with ESMTPS id 4F1; Mon, 23 Nov 2026 08:00:09 +0000\r\n" +
	"Received: from desk (unknown [192.168.1.7])\r\n\tby mail2.supplier.example with ESMTPSA id 1; Mon, 23 Nov 2026 08:00:02 +0000\r\n" +
	"DKIM-Signature: v=1; a=rsa-sha256; d=supplier.example; s=s1; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n" +
	"From: Supplier <news@supplier.example>\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"

// Pages are all that there are: whatever is asked of every page is asked of these.
func Pages(d *demo.Demo) []Page {
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	return []Page{
		{Path: "/domains"},
		{Path: "/domains/example.com"},
		{Path: "/domains/example.com?days=90"},
		{Path: "/domains/example.com?class=abuse"},
		{Path: "/domains/example.net"},
		{Path: "/domains/example.com/sources/service:salesforce"},
		{Path: "/domains/example.com/sources/host:guild.example"},
		{Path: "/domains/example.net/sources/203.0.113.95"},
		{Path: "/domains/example.com/what-if"},
		{Path: "/domains/example.com/what-if/dmarc?policy=reject"},
		{Path: "/domains/example.com/what-if/spf?record=v%3Dspf1+mx+-all"},
		{Path: "/domains/example.com/readiness"},
		{Path: "/domains/example.org/readiness"},
		{Path: "/domains/example.com/records"},
		{Path: "/domains/example.net/records"},
		{Path: "/check"},
		{Path: "/check", Fill: map[string]string{"domain": "no domain"}},
		{Path: "/check/example.com"},
		{Path: "/check/supplier.example"},
		{Path: "/analyze"},
		{Path: "/analyze", Fill: map[string]string{"message": message}},
		{Path: "/analyze", Fill: map[string]string{"message": header}},
		{Path: "/analyze", Fill: map[string]string{"message": "no message"}},
		{Path: "/gate"},
		{Path: "/gate?verdict=quarantine&since=7d"},
		{Path: "/gate?verdict=defer"},
		{Path: "/gate/decisions/" + d.Reference},
		{Path: "/gate/decisions/" + d.Reference + "?mend=true"},
		{Path: "/gate/exceptions"},
		{Path: "/gate/exceptions/new?reference=" + d.Reference},
		{Path: "/gate/letters"},
		{Path: "/gate/letters/1"},
		{Path: "/gate/letters/2"},
		{Path: "/gate/what-if"},
		{Path: "/gate/what-if?policy=lockdown"},
		{Path: "/reports"},
		{Path: "/reports?domain=example.com&only=unverified"},
		{Path: "/reports/1"},
		{Path: "/reports/1094"},
		{Path: "/reports/refused"},
		{Path: "/reports/upload"},
		{Path: "/tls"},
		{Path: "/tls?domain=example.com"},
		{Path: "/settings"},
		{Path: "/settings/users"},
		{Path: "/settings/users/bob"},
		{Path: "/settings/tokens"},
		{Path: "/account/tokens"},
		{Path: "/account"},
		{Path: "/account/totp"},
		{Path: "/sign-in"},
		{Path: "/settings/domains"},
		{Path: "/settings/domains?compose=domain&name=example.edu"},
		{Path: "/settings/inputs"},
		{Path: "/settings/letters"},
		{Path: "/settings/gate"},
		{Path: "/settings/log"},
	}
}

// String tells it from the others.
func (p Page) String() string {
	if p.Fill == nil {
		return p.Path
	}
	text := p.Path
	for name, value := range p.Fill {
		text += fmt.Sprintf(" %s=%.20q", name, value)
	}
	return text
}

const (
	patience = 30 * time.Second
	pause    = 100 * time.Millisecond
)

var errPending = errors.New("it is being worked out for ever")

// Show leads a tab to a page of a site, and waits until all that it shows is there.
func Show(tab context.Context, site string, p Page) error {
	if err := show(tab, site+p.Path); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if p.Fill == nil {
		return nil
	}
	script := "const form = [...document.forms].find(f => !f.classList.contains('out') && f.method === 'post');"
	for name, value := range p.Fill {
		script += fmt.Sprintf("form.elements[%q].value = %q;", name, value)
	}
	if err := chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		return fmt.Errorf("%s: its form: %w", p, err)
	}
	if _, err := chromedp.RunResponse(tab, chromedp.Evaluate[chromedp.Void]("[...document.forms].find(f => !f.classList.contains('out') && f.method === 'post').submit()")); err != nil {
		return fmt.Errorf("%s: sent: %w", p, err)
	}
	return nil
}

func show(tab context.Context, url string) error {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(pause) {
		if err := chromedp.Do(tab, chromedp.Navigate(url)); err != nil {
			return err
		}
		pending, err := chromedp.Run(tab, chromedp.Evaluate[bool]("document.body.innerText.includes('Being worked out')"))
		if err != nil || !pending {
			return err
		}
	}
	return errPending
}
