package moving

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/message"
)

// OpenDKIM reads an opendkim.conf, its tables and its keys. The error names file and line of what cannot be read.
func OpenDKIM(path string) (*Move, error) {
	c, err := readConf(path)
	if err != nil {
		return nil, err
	}
	m := &Move{}
	if mode := c.get("Mode"); mode != nil && !strings.Contains(mode.value, "s") {
		m.note(mode.place, "Mode %s: opendkim does not sign, and so there is nothing to sign with", mode.value)
	} else if err := m.signing(c); err != nil {
		return nil, err
	} else if mode != nil && !strings.Contains(mode.value, "v") {
		m.note(mode.place, "Mode %s: opendkim only signs; Gatepost verifies what is not ours too (mode = \"monitor\" lets all of it pass)", mode.value)
	}
	for i := range c.settings {
		s := &c.settings[i]
		if why := what[s.name]; why != "" {
			m.note(s.place, "%s: %s", s.name, why)
		} else if c.get(s.name) != s {
			m.note(s.place, "%s: it is there again below, and the last counts", s.name)
		} else if err := m.setting(c, s); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// signing reads who signs for whom.
func (m *Move) signing(c *conf) error {
	keys, table := c.get("KeyTable"), c.get("SigningTable")
	for _, name := range []string{"Domain", "Selector", "KeyFile"} {
		if s := c.get(name); s != nil && keys != nil {
			m.note(s.place, "%s: opendkim passes over it, since there is a KeyTable", name)
		}
	}
	switch {
	case keys != nil && table != nil:
		return m.tables(c, keys, table)
	case keys != nil:
		m.lost(keys.place, "KeyTable without a SigningTable: which key signs for whom is decided elsewhere")
		return nil
	case c.get("KeyFile") == nil:
		return nil
	}
	return m.single(c)
}

// single reads a configuration with one key for all domains.
func (m *Move) single(c *conf) error {
	file, domains, selector := c.get("KeyFile"), c.get("Domain"), c.get("Selector")
	if domains == nil || selector == nil {
		return fmt.Errorf("%s: KeyFile needs Domain and Selector beside it", file.place)
	}
	entries, _, err := c.dataset(domains)
	if err != nil {
		return err
	}
	for _, e := range entries {
		domain, err := signing.DomainName(e.key)
		if err != nil {
			m.lost(e.place, "Domain %s: not a domain that Gatepost can sign for", e.key)
			continue
		}
		m.load(file.place, domain, selector.value, c.path(file.value))
		m.rule(e.place, domain, domain)
		if c.yes("SubDomains") {
			m.rule(e.place, "*."+domain, domain)
		}
	}
	return nil
}

// setting translates a setting that has a counterpart.
func (m *Move) setting(c *conf, s *setting) error {
	switch s.name {
	case "Canonicalization":
		canon, err := dkim.ParseCanonicalization(strings.ToLower(s.value))
		if err != nil {
			return fmt.Errorf("%s: Canonicalization: %w", s.place, err)
		}
		m.line("signing", "canonicalization = %q", canon.String())
	case "AuthservID":
		if !strings.EqualFold(s.value, "HOSTNAME") {
			m.line("", "authserv_id = %s", quote(s.value))
		}
	case "SignatureTTL":
		m.ttl(s)
	case "MaximumSignaturesToVerify":
		if n, err := strconv.Atoi(s.value); err == nil && n >= 1 && n <= 1000 {
			m.line("limits", "signatures = %d", n)
		} else {
			m.note(s.place, "MaximumSignaturesToVerify %s: limits.signatures is from 1 to 1000", s.value)
		}
	case "Nameservers":
		m.line("resolver", "servers = %s", quoteList(strings.FieldsFunc(s.value, func(r rune) bool { return r == ',' || r == ' ' })))
	case "TrustAnchorFile":
		m.note(s.place, "TrustAnchorFile: Gatepost leaves DNSSEC to the resolver: let resolver.servers be one that validates")
	case "Socket":
		m.socket(s)
	case "UMask":
		m.note(s.place, "UMask: socket_mode says who may use a Unix socket; its default is 0660")
	case "SignatureAlgorithm":
		if strings.EqualFold(s.value, "rsa-sha1") {
			m.note(s.place, "SignatureAlgorithm rsa-sha1: nobody takes it any more (RFC 8301 3.1); Gatepost signs with SHA-256")
		}
	case "MultipleSignatures":
		m.note(s.place, "MultipleSignatures: Gatepost signs with one RSA and one Ed25519 key of a domain where it has both")
	case "SubDomains":
		if c.get("SigningTable") != nil && c.yes("SubDomains") {
			m.note(s.place, "SubDomains: opendkim heeds it only without a SigningTable")
		}
	case "SenderHeaders":
		if !strings.EqualFold(s.value, "From") {
			m.lost(s.place, "SenderHeaders %s: Gatepost signs for the domain in From, which is the one that DMARC looks at", s.value)
		}
	case "TestPublicKeys", "PeerList", "ExternalIgnoreList":
		m.note(s.place, "%s: %s", s.name, none)
	case "InternalHosts":
		return m.internal(c, s)
	case "OversignHeaders", "SignHeaders", "OmitHeaders":
		return m.headers(c, s)
	}
	return nil
}

func (m *Move) ttl(s *setting) {
	seconds, err := strconv.ParseUint(s.value, 10, 31)
	d := time.Duration(seconds) * time.Second
	switch {
	case err != nil:
		m.note(s.place, "SignatureTTL %s: not a number of seconds", s.value)
	case seconds == 0:
	case d < time.Hour:
		m.note(s.place, "SignatureTTL %s: signing.expire is an hour at least, since mail may wait that long", s.value)
	default:
		m.line("signing", "expire = %q", signing.Duration(d).String())
	}
}

func (m *Move) socket(s *setting) {
	kind, _, _ := strings.Cut(s.value, ":")
	if !contains([]string{"inet", "inet6", "unix", "local"}, kind) {
		m.note(s.place, "Socket %s: not understood; set listen", s.value)
		return
	}
	value := s.value
	if kind == "inet" && !strings.Contains(value, "@") {
		value += "@0.0.0.0"
	}
	m.line("", "# listen = [%s]  # as opendkim did; leave it out to listen on 127.0.0.1:8891 beside it", quote(value))
}

// internal reads whose mail is ours.
func (m *Move) internal(c *conf, s *setting) error {
	entries, _, err := c.dataset(s)
	if err != nil {
		return err
	}
	var networks []string
	for _, e := range entries {
		text := strings.NewReplacer("[", "", "]", "").Replace(e.key)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			switch {
			case text == "localhost":
				networks = append(networks, "127.0.0.0/8", "::1/128")
				continue
			case err != nil:
				m.note(e.place, "InternalHosts %s: own_networks holds addresses and networks only; write those of this host", e.key)
				continue
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if p := prefix.Masked().String(); !slices.Contains(networks, p) {
			networks = append(networks, p)
		}
	}
	m.line("", "own_networks = %s", quoteList(slices.Compact(networks)))
	return nil
}

// headers compares the fields that opendkim signs with those that we do.
func (m *Move) headers(c *conf, s *setting) error {
	entries, _, err := c.dataset(s)
	if err != nil {
		return err
	}
	var all message.Header
	for _, e := range entries {
		all = append(all, message.NewField(strings.TrimLeft(e.key, "*+-"), " x"))
	}
	ours := dkim.DefaultHeaders(all)
	var differ []string
	for _, f := range all {
		signed := slices.ContainsFunc(ours, func(name string) bool { return strings.EqualFold(name, f.Name) })
		if f.Name != "" && f.Name != "." && signed == (s.name == "OmitHeaders") {
			differ = append(differ, f.Name)
		}
	}
	switch {
	case len(differ) == 0:
	case s.name == "OmitHeaders":
		m.note(s.place, "OmitHeaders: Gatepost signs %s", strings.Join(differ, ", "))
	default:
		m.note(s.place, "%s: Gatepost does not sign %s", s.name, strings.Join(differ, ", "))
	}
	return nil
}
