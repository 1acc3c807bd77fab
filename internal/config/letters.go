package config

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/internal/digest"
)

// checkLetters says which key of [mail], [[digest]], [alerts], [watch] and [notice] holds a value that cannot be.
func (c *Config) checkLetters() (key string, err error) {
	if key, err := c.Mail.Check(); err != nil {
		return key, err
	}
	if key, err := digest.CheckAll(c.Digests); err != nil {
		return key, err
	}
	if key, err := c.Alerts.Check(); err != nil {
		return key, err
	}
	if key, err := c.Watch.Check(); err != nil {
		return key, err
	}
	if key, err := c.Notice.Check(); err != nil {
		return key, err
	}
	if c.Mail.From == "" && len(c.Digests) > 0 {
		return "digest", fmt.Errorf("digest: letters need an address that they come from; write mail.from")
	}
	if c.Mail.From == "" && len(c.Alerts.To) > 0 {
		return "alerts.to", fmt.Errorf("alerts.to: mail needs an address that it comes from; write mail.from")
	}
	return "", nil
}
