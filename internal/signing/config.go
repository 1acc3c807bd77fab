package signing

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/nsupdate"
)

// A Config is the table [signing] of the configuration file.
type Config struct {
	Keys               string            `toml:"keys"`                // the key directory; keys in the state directory if empty
	Domains            []string          `toml:"domains"`             // Author Domains that are ours: "example.com", "*.example.com"
	SignAs             map[string]string `toml:"sign_as"`             // d= for one of them, where it is another
	Algorithms         []Algorithm       `toml:"algorithms"`          //
	RSABits            int               `toml:"rsa_bits"`            //
	Selector           string            `toml:"selector"`            // the pattern of new selectors
	Canonicalization   string            `toml:"canonicalization"`    //
	Expire             Duration          `toml:"expire"`              // x=; none if zero
	Unsigned           string            `toml:"unsigned"`            // what becomes of mail of our own that cannot be signed: accept, reject, defer
	Force              bool              `toml:"force"`               // sign with keys that DNS does not show
	RotateEvery        Duration          `toml:"rotate_every"`        // zero: by hand
	Settle             Duration          `toml:"settle"`              // from the record being seen to the first signature, at least
	KeepRetired        Duration          `toml:"keep_retired"`        // from the last signature to the revocation
	KeepRevoked        Duration          `toml:"keep_revoked"`        // from the revocation to the removal
	CheckAuthoritative bool              `toml:"check_authoritative"` // ask the domain's own name servers too
	NSUpdate           []UpdateConfig    `toml:"nsupdate"`            //
}

// An UpdateConfig is one table [[signing.nsupdate]]: a zone whose records we change ourselves (RFC 2136).
type UpdateConfig struct {
	Zone       string   `toml:"zone"`
	Server     string   `toml:"server"`      // HOST or HOST:PORT
	SecretFile string   `toml:"secret_file"` // as tsig-keygen writes it, or the bare secret
	KeyName    string   `toml:"key_name"`    // not needed if the file names it
	Algorithm  string   `toml:"algorithm"`   // hmac-sha256 or hmac-sha512; not needed if the file names it
	TTL        Duration `toml:"ttl"`         // an hour if zero
	Timeout    Duration `toml:"timeout"`     // ten seconds if zero
}

// DefaultConfig is what holds for keys that the file does not have.
func DefaultConfig() Config {
	return Config{
		Domains: []string{}, SignAs: map[string]string{}, Algorithms: []Algorithm{RSA, Ed25519}, RSABits: 2048,
		Unsigned: "accept", Selector: "gp-{year}-{month}-{a}", Canonicalization: "relaxed/relaxed",
		Settle: Duration(time.Hour), KeepRetired: Duration(7 * day), KeepRevoked: Duration(30 * day), CheckAuthoritative: true,
		NSUpdate: []UpdateConfig{},
	}
}

// Settings are a Config that was found to be good.
type Settings struct {
	rules            []rule
	algorithms       []Algorithm
	rsaBits          int
	selector         string
	canonicalization dkim.Canonicalization
	expire           time.Duration
	force            bool
	every            time.Duration
	settle           time.Duration
	keepRetired      time.Duration
	keepRevoked      time.Duration
}

// A rule says that mail from an Author Domain is signed for a signing domain.
type rule struct {
	author string // without "*."
	below  bool   // "*.": the domains below author
	sdid   string
}

// Settings checks a Config. The key of a value that cannot be is named as in the file.
func (c *Config) Settings() (s *Settings, key string, err error) {
	s = &Settings{
		rsaBits: c.RSABits, selector: c.Selector, expire: time.Duration(c.Expire), force: c.Force, every: time.Duration(c.RotateEvery),
		settle: time.Duration(c.Settle), keepRetired: time.Duration(c.KeepRetired), keepRevoked: time.Duration(c.KeepRevoked),
	}
	if key, err := c.rules(s); err != nil {
		return nil, key, err
	}
	if words := []string{"accept", "reject", "defer"}; !slices.Contains(words, c.Unsigned) {
		return nil, "signing.unsigned", fmt.Errorf("signing.unsigned %q: there are %s", c.Unsigned, strings.Join(words, ", "))
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms, a) {
			return nil, "signing.algorithms", fmt.Errorf("signing.algorithms %q: there are rsa, ed25519", a)
		}
	}
	for _, a := range Algorithms { // in the order in which they sign
		if slices.Contains(c.Algorithms, a) {
			s.algorithms = append(s.algorithms, a)
		}
	}
	if len(s.algorithms) == 0 {
		return nil, "signing.algorithms", fmt.Errorf("signing.algorithms: there is none; leave the key out for rsa and ed25519")
	}
	if s.canonicalization, err = dkim.ParseCanonicalization(c.Canonicalization); err != nil {
		return nil, "signing.canonicalization", fmt.Errorf("signing.canonicalization: %w", err)
	}
	if c.RSABits < 2048 || c.RSABits > 4096 {
		return nil, "signing.rsa_bits", fmt.Errorf("signing.rsa_bits %d: it must be from 2048 to 4096 (RFC 8301 3.2)", c.RSABits)
	}
	if _, err := newSelector(c.Selector, RSA, time.Unix(0, 0), nil); err != nil {
		return nil, "signing.selector", fmt.Errorf("signing.selector: %w", err)
	}
	if key, err := c.checkTimes(); err != nil {
		return nil, key, err
	}
	if key, err := c.checkUpdates(); err != nil {
		return nil, key, err
	}
	return s, "", nil
}

func (c *Config) checkTimes() (key string, err error) {
	for _, k := range []struct {
		key      string
		value    Duration
		min, max time.Duration
		zero     bool // is allowed
	}{
		{"signing.rotate_every", c.RotateEvery, day, 3650 * day, true},
		{"signing.settle", c.Settle, time.Minute, 30 * day, true},
		{"signing.keep_retired", c.KeepRetired, time.Hour, 365 * day, false},
		{"signing.keep_revoked", c.KeepRevoked, time.Hour, 3650 * day, true},
		{"signing.expire", c.Expire, time.Hour, 3650 * day, true},
	} {
		if d := time.Duration(k.value); !(k.zero && d == 0) && (d < k.min || d > k.max) {
			return k.key, fmt.Errorf("%s %v: it must be from %v to %v", k.key, k.value, Duration(k.min), Duration(k.max))
		}
	}
	if c.RotateEvery > 0 && c.RotateEvery < c.KeepRetired+c.Settle {
		return "signing.rotate_every", fmt.Errorf("signing.rotate_every %v: keys would come faster than old ones go; it must be longer than settle and keep_retired (%v)",
			c.RotateEvery, c.KeepRetired+c.Settle)
	}
	return "", nil
}

// rules reads which domains are ours, and for whom each is signed.
func (c *Config) rules(s *Settings) (key string, err error) {
	as := map[string]string{}
	for pattern, sdid := range c.SignAs {
		if !slices.Contains(c.Domains, pattern) {
			return "signing.sign_as", fmt.Errorf("signing.sign_as: %q is not in signing.domains", pattern)
		}
		as[pattern] = sdid
	}
	seen := map[string]bool{}
	for _, pattern := range c.Domains {
		base, below := strings.CutPrefix(pattern, "*.")
		author, err := DomainName(base)
		if err != nil {
			return "signing.domains", fmt.Errorf("signing.domains: %q is not a domain; write it like \"example.com\" or \"*.example.com\"", pattern)
		}
		r := rule{author: author, below: below, sdid: author}
		if other, ok := as[pattern]; ok {
			if r.sdid, err = DomainName(other); err != nil {
				return "signing.sign_as", fmt.Errorf("signing.sign_as: %w", err)
			}
			if !aligned(author, r.sdid) {
				return "signing.sign_as", fmt.Errorf("signing.sign_as: a signature of %s does not count for %s: they do not share an Organizational Domain (RFC 9989 4.4)",
					r.sdid, pattern)
			}
		}
		if id := fmt.Sprint(author, below); seen[id] {
			return "signing.domains", fmt.Errorf("signing.domains: %q is there twice", pattern)
		} else {
			seen[id] = true
		}
		s.rules = append(s.rules, r)
	}
	return "", nil
}

// aligned tells whether a signature of one domain can count for another in DMARC's relaxed mode.
func aligned(a, b string) bool { return a == b || organizational(a) == organizational(b) }

func organizational(domain string) string {
	if org, err := publicsuffix.EffectiveTLDPlusOne(domain); err == nil {
		return org
	}
	return domain // a public suffix is its own
}

func (c *Config) checkUpdates() (key string, err error) {
	const table = "signing.nsupdate"
	seen := map[string]bool{}
	for _, u := range c.NSUpdate {
		zone, err := DomainName(u.Zone)
		switch {
		case err != nil:
			return table, fmt.Errorf("%s: zone %q is not a domain", table, u.Zone)
		case seen[zone]:
			return table, fmt.Errorf("%s: zone %s is there twice", table, zone)
		case u.Server == "":
			return table, fmt.Errorf("%s: zone %s: server is missing: the primary name server, like \"192.0.2.53\"", table, zone)
		case u.SecretFile == "":
			return table, fmt.Errorf("%s: zone %s: secret_file is missing: tsig-keygen -a hmac-sha256 gatepost makes one", table, zone)
		case u.Algorithm != "" && !nsupdate.KnowsAlgorithm(u.Algorithm):
			return table, fmt.Errorf("%s: zone %s: algorithm %q: there are hmac-sha256, hmac-sha512", table, zone, u.Algorithm)
		case u.TTL != 0 && (u.TTL < Duration(time.Minute) || u.TTL > Duration(7*day)):
			return table, fmt.Errorf("%s: zone %s: ttl %v: it must be from 1m to 7d", table, zone, u.TTL)
		case u.Timeout != 0 && (u.Timeout < Duration(time.Second) || u.Timeout > Duration(time.Minute)):
			return table, fmt.Errorf("%s: zone %s: timeout %v: it must be from 1s to 1m", table, zone, u.Timeout)
		}
		if _, err := serverAddress(u.Server); err != nil {
			return table, fmt.Errorf("%s: zone %s: %w", table, zone, err)
		}
		seen[zone] = true
	}
	return "", nil
}

// serverAddress adds the port that a name server has unless it says otherwise.
func serverAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "53"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "[]@ /\x00") {
		return "", fmt.Errorf("server %q: no name server's address; write it like \"192.0.2.53:53\"", s)
	}
	return net.JoinHostPort(host, port), nil
}

// SDIDs are the domains that are signed for, each once, in the order of the file.
func (s *Settings) SDIDs() []string {
	var all []string
	for _, r := range s.rules {
		if !slices.Contains(all, r.sdid) {
			all = append(all, r.sdid)
		}
	}
	return all
}

// Algorithms are those that new keys are made for.
func (s *Settings) Algorithms() []Algorithm { return s.algorithms }
