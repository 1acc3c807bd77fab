// Package letters puts together what writes letters and alerts, as a configuration says: for the gate that sends them, and for the
// commands that show them.
//
//	l, err := letters.New(letters.Options{Config: c, Store: s, DNS: resolver, Log: log})
//	err = l.Digests.Run(ctx, time.Now()) // a job, every few minutes
//	err = l.Alerts.Run(ctx, time.Now())  // a job, every hour
package letters

import (
	"fmt"
	"log/slog"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/audit/known"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Options say what letters are made of.
type Options struct {
	Config *config.Config
	Store  store.Store
	DNS    dns.Resolver   // nil: nothing is asked
	Table  *senders.Table // that of the configuration if nil
	Log    *slog.Logger   // none if nil
}

// Letters are those that a configuration names.
type Letters struct {
	Digests *digest.Runner
	Alerts  *alert.Runner
}

// New puts them together. It sends nothing.
func New(o Options) (*Letters, error) {
	asker, err := Asker(o)
	if err != nil {
		return nil, err
	}
	c, server := o.Config, o.Config.Mail.Outbox()
	return &Letters{
		Digests: &digest.Runner{Digests: c.Digests, Domains: c.Reports.Domains, Asker: asker, Store: o.Store, Send: server, From: c.Mail.From, Log: o.Log},
		Alerts:  &alert.Runner{Config: c.Alerts, Domains: c.Reports.Domains, Asker: asker, Store: o.Store, Mail: server, From: c.Mail.From, Log: o.Log},
	}, nil
}

// Known is what an audit is told besides what DNS says: of mail and reports, of what was published before, and of our keys; nil where we
// have none.
func Known(o Options, keys *signing.Directory) (*known.Source, error) {
	asker, err := Asker(o)
	if err != nil {
		return nil, err
	}
	domains := o.Config.Watch.Domains
	if len(domains) == 0 {
		domains = o.Config.Reports.Domains
	}
	return &known.Source{Asker: asker, Store: o.Store, Keys: keys, Domains: domains}, nil
}

// Asker answers questions as a configuration says.
func Asker(o Options) (*insight.Asker, error) {
	c := o.Config
	a := &insight.Asker{Store: o.Store, Table: o.Table, DNS: o.DNS, Method: c.DMARC.Method, Verified: c.Reports.VerifiedOnly, Rua: reportAddress(c)}
	if a.Table == nil {
		var err error
		if a.Table, err = senders.Load(c.Reports.Senders); err != nil {
			return nil, fmt.Errorf("reports.senders: %w", err)
		}
	}
	for _, n := range c.OwnNetworks {
		if !n.Addr().IsLoopback() { // reports never name it
			a.Networks = append(a.Networks, n)
		}
	}
	return a, nil
}

// reportAddress gives the address that reports of a domain are to be sent to, where there are such addresses. Secrets are not made here.
func reportAddress(c *config.Config) func(string) string {
	book := func(domain string) (*address.Book, error) {
		secrets, err := address.ReadSecrets(c.ReportSecret())
		if err != nil {
			return nil, err
		}
		return address.New(c.ReportAddresses([]string{domain}, secrets))
	}
	return func(domain string) string {
		if len(c.Reports.SMTP.Listen)+len(c.Reports.SMTP.LMTP) == 0 {
			return "" // they come by another way
		}
		b, err := book(domain)
		if err != nil {
			return ""
		}
		at, err := b.For(domain)
		if err != nil {
			return ""
		}
		return at
	}
}
