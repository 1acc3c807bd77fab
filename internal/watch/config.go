package watch

import (
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/signing"
)

// A Config is the table [watch] of the configuration file.
type Config struct {
	Domains []string         `toml:"domains"` // those of [reports] if empty
	Every   signing.Duration `toml:"every"`   // 0: never
	Connect bool             `toml:"connect"` // speak with the domains' mail servers too
}

// DefaultConfig is what holds for keys that the file does not have.
func DefaultConfig() Config {
	return Config{Domains: []string{}, Every: signing.Duration(6 * time.Hour)}
}

func (c *Config) every() time.Duration { return time.Duration(c.Every) }

// Check says which key holds a value that cannot be. It writes domains as they are looked for.
func (c *Config) Check() (key string, err error) {
	for i, name := range c.Domains {
		domain, err := dns.ToASCII(name)
		if err != nil {
			return "watch.domains", fmt.Errorf("watch.domains %q: not a domain", name)
		}
		c.Domains[i] = domain
	}
	if d := c.every(); d != 0 && (d < 10*time.Minute || d > 30*24*time.Hour) {
		return "watch.every", fmt.Errorf("watch.every %v: it must be from 10m to 30d, or 0s for never", c.Every)
	}
	return "", nil
}
