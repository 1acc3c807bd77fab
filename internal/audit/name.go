package audit

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
)

// A Misnamed says that something else was given in the place of a domain, of which one can be made out.
type Misnamed struct {
	What   string // "a URL"
	Domain string
}

func (e *Misnamed) Error() string { return fmt.Sprintf("%s; name its domain: %s", e.What, e.Domain) }

// DomainName reads the name of a domain, as A-labels or U-labels, and says of what is none what was likely meant.
func DomainName(s string) (string, error) {
	domain, err := dns.ToASCII(s)
	_, notAddress := netip.ParseAddr(strings.Trim(s, "[]"))
	if err == nil && notAddress != nil && !strings.ContainsFunc(domain, isNoLetter) {
		return domain, nil
	}
	bare, what := s, ""
	if _, rest, ok := strings.Cut(bare, "://"); ok {
		bare, what = rest, "a URL"
	}
	if i := strings.IndexAny(bare, "/?#"); i >= 0 {
		bare, what = bare[:i], "a URL"
	}
	if i := strings.LastIndexByte(bare, '@'); i >= 0 {
		bare = bare[i+1:]
		if what == "" {
			what = "an e-mail address"
		}
	}
	if host, port, ok := strings.Cut(bare, ":"); ok && strings.Trim(port, "0123456789") == "" {
		bare = host
		if what == "" {
			what = "a name with a port"
		}
	}
	if strings.HasPrefix(bare, "*.") {
		bare = bare[2:]
		if what == "" {
			what = "a wildcard"
		}
	}
	switch domain, err := dns.ToASCII(bare); {
	case notAddress == nil:
		return "", errors.New("an IP address; name the domain that it sends for")
	case what != "" && err == nil && !strings.ContainsFunc(domain, isNoLetter):
		return "", &Misnamed{what, domain}
	}
	return "", errors.New("no domain; write it as example.com")
}

// isNoLetter tells what does not stand in the name of a domain that has mail.
func isNoLetter(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
