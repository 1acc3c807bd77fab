package config

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/inbox/address"
	"github.com/gatepost-mail/gatepost/internal/notice"
)

// Reports says by which ways the reports about our domains come, and what is kept of them.
type Reports struct {
	Domains      []string      `toml:"domains"`       // ours
	VerifiedOnly bool          `toml:"verified_only"` // in figures and letters
	Senders      string        `toml:"senders"`       // a file with services of one's own
	Networks     []string      `toml:"networks"`      // MMDB files that tell the network and the country of an address
	RowAge       Duration      `toml:"row_age"`
	RawAge       Duration      `toml:"raw_age"`
	FailureAge   Duration      `toml:"failure_age"`
	Address      ReportAddress `toml:"address"`
	SMTP         ReportSMTP    `toml:"smtp"`
	HTTP         ReportHTTP    `toml:"http"`
	Folders      []Folder      `toml:"folder"`
	IMAP         []IMAP        `toml:"imap"`
	Graph        []Graph       `toml:"graph"`
	Gmail        []Gmail       `toml:"gmail"`
}

// ReportAddress says what the addresses look like that reports are sent to.
type ReportAddress struct {
	Host      string   `toml:"host"` // authserv_id if empty
	Prefix    string   `toml:"prefix"`
	Separator string   `toml:"separator"`
	Secret    string   `toml:"secret"` // a file; report-addresses.secret in the state directory if empty
	Plain     []string `toml:"plain"`
}

// ReportSMTP is our own receiver.
type ReportSMTP struct {
	Listen        []Address      `toml:"listen"`
	LMTP          []Address      `toml:"lmtp"`
	CertFile      string         `toml:"cert_file"`
	KeyFile       string         `toml:"key_file"`
	TrustedRelays []netip.Prefix `toml:"trusted_relays"`
	RelayID       string         `toml:"relay_authserv_id"`
	MaxBytes      Size           `toml:"max_bytes"`
	Connections   int            `toml:"max_connections"`
}

// ReportHTTP is the upload at /reports, where web listens.
type ReportHTTP struct {
	Tokens         string         `toml:"tokens"` // a file; nothing is taken if empty
	MaxBytes       Size           `toml:"max_bytes"`
	TrustedProxies []netip.Prefix `toml:"trusted_proxies"`
}

// A Folder is a table [[reports.folder]].
type Folder struct {
	Path      string   `toml:"path"`
	Folders   []string `toml:"folders"` // of a Maildir
	Recursive bool     `toml:"recursive"`
	After     string   `toml:"after"`
	Done      string   `toml:"done"`
	Bad       string   `toml:"bad"`
	MaxSize   Size     `toml:"max_bytes"`
	Rescan    Duration `toml:"rescan"`
}

// OAuth says how to get a token in the place of a password.
type OAuth struct {
	Provider         string   `toml:"provider"`
	Tenant           string   `toml:"tenant"`
	ClientID         string   `toml:"client_id"`
	ClientSecretFile string   `toml:"client_secret_file"`
	RefreshTokenFile string   `toml:"refresh_token_file"`
	TokenURL         string   `toml:"token_url"`
	Scopes           []string `toml:"scopes"`
	CAFile           string   `toml:"ca_file"`
}

// An IMAP is a table [[reports.imap]].
type IMAP struct {
	Server       string   `toml:"server"`
	TLS          string   `toml:"tls"`
	CAFile       string   `toml:"ca_file"`
	ServerName   string   `toml:"server_name"`
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	OAuth        *OAuth   `toml:"oauth"`
	Mailboxes    []string `toml:"mailboxes"`
	After        string   `toml:"after"`
	Done         string   `toml:"done"`
	Bad          string   `toml:"bad"`
	Keyword      string   `toml:"keyword"`
	MaxSize      Size     `toml:"max_bytes"`
	Poll         Duration `toml:"poll"`
}

// checkReports says which key of [reports] holds a value that cannot be. What an input wants of its table, it says itself.
func (c *Config) checkReports() (key string, err error) {
	r := &c.Reports
	for i, name := range r.Domains {
		domain, err := dns.ToASCII(name)
		if err != nil {
			return "reports.domains", fmt.Errorf("reports.domains %q: not a domain", name)
		}
		if slices.Contains(r.Domains[:i], domain) {
			return "reports.domains", fmt.Errorf("reports.domains %q: it is there twice", name)
		}
		r.Domains[i] = domain
	}
	for _, k := range []struct {
		key   string
		value Duration
		min   time.Duration
	}{
		{"reports.row_age", r.RowAge, 0}, {"reports.raw_age", r.RawAge, 0}, {"reports.failure_age", r.FailureAge, 0},
	} {
		if d := time.Duration(k.value); d < k.min || d > 100*365*24*time.Hour {
			return k.key, fmt.Errorf("%s %v: it must be from %v to 876000h, written with its unit", k.key, k.value, Duration(k.min))
		}
	}
	if r.SMTP.MaxBytes < 1<<10 || r.HTTP.MaxBytes < 1<<10 {
		return "reports", fmt.Errorf("reports: max_bytes of smtp and http must be 1KiB at least")
	}
	if len(r.SMTP.Listen)+len(r.SMTP.LMTP) > 0 && len(r.Domains)+len(r.Address.Plain) == 0 {
		return "reports.smtp", fmt.Errorf("reports.smtp: there is nobody to take mail for; write reports.domains")
	}
	return "", nil
}

// ReportHost is the host that report addresses are at.
func (c *Config) ReportHost() string {
	if c.Reports.Address.Host != "" {
		return c.Reports.Address.Host
	}
	return c.AuthservID
}

// ReportAddresses says what the addresses look like that reports about some domains are sent to.
func (c *Config) ReportAddresses(domains []string, secrets []address.Secret) address.Options {
	a := &c.Reports.Address
	return address.Options{
		Host: c.ReportHost(), Prefix: a.Prefix, Separator: a.Separator, Secrets: secrets, Domains: domains, Plain: a.Plain,
	}
}

// ReportSecret is the file that report addresses are made with.
func (c *Config) ReportSecret() string {
	if c.Reports.Address.Secret != "" {
		return c.Reports.Address.Secret
	}
	return filepath.Join(c.StateDir, address.SecretFile)
}

// NoticeSecret is the file that the addresses are made with to which letters to the owners of domains are answered.
func (c *Config) NoticeSecret() string { return filepath.Join(c.StateDir, notice.SecretFile) }

// paths are those that count from the folder of the file.
func (r *Reports) paths() []*string {
	paths := []*string{&r.Senders, &r.Address.Secret, &r.SMTP.CertFile, &r.SMTP.KeyFile, &r.HTTP.Tokens}
	for i := range r.Networks {
		paths = append(paths, &r.Networks[i])
	}
	for i := range r.Folders {
		f := &r.Folders[i]
		paths = append(paths, &f.Path)
		for _, to := range []*string{&f.Done, &f.Bad} {
			if !strings.HasPrefix(*to, ".") || strings.ContainsAny(*to, `/\`) { // else a folder of the Maildir
				paths = append(paths, to)
			}
		}
	}
	for i := range r.IMAP {
		paths = append(paths, &r.IMAP[i].CAFile, &r.IMAP[i].PasswordFile)
		paths = append(paths, r.IMAP[i].OAuth.paths()...)
	}
	for i := range r.Graph {
		paths = append(append(paths, &r.Graph[i].CAFile), r.Graph[i].OAuth.paths()...)
	}
	for i := range r.Gmail {
		paths = append(append(paths, &r.Gmail[i].CAFile), r.Gmail[i].OAuth.paths()...)
	}
	return paths
}

func (o *OAuth) paths() []*string {
	if o == nil {
		return nil
	}
	return []*string{&o.ClientSecretFile, &o.RefreshTokenFile, &o.CAFile}
}

// A Graph is a table [[reports.graph]]: a mailbox at Microsoft.
type Graph struct {
	User      string   `toml:"user"`
	OAuth     *OAuth   `toml:"oauth"`
	Folder    string   `toml:"folder"`
	After     string   `toml:"after"`
	Done      string   `toml:"done"`
	Bad       string   `toml:"bad"`
	MaxSize   Size     `toml:"max_bytes"`
	Poll      Duration `toml:"poll"`
	ServerURL string   `toml:"url"` // of a national cloud
	CAFile    string   `toml:"ca_file"`
}

// A Gmail is a table [[reports.gmail]]: a mailbox at Google.
type Gmail struct {
	User      string   `toml:"user"`
	OAuth     *OAuth   `toml:"oauth"`
	Label     string   `toml:"label"`
	After     string   `toml:"after"`
	Done      string   `toml:"done"`
	Bad       string   `toml:"bad"`
	MaxSize   Size     `toml:"max_bytes"`
	Poll      Duration `toml:"poll"`
	ServerURL string   `toml:"url"`
	CAFile    string   `toml:"ca_file"`
}
