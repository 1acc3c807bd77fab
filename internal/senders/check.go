package senders

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// check says what is wrong with a service, and under which key.
func (s *Service) check() (key string, err error) {
	switch {
	case s.ID == "":
		return "id", errors.New("id: missing; a service needs one, such as \"example-mail\"")
	case !isSlug(s.ID):
		return "id", fmt.Errorf("id: %q: small letters, digits and dashes make an id", s.ID)
	case s.Name == "":
		return "name", errors.New("name: missing")
	}
	if err := oneOf("role", string(s.Role), string(Sender), string(Forwarder), string(Gateway), string(Mailbox)); err != nil {
		return "role", err
	}
	if s.Category == "" {
		s.Category = "own"
	}
	if !isSlug(s.Category) {
		return "category", fmt.Errorf("category: %q: small letters, digits and dashes make a category", s.Category)
	}
	for _, list := range []struct {
		key     string
		domains []string
	}{{"ptr", s.PTR}, {"dkim", s.DKIM}, {"envelope", s.Envelope}, {"helo", s.HELO}, {"spf", s.SPF}} {
		for _, domain := range list.domains {
			if err := checkSuffix(domain); err != nil {
				return list.key, fmt.Errorf("%s: %q: %w", list.key, domain, err)
			}
		}
	}
	for _, p := range s.Networks {
		if p != p.Masked() || p.Bits() < networkBits(p) {
			return "networks", fmt.Errorf("networks: %v: write the network's first address, and no network that is larger than a /%d", p, networkBits(p))
		}
	}
	if len(s.PTR)+len(s.DKIM)+len(s.Envelope)+len(s.HELO)+len(s.SPF)+len(s.Networks) == 0 && s.Include == "" {
		return "id", fmt.Errorf("%s: nothing to recognise it by; write ptr, dkim, envelope, helo, spf or networks", s.ID)
	}
	return s.checkHowTo()
}

func (s *Service) checkHowTo() (key string, err error) {
	for _, by := range s.Aligns {
		if err := oneOf("aligns", by, ByDKIM, BySPF); err != nil {
			return "aligns", err
		}
	}
	if s.Include != "" && !strings.Contains(s.Include, "{") {
		if err := checkSuffix(s.Include); err != nil {
			return "include", fmt.Errorf("include: %q: %w", s.Include, err)
		}
	}
	for _, r := range s.Records {
		if err := oneOf("for", r.For, "dkim", "return-path", "verify"); err != nil {
			return "records", err
		}
		if err := oneOf("type", r.Type, "CNAME", "TXT", "MX"); err != nil {
			return "records", err
		}
		if r.Name == "" || r.Value == "" {
			return "records", errors.New("records: a record has a name and a value")
		}
		if r.For == "dkim" && !s.CanAlign(ByDKIM) || r.For == "return-path" && !s.CanAlign(BySPF) {
			return "records", fmt.Errorf("records: a record for %s, which aligns does not speak of", r.For)
		}
	}
	if s.Docs != "" {
		if u, err := url.Parse(s.Docs); err != nil || u.Scheme != "https" || u.Host == "" {
			return "docs", fmt.Errorf("docs: %q: write an address that begins with https://", s.Docs)
		}
	}
	for _, text := range []string{s.Name, s.Note} {
		if len(text) > 500 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
			return "note", errors.New("name and note: one line of text each")
		}
	}
	return "", nil
}

// checkSuffix holds a domain to what an index can trust: in the form in which names are compared, and not one under which everybody
// registers.
func checkSuffix(domain string) error {
	if name, err := dns.ToASCII(domain); err != nil || name != domain {
		return errors.New("write a domain in small letters, without a dot at either end")
	}
	if suffix, icann := publicsuffix.PublicSuffix(domain); suffix == domain && (icann || !strings.Contains(domain, ".")) {
		return errors.New("a public suffix: everybody's domains are below it")
	}
	return nil
}

func isSlug(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 60
}

func oneOf(key, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	guess := nearest.Word(value, words)
	if guess != "" {
		guess = "; did you mean " + guess + "?"
	}
	return fmt.Errorf("%s: %.100q: there are %s%s", key, value, strings.Join(words, ", "), guess)
}
