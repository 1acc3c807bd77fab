package letters

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/known"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/notice"
)

// NoticeOptions say besides what letters to the owners of other domains are made of.
type NoticeOptions struct {
	Options
	Web     http.RoundTripper                 // looks for a security.txt; nil: there is none
	Signers func(domain string) []dkim.Signer // nil: who takes the letter in may sign it
}

// Office is what writes to the owners of other domains, as the configuration says.
func Office(o NoticeOptions) (*notice.Office, error) {
	c := o.Config
	languages, err := c.Notice.Languages()
	if err != nil {
		return nil, fmt.Errorf("notice.catalogue: %w", err)
	}
	tokens, err := Tokens(o.Options)
	if err != nil {
		return nil, err
	}
	look, err := Audit(o.Options)
	if err != nil {
		return nil, err
	}
	server := c.Mail.Outbox()
	server.From, server.Signers = c.Notice.From, o.Signers
	return &notice.Office{
		Config: c.Notice, Host: c.AuthservID, Store: o.Store, Languages: languages, Tokens: tokens, Log: o.Log,
		Audit: look,
		Find:  &notice.Finder{Resolver: o.DNS, Web: o.Web},
		Send:  server,
	}, nil
}

// Audit is what looks at the domain of a stranger; where servers are named, also whether it lets them in.
func Audit(o Options) (func(ctx context.Context, domain string, servers ...netip.Addr) *audit.Report, error) {
	asker, err := Asker(o)
	if err != nil {
		return nil, err
	}
	seen := known.Source{Asker: asker}
	return func(ctx context.Context, domain string, servers ...netip.Addr) *audit.Report {
		of := facts.Options{Resolver: o.DNS, Table: o.Table, Servers: servers, Few: true}
		if err := seen.Add(ctx, domain, &of); err != nil && o.Log != nil { // DNS says enough to write by
			o.Log.Warn("an audit does without what was seen", "domain", domain, "error", err.Error())
		}
		return audit.Run(ctx, domain, of)
	}, nil
}

// Tokens know the addresses that answers come to. The secret is made where there is none yet.
func Tokens(o Options) (*notice.Tokens, error) {
	secrets, err := address.OpenSecrets(o.Config.NoticeSecret())
	if err != nil {
		return nil, fmt.Errorf("notice: %w", err)
	}
	return notice.NewTokens(o.Config.Notice.ReturnAddress, secrets), nil
}
