package setup

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/tomlfile"
	"github.com/gatepost-mail/gatepost/spf"
)

// Answers are what a domain's owner says of it.
type Answers struct {
	Domain     string    `toml:"domain"`
	Sends      bool      `toml:"sends"`
	Receives   bool      `toml:"receives"`
	Services   []Service `toml:"service,omitempty"`     // that send for it
	Servers    []string  `toml:"servers,omitempty"`     // of its own that send: "mx", an address, a network, a host
	MX         []string  `toml:"mx,omitempty"`          // "10 mail.example.com"; what is published stays if there is none
	Reports    []string  `toml:"reports,omitempty"`     // who gets DMARC reports
	TLSReports []string  `toml:"tls_reports,omitempty"` // who gets TLS reports; as Reports if empty
	Softfail   bool      `toml:"softfail,omitempty"`    // SPF ends in ~all for now
	MTASTS     bool      `toml:"mta_sts"`
	STSHost    string    `toml:"mta_sts_host,omitempty"` // who serves the policy: an address, or a host to be an alias for
	Step       int       `toml:"dmarc_step,omitempty"`   // of the way to p=reject, from 1; a policy that is past it stays
	Back       bool      `toml:"-"`                      // go back to Step where the policy is past it
	Keys       []Key     `toml:"key,omitempty"`          // that the domain's own servers sign with
	Start      time.Time `toml:"start,omitempty"`        // when the way begins
}

// A Service is one that sends for the domain.
type Service struct {
	ID     string            `toml:"id"`
	Values map[string]string `toml:"values,omitempty"` // what its settings show, by the word in braces
}

// A Key is one that the domain's own servers sign with: what is public of it.
type Key struct {
	Selector string `toml:"selector"`
	Record   string `toml:"record"`
	File     string `toml:"file,omitempty"` // where its private half lies
}

// Read reads answers that were written down. The error is a [*tomlfile.Error], or that of reading the file.
func Read(path string) (Answers, error) {
	text, err := tomlfile.Read(path)
	if err != nil {
		return Answers{}, err
	}
	return Parse(path, text)
}

// Parse is [Read] of the text of a file of this name.
func Parse(name string, text []byte) (Answers, error) {
	a := Answers{Sends: true, Receives: true, MTASTS: true}
	if len(text) > tomlfile.MaxBytes {
		return a, &tomlfile.Error{File: name, Err: fmt.Errorf("larger than %d bytes", tomlfile.MaxBytes)}
	}
	err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&a)
	var missing *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case err == nil:
		return a, nil
	case errors.As(err, &missing) && len(missing.Errors) > 0:
		wrong = &missing.Errors[0]
		err = fmt.Errorf("%.100s: no such key%s", strings.Join(wrong.Key(), "."), guess(wrong.Key()[len(wrong.Key())-1], answerKeys))
	case errors.As(err, &wrong):
		err = errors.New(strings.TrimPrefix(wrong.Error(), "toml: "))
	default:
		return a, &tomlfile.Error{File: name, Err: err}
	}
	line, column := wrong.Position()
	return a, &tomlfile.Error{File: name, Line: line, Column: column, Err: err}
}

var answerKeys = []string{
	"domain", "sends", "receives", "service", "servers", "mx", "reports", "tls_reports", "softfail", "mta_sts", "mta_sts_host",
	"dmarc_step", "key", "start", "id", "values", "selector", "record", "file",
}

func guess(word string, words []string) string {
	if w := nearest.Word(word, words); w != "" {
		return "; did you mean " + w + "?"
	}
	return ""
}

// Text writes answers down, to be read by [Read].
func (a *Answers) Text() ([]byte, error) {
	text, err := toml.Marshal(a)
	if err != nil {
		return nil, err
	}
	return append([]byte("# What \"gatepost setup\" was told of "+a.Domain+".\n"), text...), nil
}

// bounds of what is taken: an owner's answers are few, and each becomes a record.
const (
	maxServices = 50
	maxList     = 50
)

// Check brings answers into the form in which they are worked with, and says what cannot be.
func (a *Answers) Check(table *senders.Table) error {
	domain, err := dns.ToASCII(a.Domain)
	if err != nil || !strings.Contains(domain, ".") {
		return fmt.Errorf("%.100q is not a domain; write it like \"example.com\"", a.Domain)
	}
	a.Domain = domain
	for _, n := range []int{len(a.Services), len(a.Servers), len(a.MX), len(a.Reports), len(a.TLSReports), len(a.Keys)} {
		if n > max(maxServices, maxList) {
			return fmt.Errorf("more than %d of a kind: that is no plan for one domain", maxList)
		}
	}
	if a.Step < 0 || a.Step > len(stages) {
		return fmt.Errorf("dmarc_step %d: there are 1 to %d, and 0 for as far as it has come", a.Step, len(stages))
	}
	if !a.Sends && (len(a.Services) > 0 || len(a.Servers) > 0 || len(a.Keys) > 0) {
		return errors.New("a domain that sends no mail has neither services nor servers nor keys; leave them out, or let it send")
	}
	if !a.Receives && len(a.MX) > 0 {
		return errors.New("a domain that receives no mail has no mail servers; leave mx out, or let it receive")
	}
	if err := a.checkServices(table); err != nil {
		return err
	}
	for i, s := range a.Servers {
		if _, err := serverTerm(s); err != nil {
			return fmt.Errorf("servers: %w", err)
		}
		a.Servers[i] = strings.TrimSpace(s)
	}
	for i, s := range a.MX {
		mx, err := ParseMX(s)
		if err != nil {
			return err
		}
		a.MX[i] = strconv.Itoa(int(mx.Preference)) + " " + mx.Host
	}
	for _, list := range [][]string{a.Reports, a.TLSReports} {
		for i, s := range list {
			if list[i], err = ReportAddress(s); err != nil {
				return err
			}
		}
	}
	for _, k := range a.Keys {
		if _, err := dns.ToASCII(k.Selector); err != nil {
			return fmt.Errorf("key: %.100q is not a selector", k.Selector)
		}
		if _, err := dkim.ParseKey(k.Record); err != nil {
			return fmt.Errorf("key %s: %w", k.Selector, err)
		}
	}
	if a.STSHost != "" {
		if _, err := netip.ParseAddr(a.STSHost); err != nil {
			if a.STSHost, err = dns.ToASCII(a.STSHost); err != nil || !strings.Contains(a.STSHost, ".") {
				return fmt.Errorf("mta_sts_host %.100q: neither an address nor a host", a.STSHost)
			}
		}
	}
	return nil
}

func (a *Answers) checkServices(table *senders.Table) error {
	seen := map[string]bool{}
	for i := range a.Services {
		s := &a.Services[i]
		s.ID = strings.ToLower(strings.TrimSpace(s.ID))
		service := table.Service(s.ID)
		if service == nil {
			return fmt.Errorf("service %.100q: no such service%s", s.ID, guess(s.ID, serviceIDs(table)))
		}
		if seen[s.ID] {
			return fmt.Errorf("service %s: named twice", s.ID)
		}
		seen[s.ID] = true
		known := Blanks(service, a.Domain)
		for _, word := range sortedKeys(s.Values) {
			value := strings.TrimSpace(s.Values[word])
			if !slices.Contains(known, word) {
				return fmt.Errorf("service %s: its records have no {%.100s}; there are %s", s.ID, word, orNone(known))
			}
			if value == "" || len(value) > 1000 || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`{}"\;`, r) }) {
				return fmt.Errorf("service %s: %s: a value is in one word, of printable ASCII", s.ID, word)
			}
			s.Values[word] = value
		}
	}
	return nil
}

func orNone(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func serviceIDs(table *senders.Table) []string {
	var ids []string
	for _, s := range table.Services() {
		ids = append(ids, s.ID)
	}
	return ids
}

// Blanks are the words in braces of a service's records, each once, in order.
func Blanks(s *senders.Service, domain string) []string {
	var all []string
	for _, r := range s.HowTo(domain) {
		for _, word := range append(braces(r.Name), braces(r.Value)...) {
			if !slices.Contains(all, word) {
				all = append(all, word)
			}
		}
	}
	return all
}

func braces(s string) []string {
	var all []string
	for {
		_, rest, ok := strings.Cut(s, "{")
		if !ok {
			return all
		}
		word, after, ok := strings.Cut(rest, "}")
		if !ok {
			return all
		}
		all, s = append(all, word), after
	}
}

// serverTerm is the mechanism that lets a server of the domain's own send.
func serverTerm(s string) (string, error) {
	s = strings.TrimSpace(s)
	term := s
	if p, err := netip.ParsePrefix(s); err == nil {
		if p != p.Masked() {
			return "", fmt.Errorf("%.100q: write the network's first address: %v", s, p.Masked())
		}
		term = "ip6:" + s
		if p.Addr().Is4() {
			term = "ip4:" + s
		}
	} else if ip, err := netip.ParseAddr(s); err == nil {
		term = "ip6:" + s
		if ip.Is4() {
			term = "ip4:" + s
		}
	} else if host, err := dns.ToASCII(s); err == nil && strings.Contains(host, ".") && !strings.ContainsAny(host, ":=/") {
		term = "a:" + host
	}
	t, err := spf.ParseTerm(term)
	if err != nil || t.Qualifier != '+' || t.Kind == spf.KindAll {
		return "", fmt.Errorf("%.100q: neither an address, a network, a host, nor a mechanism of SPF such as mx", s)
	}
	return term, nil
}

// MX is the value of a mail exchanger's record.
func MX(m dns.MX) string { return publish.MX(m) }

// ParseMX reads "10 mail.example.com", or a host alone.
func ParseMX(s string) (dns.MX, error) {
	fields := strings.Fields(s)
	if len(fields) == 1 {
		fields = []string{"10", fields[0]}
	}
	if len(fields) == 2 {
		n, err := strconv.ParseUint(fields[0], 10, 16)
		host, bad := dns.ToASCII(fields[1])
		if _, ip := netip.ParseAddr(host); err == nil && bad == nil && ip != nil && strings.Contains(host, ".") {
			return dns.MX{Preference: uint16(n), Host: host}, nil
		}
	}
	return dns.MX{}, fmt.Errorf("mx %.100q: write it like \"10 mail.example.com\"", s)
}

// ReportAddress is the address of a mailbox that can stand in a URI without an escape.
func ReportAddress(s string) (string, error) {
	s = strings.TrimPrefix(strings.TrimSpace(s), "mailto:")
	local, host, ok := strings.Cut(s, "@")
	address, err := mail.ParseAddress(s)
	if !ok || err != nil || address.Name != "" || strings.ContainsAny(s, " ,;!?<>\"%&#\\") {
		return "", fmt.Errorf("%.100q is no address for reports; write it like \"dmarc@example.com\"", s)
	}
	if host, err = dns.ToASCII(host); err != nil || !strings.Contains(host, ".") {
		return "", fmt.Errorf("%.100q is no address for reports: what stands behind the @ is no domain", s)
	}
	return local + "@" + host, nil
}
