package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
)

// checkDomains writes domains as A-labels, and says which is none.
func (c *Config) checkDomains() (key string, err error) {
	seen := map[string]bool{}
	for i := range c.Recipients {
		r, at := &c.Recipients[i], fmt.Sprintf("recipients[%d].", i)
		if len(r.Domains) == 0 {
			return at + "domains", fmt.Errorf("recipients: a table without domains; write domains = [\"example.org\"]")
		}
		if err := patterns(r.Domains); err != nil {
			return at + "domains", fmt.Errorf("recipients.domains %w", err)
		}
		for _, d := range r.Domains {
			if seen[d] {
				return at + "domains", fmt.Errorf("recipients.domains %q: it stands in a table above too", d)
			}
			seen[d] = true
		}
		if r.Policy != "" {
			if _, err := policy.Named(r.Policy); err != nil {
				return at + "policy", fmt.Errorf("recipients: %w", unlessPreset(err))
			}
		}
		if modes := []string{"", Enforce, Monitor}; !slices.Contains(modes, r.Mode) {
			return at + "mode", fmt.Errorf("recipients.mode %q: there are %s", r.Mode, strings.Join(modes[1:], ", "))
		}
	}
	return "", nil
}

// patterns writes domains, or "*." and a domain, as A-labels.
func patterns(domains []string) error {
	for i, d := range domains {
		rest, wild := strings.CutPrefix(d, "*.")
		a, err := dns.ToASCII(rest)
		if err != nil || a == "" || strings.Contains(a, "*") {
			return fmt.Errorf("%q: not a domain; write it like \"example.org\", or \"*.example.org\" for those below", d)
		}
		if wild {
			a = "*." + a
		}
		domains[i] = a
	}
	return nil
}

func (a *ARC) check() (key string, err error) {
	for i, d := range a.TrustedSealers {
		domain, err := dns.ToASCII(d)
		if err != nil || !strings.Contains(domain, ".") || strings.Contains(domain, "*") {
			return "arc.trusted_sealers", fmt.Errorf("arc.trusted_sealers %q: not a domain; write it as in d= of ARC-Seal", d)
		}
		a.TrustedSealers[i] = domain
	}
	if err := patterns(a.SealRecipients); err != nil {
		return "arc.seal_recipients", fmt.Errorf("arc.seal_recipients %w", err)
	}
	for _, k := range []struct{ key, value string }{{"seal_selector", a.SealSelector}, {"seal_key", a.SealKey}} {
		if (k.value == "") != (a.SealDomain == "") {
			return "arc." + k.key, fmt.Errorf("arc: to seal, set seal_domain, seal_selector and seal_key, all three")
		}
	}
	return "", nil
}

// checkHelpURL wants what fits into a reply.
func checkHelpURL(s string) error {
	if s == "" {
		return nil
	}
	const most = 120
	u, err := url.Parse(s)
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !plain || len(s) > most {
		return fmt.Errorf("help_url %q: not an address of the web with %d characters at most; {ref} in it becomes the message's reference", s, most)
	}
	return nil
}
