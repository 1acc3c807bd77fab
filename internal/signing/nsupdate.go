package signing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dkim"
)

// Updates change records by dynamic update (RFC 2136), signed with a shared secret (RFC 8945).
type Updates struct {
	zones []updateZone // the longest name first
}

type updateZone struct {
	zone, server string
	secret       tsigSecret
	ttl          uint32
	timeout      time.Duration
}

const (
	updateTTL     = time.Hour
	updateTimeout = 10 * time.Second
	tsigFudge     = 300 // seconds that the clocks may differ (RFC 8945 10)
)

// NewUpdates reads the secrets of the zones. Without any zone there is nothing to be changed, and the Publisher is nil.
func NewUpdates(zones []UpdateConfig) (Publisher, error) {
	if len(zones) == 0 {
		return nil, nil
	}
	u := new(Updates)
	for _, c := range zones {
		zone, err := DomainName(c.Zone)
		if err != nil {
			return nil, fmt.Errorf("nsupdate: zone %q is not a domain", c.Zone)
		}
		server, err := serverAddress(c.Server)
		if err != nil {
			return nil, fmt.Errorf("nsupdate: zone %s: %w", zone, err)
		}
		secret, err := readSecret(c)
		if err != nil {
			return nil, fmt.Errorf("nsupdate: zone %s: %w", zone, err)
		}
		ttl, timeout := cmp.Or(time.Duration(c.TTL), updateTTL), cmp.Or(time.Duration(c.Timeout), updateTimeout)
		u.zones = append(u.zones, updateZone{zone, server, secret, uint32(ttl / time.Second), timeout})
	}
	slices.SortStableFunc(u.zones, func(a, b updateZone) int { return len(b.zone) - len(a.zone) })
	return u, nil
}

// Server is the name server whose zone a name is in; empty if it is in none of ours.
func (u *Updates) Server(name string) string {
	if z := u.zone(name); z != nil {
		return z.server
	}
	return ""
}

func (u *Updates) zone(name string) *updateZone {
	for i := range u.zones {
		if strings.HasSuffix(name, "."+u.zones[i].zone) {
			return &u.zones[i]
		}
	}
	return nil
}

// Change implements [Publisher]. What the server holds is read first and named as a prerequisite, to the octet: if anything came to
// stand there meanwhile, the server changes nothing.
func (u *Updates) Change(ctx context.Context, name, before, after string) error {
	z := u.zone(name)
	if z == nil {
		return ErrNotOurs
	}
	ctx, cancel := context.WithTimeout(ctx, 2*z.timeout)
	defer cancel()
	if err := z.change(ctx, name, before, after); err != nil {
		return fmt.Errorf("nsupdate: %s: %w", z.server, err)
	}
	return nil
}

func (z *updateZone) change(ctx context.Context, name, before, after string) error {
	present, err := z.records(ctx, name)
	if err != nil {
		return err
	}
	switch {
	case holds(present, after):
		return nil
	case !holds(present, before) && len(present) == 0:
		return fmt.Errorf("%s has no record: it was removed by somebody else", name)
	case !holds(present, before):
		return fmt.Errorf("%s has a record that is not ours, and is left alone: %s", name, contents(present))
	}
	m := newUpdate(z.zone)
	owner := dns.Fqdn(name)
	if len(present) == 0 {
		m.RRsetNotUsed([]dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeTXT}}, &dns.CNAME{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeCNAME}}})
	} else {
		for _, rr := range present { // each in its own copy: both mark what they are given
			m.Used([]dns.RR{dns.Copy(rr)})
			m.Remove([]dns.RR{dns.Copy(rr)})
		}
	}
	if after != "" {
		header := dns.RR_Header{Name: owner, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: z.ttl}
		m.Insert([]dns.RR{&dns.TXT{Hdr: header, Txt: split(after)}})
	}
	answer, err := z.exchange(ctx, m)
	if err != nil {
		return err
	}
	switch answer.Rcode {
	case dns.RcodeSuccess:
		return nil
	case dns.RcodeYXRrset, dns.RcodeNXRrset, dns.RcodeYXDomain, dns.RcodeNameError:
		return fmt.Errorf("%s was changed by somebody else meanwhile: nothing is done", name)
	}
	return refused(answer, z)
}

// records reads the TXT records at a name from the server that is to change them. Prerequisites compare them string by string (RFC 2136
// 2.4.2), so they stay as they are. An alias is none of ours.
func (z *updateZone) records(ctx context.Context, name string) ([]dns.RR, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), dns.TypeTXT)
	m.RecursionDesired = false
	answer, err := z.exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	if answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		return nil, refused(answer, z)
	}
	if !answer.Authoritative {
		return nil, fmt.Errorf("it is not authoritative for %s; name the primary server of the zone %s", name, z.zone)
	}
	var found []dns.RR
	for _, rr := range answer.Answer {
		switch {
		case !strings.EqualFold(rr.Header().Name, dns.Fqdn(name)):
		case rr.Header().Rrtype == dns.TypeCNAME:
			return nil, fmt.Errorf("%s is an alias (CNAME), and is left alone", name)
		case rr.Header().Rrtype == dns.TypeTXT:
			found = append(found, rr)
		}
	}
	return found, nil
}

// exchange asks the server over TCP: an RSA key does not fit into a datagram. An answer that is not signed with our secret is nobody's.
func (z *updateZone) exchange(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	m.SetTsig(z.secret.name, z.secret.algorithm, tsigFudge, time.Now().Unix())
	client := dns.Client{Net: "tcp", Timeout: z.timeout, TsigSecret: map[string]string{z.secret.name: z.secret.secret}}
	answer, _, err := client.ExchangeContext(ctx, m, z.server)
	var network net.Error
	switch {
	case answer != nil && answer.Rcode == dns.RcodeNotAuth, errors.Is(err, dns.ErrAuth), errors.Is(err, dns.ErrSig), errors.Is(err, dns.ErrKey), errors.Is(err, dns.ErrTime):
		return nil, fmt.Errorf("it does not take our signature: %s; compare %s with its configuration, and the clocks", tsigFault(answer, err), z.secret.file)
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("it does not answer in time")
	case err != nil:
		return nil, err
	case answer.IsTsig() == nil:
		if answer.Rcode != dns.RcodeSuccess {
			return nil, refused(answer, z)
		}
		return nil, errors.New("its answer is not signed")
	}
	return answer, nil
}

func tsigFault(answer *dns.Msg, err error) string {
	if answer != nil {
		if t := answer.IsTsig(); t != nil && t.Error != dns.RcodeSuccess {
			return dns.RcodeToString[int(t.Error)]
		}
		return dns.RcodeToString[answer.Rcode]
	}
	return err.Error()
}

func refused(answer *dns.Msg, z *updateZone) error {
	word := dns.RcodeToString[answer.Rcode]
	switch answer.Rcode {
	case dns.RcodeRefused:
		return fmt.Errorf("it says %s; let it grant the key %s the TXT records below _domainkey of %s", word, strings.TrimSuffix(z.secret.name, "."), z.zone)
	case dns.RcodeNotZone, dns.RcodeNotAuth:
		return fmt.Errorf("it says %s; name the primary server of the zone %s", word, z.zone)
	}
	return fmt.Errorf("it says %s", word)
}

// holds tells whether records are the one that is wanted, or none where none is wanted.
func holds(present []dns.RR, want string) bool {
	if want == "" || len(present) != 1 {
		return want == "" && len(present) == 0
	}
	text := textOf(present[0])
	if text == want || samePublic(text, want) {
		return true
	}
	_, a := dkim.ParseKey(text)
	_, b := dkim.ParseKey(want)
	return errors.Is(a, dkim.ErrRevoked) && errors.Is(b, dkim.ErrRevoked)
}

func textOf(rr dns.RR) string {
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return ""
	}
	return strings.Join(txt.Txt, "")
}

func contents(records []dns.RR) string {
	var texts []string
	for _, rr := range records {
		texts = append(texts, fmt.Sprintf("%.80q", textOf(rr)))
	}
	return strings.Join(texts, ", ")
}

// split makes strings of 255 octets at most (RFC 1035 3.3). A key record holds nothing that needs an escape.
func split(text string) []string {
	var parts []string
	for len(text) > 255 {
		parts, text = append(parts, text[:255]), text[255:]
	}
	return append(parts, text)
}

func newUpdate(zone string) *dns.Msg {
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(zone))
	return m
}
