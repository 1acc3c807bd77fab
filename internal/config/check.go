package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// check says which key holds a value that cannot be, and why.
func (c *Config) check() (key string, err error) {
	if _, err := policy.Named(c.Policy); err != nil {
		return "policy", unlessPreset(err)
	}
	for _, k := range []struct {
		key, value string
		allowed    []string
	}{
		{"mode", c.Mode, []string{Enforce, Monitor}},
		{"dmarc.method", string(c.DMARC.Method), []string{string(dmarc.TreeWalk), string(dmarc.PublicSuffixList)}},
		{"store.sync", c.Store.Sync, []string{"second", "each", "never"}},
		{"log.format", c.Log.Format, []string{Text, JSON}},
	} {
		if !slices.Contains(k.allowed, k.value) {
			return k.key, fmt.Errorf("%s %q: there are %s", k.key, k.value, strings.Join(k.allowed, ", "))
		}
	}
	if key, err := c.checkNumbers(); err != nil {
		return key, err
	}
	if c.StateDir == "" {
		return "state_dir", fmt.Errorf("state_dir: name a folder, or leave the key out")
	}
	if err := c.checkNetworks(); err != nil {
		return "own_networks", err
	}
	if len(c.Listen) == 0 {
		return "listen", fmt.Errorf("listen: there is nothing to listen on; leave the key out for 127.0.0.1:8891")
	}
	if !isHostName(c.AuthservID) {
		return "authserv_id", fmt.Errorf("authserv_id %q: not a host name", c.AuthservID)
	}
	if key, err := c.checkDomains(); err != nil {
		return key, err
	}
	if key, err := c.ARC.check(); err != nil {
		return key, err
	}
	if _, key, err := c.Signing.Settings(); err != nil {
		return key, err
	}
	if err := checkHelpURL(c.HelpURL); err != nil {
		return "help_url", err
	}
	if err := store.Check(c.StoreURL()); err != nil {
		return "store.url", fmt.Errorf("store.url: %w", err)
	}
	if key, err := c.checkReports(); err != nil {
		return key, err
	}
	if key, err := c.checkLetters(); err != nil {
		return key, err
	}
	if key, err := c.Web.check(); err != nil {
		return key, err
	}
	for i, s := range c.Resolver.Servers {
		server, err := resolverAddress(s)
		if err != nil {
			return "resolver.servers", err
		}
		c.Resolver.Servers[i] = server
	}
	return "", nil
}

func (c *Config) checkNumbers() (key string, err error) {
	for _, k := range []struct {
		key             string
		value, min, max int64
	}{
		{"max_sessions", int64(c.MaxSessions), 1, 1 << 20},
		{"limits.queries", int64(c.Limits.Queries), 1, 1 << 20},
		{"limits.bytes", int64(c.Limits.Bytes), 1 << 10, 1 << 40},
		{"limits.header_bytes", int64(c.Limits.HeaderBytes), 1 << 10, 64 << 20},
		{"limits.fields", int64(c.Limits.Fields), 10, 1 << 20},
		{"limits.signatures", int64(c.Limits.Signatures), 1, 1000},
		{"store.messages", int64(c.Store.Messages), 0, 1 << 30},
		{"store.observations", int64(c.Store.Observations), 1000, 1 << 30},
		{"store.journal_bytes", int64(c.Store.JournalBytes), 16 << 20, 1 << 40},
		{"limits.messages", int64(c.Limits.Messages), 1, 1 << 20},
	} {
		if k.value < k.min || k.value > k.max {
			return k.key, fmt.Errorf("%s %d: it must be from %d to %d", k.key, k.value, k.min, k.max)
		}
	}
	for _, k := range []struct {
		key      string
		value    Duration
		min, max time.Duration
	}{
		{"limits.time", c.Limits.Time, time.Second, 10 * time.Minute},
		{"idle_timeout", c.IdleTimeout, time.Second, 24 * time.Hour},
		{"store.message_age", c.Store.MessageAge, 0, 100 * 365 * 24 * time.Hour},
		{"store.observation_age", c.Store.ObservationAge, 0, 100 * 365 * 24 * time.Hour},
	} {
		if d := time.Duration(k.value); d < k.min || d > k.max {
			return k.key, fmt.Errorf("%s %v: it must be from %v to %v, written with its unit", k.key, k.value, Duration(k.min), Duration(k.max))
		}
	}
	return "", nil
}

// unlessPreset says which key an error in a file of its own is about. That of a preset says so itself.
func unlessPreset(err error) error {
	if strings.HasPrefix(err.Error(), "policy ") {
		return err
	}
	return fmt.Errorf("policy: %w", err)
}

// The widest networks that can be one's own.
const (
	widestIPv4 = 8
	widestIPv6 = 16
)

// checkNetworks refuses what switches verification off, and writes IPv4 networks as such.
func (c *Config) checkNetworks() error {
	for i, n := range c.OwnNetworks {
		widest := widestIPv6
		if n.Addr().Is4In6() && n.Bits() >= 96 {
			n = netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96)
			c.OwnNetworks[i] = n
		}
		if n.Addr().Is4() {
			widest = widestIPv4
		}
		if n.Bits() < widest {
			return fmt.Errorf("own_networks %q: mail from there would not be verified; the widest is /%d for IPv4 and /%d for IPv6", n, widestIPv4, widestIPv6)
		}
	}
	return nil
}

// resolverAddress adds the port that a name server has unless it says otherwise.
func resolverAddress(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.Trim(s, "[]"), "53"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "[]@ /\x00") {
		return "", fmt.Errorf("resolver.servers %q: no name server's address; write it like \"127.0.0.1:53\"", s)
	}
	return net.JoinHostPort(host, port), nil
}

// isHostName tells whether s can be the name of a host, and so stand unquoted in a header field.
func isHostName(s string) bool {
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := 0; i < len(label); i++ {
			c := label[i] | 0x20
			if !('a' <= c && c <= 'z' || '0' <= label[i] && label[i] <= '9' || label[i] == '-' || label[i] == '_') {
				return false
			}
		}
	}
	return len(s) <= 253
}
