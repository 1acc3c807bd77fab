package signing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/nsupdate"
)

// Updates change records by dynamic update (RFC 2136), signed with a shared secret (RFC 8945).
type Updates struct {
	zones []updateZone // the longest name first
}

type updateZone struct {
	nsupdate.Server
	ttl uint32
}

const (
	updateTTL     = time.Hour
	updateTimeout = 10 * time.Second
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
		secret, err := nsupdate.ReadSecret(nsupdate.SecretFile{Path: c.SecretFile, KeyName: c.KeyName, Algorithm: c.Algorithm})
		if err != nil {
			return nil, fmt.Errorf("nsupdate: zone %s: %w", zone, err)
		}
		ttl, timeout := cmp.Or(time.Duration(c.TTL), updateTTL), cmp.Or(time.Duration(c.Timeout), updateTimeout)
		u.zones = append(u.zones, updateZone{nsupdate.Server{Zone: zone, Address: server, Secret: secret, Timeout: timeout}, uint32(ttl / time.Second)})
	}
	slices.SortStableFunc(u.zones, func(a, b updateZone) int { return len(b.Zone) - len(a.Zone) })
	return u, nil
}

// Server is the name server whose zone a name is in; empty if it is in none of ours.
func (u *Updates) Server(name string) string {
	if z := u.zone(name); z != nil {
		return z.Address
	}
	return ""
}

func (u *Updates) zone(name string) *updateZone {
	for i := range u.zones {
		if strings.HasSuffix(name, "."+u.zones[i].Zone) {
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
	ctx, cancel := context.WithTimeout(ctx, 2*z.Timeout)
	defer cancel()
	if err := z.change(ctx, name, before, after); err != nil {
		return fmt.Errorf("nsupdate: %s: %w", z.Address, err)
	}
	return nil
}

func (z *updateZone) change(ctx context.Context, name, before, after string) error {
	present, err := z.RRset(ctx, name, dns.TypeTXT)
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
	m := z.Update()
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
		m.Insert([]dns.RR{&dns.TXT{Hdr: header, Txt: nsupdate.Split(after)}})
	}
	answer, err := z.Exchange(ctx, m)
	if err != nil {
		return err
	}
	switch {
	case answer.Rcode == dns.RcodeSuccess:
		return nil
	case nsupdate.Changed(answer):
		return fmt.Errorf("%s was changed by somebody else meanwhile: nothing is done", name)
	}
	return z.Refused(answer)
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
