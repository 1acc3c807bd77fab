package notice

import (
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Config is the table [notice] of the configuration file. Without from nothing is sent, and nothing proposed.
type Config struct {
	From          string           `toml:"from"`           // who letters come from; its domain must be aligned
	ReturnAddress string           `toml:"return_address"` // where what comes back goes: notices@example.org, and notices+TOKEN@example.org
	Organization  string           `toml:"organization"`   // who we are
	Contact       string           `toml:"contact"`        // an address that a person reads; that of from if empty
	About         string           `toml:"about"`          // a page about us
	Language      string           `toml:"language"`       // of all letters; as the domain suggests if empty
	Catalogue     string           `toml:"catalogue"`      // a file with another language
	PerHour       int              `toml:"per_hour"`
	PerDay        int              `toml:"per_day"`
	Recheck       signing.Duration `toml:"recheck"` // how often is looked whether it is mended
	Follow        signing.Duration `toml:"follow"`  // for how long
	Except        []string         `toml:"except"`  // domains that are never written to
	Rules         []Rule           `toml:"rule"`
}

// A Rule opens cases by itself, as somebody wrote it down.
type Rule struct {
	Name     string   `toml:"name"`
	Rules    []string `toml:"rules"`    // of the policy, that stopped the messages: "spf-softfail"
	Messages int64    `toml:"messages"` // of a domain within a week, at least
	Domains  []string `toml:"domains"`  // only these; all if empty
	Send     bool     `toml:"send"`     // without waiting for somebody to approve it
}

// The limits that no configuration lifts.
const (
	Quiet        = 90 * 24 * time.Hour // one letter to an Organizational Domain in that time
	perRecipient = 24 * time.Hour      // and one to an address
	mostPerHour  = 100
	mostPerDay   = 500
	day          = 24 * time.Hour
)

// DefaultConfig is the table with what it does not say.
func DefaultConfig() Config {
	return Config{PerHour: 10, PerDay: 50, Recheck: signing.Duration(day), Follow: signing.Duration(180 * day), Except: []string{}, Rules: []Rule{}}
}

// Enabled tells whether letters are written at all.
func (c *Config) Enabled() bool { return c.From != "" }

// limits are those of the store.
func (c *Config) limits() store.NoticeLimits {
	return store.NoticeLimits{PerHour: min(c.PerHour, mostPerHour), PerDay: min(c.PerDay, mostPerDay), Quiet: Quiet, Recipient: perRecipient}
}

// Check says which key holds a value that cannot be. It writes domains as they are looked for.
func (c *Config) Check() (key string, err error) {
	wrong := func(key, format string, args ...any) (string, error) {
		return "notice." + key, fmt.Errorf("notice.%s %s", key, fmt.Sprintf(format, args...))
	}
	if err := domains(c.Except); err != nil {
		return wrong("except", "%v", err)
	}
	if key, err := c.checkRules(); err != nil {
		return key, err
	}
	if c.Recheck < signing.Duration(time.Hour) || c.Follow < c.Recheck {
		return wrong("recheck", "%v: it must be an hour at least, and follow not less", c.Recheck)
	}
	for _, k := range []struct {
		key        string
		value, max int
	}{{"per_hour", c.PerHour, mostPerHour}, {"per_day", c.PerDay, mostPerDay}} {
		if k.value < 1 || k.value > k.max {
			return wrong(k.key, "%d: it must be from 1 to %d", k.value, k.max)
		}
	}
	if c.Language != "" && c.Catalogue == "" && !Languages().Has(c.Language) {
		return wrong("language", "%q: there are %s; notice.catalogue is the file of another", c.Language, strings.Join(Languages().Names(), ", "))
	}
	if !c.Enabled() {
		if len(c.Rules) > 0 {
			return wrong("rule", "letters need an address that they come from; write notice.from")
		}
		return "", nil
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return wrong("from", "%q: not an address; write it as Example GmbH <postmaster@example.org>", c.From)
	}
	back, err := mail.ParseAddress(c.ReturnAddress)
	if err != nil {
		return wrong("return_address", "%q: not an address; what comes back goes there, and is read: write it as notices@example.org", c.ReturnAddress)
	}
	if local, _, _ := strings.Cut(back.Address, "@"); len(local) > mostLocal || strings.ContainsAny(local, "+\" ") {
		return wrong("return_address", "%q: what stands before the @ must be short and plain, as in notices@example.org", c.ReturnAddress)
	}
	if !aligned(domainOf(from.Address), domainOf(back.Address)) {
		return wrong("return_address", "%q: not of the domain of notice.from, so that our own letters would not pass DMARC by SPF", c.ReturnAddress)
	}
	if strings.TrimSpace(c.Organization) == "" {
		return wrong("organization", "is missing: a letter says who writes it")
	}
	if c.Contact != "" {
		if _, err := mail.ParseAddress(c.Contact); err != nil {
			return wrong("contact", "%q: not an address", c.Contact)
		}
	}
	if u, err := url.Parse(c.About); c.About != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return wrong("about", "%q: write it as https://example.org/mail", c.About)
	}
	return "", nil
}

func (c *Config) checkRules() (key string, err error) {
	for i := range c.Rules {
		r := &c.Rules[i]
		if r.Name == "" {
			return "notice.rule", fmt.Errorf("notice.rule: name is missing: cases say by which rule they were opened")
		}
		if err := domains(r.Domains); err != nil {
			return "notice.rule", fmt.Errorf("notice.rule %q: domains %w", r.Name, err)
		}
		if len(r.Rules) == 0 || r.Messages < 1 {
			return "notice.rule", fmt.Errorf("notice.rule %q: write rules, those of the policy that stopped the messages, and messages, how many of a domain at least", r.Name)
		}
		if slices.ContainsFunc(c.Rules[:i], func(o Rule) bool { return o.Name == r.Name }) {
			return "notice.rule", fmt.Errorf("notice.rule %q: there are two of this name", r.Name)
		}
	}
	return "", nil
}

func domains(all []string) error {
	for i, name := range all {
		domain, err := dns.ToASCII(name)
		if err != nil || domain == "" {
			return fmt.Errorf("%q: not a domain", name)
		}
		all[i] = domain
	}
	return nil
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

// aligned tells whether two domains have one Organizational Domain (RFC 7489 3.1, relaxed).
func aligned(a, b string) bool {
	return senders.OrganizationalDomain(a) == senders.OrganizationalDomain(b)
}

// covers tells whether a domain, or one above it, is in a list.
func covers(list []string, domain string) bool {
	return slices.ContainsFunc(list, func(d string) bool { return d == domain || strings.HasSuffix(domain, "."+d) })
}

// Languages reads the catalogue that letters are written with.
func (c *Config) Languages() (*Catalogue, error) {
	all, err := Load(c.Catalogue)
	if err != nil {
		return nil, err
	}
	if c.Language != "" && !all.Has(c.Language) {
		return nil, fmt.Errorf("language %q: there are %s", c.Language, strings.Join(all.Names(), ", "))
	}
	return all, nil
}
