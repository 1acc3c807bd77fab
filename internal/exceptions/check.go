package exceptions

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// What an exception may be at most. One that lets in half of the Internet, or that nobody looks at again, is a hole.
const (
	MaxDuration = 366 * 24 * time.Hour
	minBitsV4   = 8
	minBitsV6   = 16
	maxReason   = 200 // characters
	maxAuthor   = 100
)

// A Wrong says what of an exception cannot be.
type Wrong struct {
	Field string // domain, network, dkim, until, reason, author
	text  string
}

func (w *Wrong) Error() string { return w.text }

func wrong(field, format string, args ...any) error {
	return &Wrong{Field: field, text: fmt.Sprintf(format, args...)}
}

// ParseNetwork reads a network, or one address.
func ParseNetwork(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, wrong("network", "not a network; write it as 192.0.2.0/24 or 2001:db8::/48")
	}
	return p, nil
}

// Check tells whether an exception may be added now, and brings its domains and its network into the form in which they are
// compared. What it does not let pass is a [*Wrong].
func Check(x *store.Exception, now time.Time) error {
	if err := checkDomain(x); err != nil {
		return err
	}
	switch {
	case x.Network.IsValid() && x.SDID != "":
		return wrong("network", "an exception is for a network or for a DKIM domain, not for both; make two")
	case x.Network.IsValid():
		if err := checkNetwork(x); err != nil {
			return err
		}
	case x.SDID != "":
		sdid, err := dns.ToASCII(x.SDID)
		if err != nil || !strings.Contains(sdid, ".") {
			return wrong("dkim", "DKIM domain %q: not a domain name; write what stands in the signature's d=", x.SDID)
		}
		x.SDID = sdid
	default:
		return wrong("network", "an exception needs a network or a DKIM domain: without one, whoever forges the domain would get in")
	}
	for _, text := range []struct {
		what, needs, value string
		most               int
	}{{"reason", "a reason", x.Reason, maxReason}, {"author", "an author", x.Author, maxAuthor}} {
		switch n := len([]rune(text.value)); {
		case strings.TrimSpace(text.value) == "":
			return wrong(text.what, "an exception needs %s: who finds it later must know whether it is still wanted", text.needs)
		case n > text.most:
			return wrong(text.what, "the %s has %d characters; %d is the most", text.what, n, text.most)
		case strings.ContainsFunc(text.value, func(r rune) bool { return !unicode.IsPrint(r) }):
			return wrong(text.what, "the %s %q must be one line of printable characters", text.what, text.value)
		}
	}
	return CheckUntil(x.Until, now)
}

// CheckUntil tells whether an exception may end then.
func CheckUntil(until, now time.Time) error {
	if !until.After(now) {
		return wrong("until", "the end, %s, is past", until.UTC().Format(time.RFC3339))
	}
	if until.Sub(now) > MaxDuration {
		return wrong("until", "the end, %s, is more than a year away: an exception that nobody looks at again is a hole; take %s, and extend it then if need be",
			until.UTC().Format(time.DateOnly), now.Add(MaxDuration-24*time.Hour).UTC().Format(time.DateOnly))
	}
	return nil
}

func checkDomain(x *store.Exception) error {
	name, below := strings.CutPrefix(x.Domain, "*.")
	domain, err := dns.ToASCII(name)
	if err != nil || !strings.Contains(domain, ".") || strings.ContainsAny(domain, "*@") {
		return wrong("domain", "%q: not a domain name; write it as example.com, or *.example.com for all beneath it", x.Domain)
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); below && suffix == domain {
		return wrong("domain", "%q: domains of strangers lie beneath %s; name one of them", x.Domain, domain)
	}
	x.Domain = domain
	if below {
		x.Domain = "*." + domain
	}
	return nil
}

func checkNetwork(x *store.Exception) error {
	p := network(x.Network)
	if p.Addr().Is4In6() {
		return wrong("network", "network %s holds all of IPv4; write an IPv4 network as 192.0.2.0/24", x.Network)
	}
	least := minBitsV6
	if p.Addr().Is4() {
		least = minBitsV4
	}
	switch masked := p.Masked(); {
	case p.Bits() < least:
		return wrong("network", "network %s is too broad: so many strangers are in it that the domain could be forged at will; /%d is the least", x.Network, least)
	case masked != p:
		return wrong("network", "network %s: the address lies within it; write %s for the network, or %s for the one address", x.Network, masked,
			netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	x.Network = p
	return nil
}
