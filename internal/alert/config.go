package alert

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// A Config is the table [alerts] of the configuration file.
type Config struct {
	To             []string         `toml:"to"`              // addresses; no mail if empty
	Webhook        string           `toml:"webhook"`         // where JSON is posted; nowhere if empty
	SecretFile     string           `toml:"secret_file"`     // by which what is posted is signed
	CAFile         string           `toml:"ca_file"`         // certificates to trust in the place of the system's
	Domains        []string         `toml:"domains"`         // those of [reports] if empty
	Quiet          signing.Duration `toml:"quiet"`           // about what was told
	NewSource      int64            `toml:"new_source"`      // messages in three days from which on a new source is told of; 0: never
	PassRateDrops  int64            `toml:"pass_rate_drops"` // points; 0: never
	UnreadReports  int64            `toml:"unread_reports"`  // that came in a day and cannot be read; 0: never
	SilentReporter bool             `toml:"silent_reporters"`
	PolicyDiffers  bool             `toml:"policy_differs"`
	Link           string           `toml:"link"` // the dashboard's address; may be empty
}

// DefaultConfig is what holds for keys that the file does not have.
func DefaultConfig() Config {
	return Config{To: []string{}, Domains: []string{}, Quiet: signing.Duration(7 * 24 * time.Hour), NewSource: 100, PassRateDrops: 10, UnreadReports: 5,
		SilentReporter: true, PolicyDiffers: true}
}

// on tells whether there is anybody to tell.
func (c *Config) on() bool { return len(c.To) > 0 || c.Webhook != "" }

func (c *Config) quiet() time.Duration { return time.Duration(c.Quiet) }

// Check says which key holds a value that cannot be. It writes domains as they are looked for.
func (c *Config) Check() (key string, err error) {
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			return "alerts.to", fmt.Errorf("alerts.to %q: not an address", to)
		}
	}
	for i, name := range c.Domains {
		domain, err := dns.ToASCII(name)
		if err != nil {
			return "alerts.domains", fmt.Errorf("alerts.domains %q: not a domain", name)
		}
		c.Domains[i] = domain
	}
	if err := checkWebhook(c.Webhook); err != nil {
		return "alerts.webhook", fmt.Errorf("alerts.webhook: %w", err)
	}
	if c.Webhook == "" && c.SecretFile != "" {
		return "alerts.secret_file", fmt.Errorf("alerts.secret_file: there is no webhook that it signs for")
	}
	if d := time.Duration(c.Quiet); d < time.Hour || d > 365*24*time.Hour {
		return "alerts.quiet", fmt.Errorf("alerts.quiet %v: it must be from 1h to 365d", c.Quiet)
	}
	for _, n := range []struct {
		key        string
		value, max int64
	}{{"alerts.new_source", c.NewSource, 1 << 40}, {"alerts.pass_rate_drops", c.PassRateDrops, 100}, {"alerts.unread_reports", c.UnreadReports, 1 << 40}} {
		if n.value < 0 || n.value > n.max {
			return n.key, fmt.Errorf("%s %d: it must be from 0 to %d", n.key, n.value, n.max)
		}
	}
	if u, err := url.Parse(c.Link); c.Link != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return "alerts.link", fmt.Errorf("alerts.link %q: write it as https://gatepost.example.org", c.Link)
	}
	return "", nil
}

// checkWebhook wants TLS, but for this host: what is posted tells of the domain's mail. It does not show what is in the address, which
// may be secret.
func checkWebhook(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("not an address; write it as https://HOST/PATH")
	}
	if u.User != nil {
		return fmt.Errorf("a name and a password in it are not used; name a secret_file")
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); u.Scheme == "http" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("http to another host; write https")
	}
	return nil
}
