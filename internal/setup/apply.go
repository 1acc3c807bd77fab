package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	mdns "github.com/miekg/dns"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/nsupdate"
)

// ErrMoved is the error of a zone that is no longer what the plan was made for.
var ErrMoved = errors.New("it was changed meanwhile: nothing was done; run it again, to plan for what is there now")

// An Update is what is to be done to a zone: one message, which the server takes as a whole or not at all (RFC 2136 3.7).
type Update struct {
	Changes []publish.Change // what is not so already
	server  *nsupdate.Server
	message *mdns.Msg
}

// Prepare reads from the server itself what is there, and makes an update of changes that names all of it as a prerequisite. It fails
// where a record that is to go is not there, or where something stands in the way that the plan did not know.
func Prepare(ctx context.Context, server *nsupdate.Server, changes []publish.Change) (*Update, error) {
	u := &Update{server: server, message: server.Update()}
	var done []Place
	for _, c := range changes {
		place := Place{c.Name, c.Type}
		if c.Type == publish.File || slices.Contains(done, place) {
			continue
		}
		if c.Name != server.Zone && !strings.HasSuffix(c.Name, "."+server.Zone) {
			return nil, fmt.Errorf("%s is not in the zone %s", c.Name, server.Zone)
		}
		done = append(done, place)
		var here []publish.Change
		for _, other := range changes {
			if other.Name == c.Name && other.Type == c.Type {
				here = append(here, other)
			}
		}
		if err := u.set(ctx, place, here); err != nil {
			return nil, fmt.Errorf("%s: %w", server.Address, err)
		}
	}
	return u, nil
}

// set adds to the update what becomes of one record set.
func (u *Update) set(ctx context.Context, place Place, changes []publish.Change) error {
	typ := mdns.StringToType[place.Type]
	present, err := u.server.RRset(ctx, place.Name, typ)
	if err != nil {
		return err
	}
	var remove, insert []mdns.RR
	ttl := uint32(publish.TTL)
	if len(present) > 0 {
		ttl = present[0].Header().Ttl // a record set has one (RFC 2181 5.2)
	}
	for _, c := range changes {
		old, now := find(present, c.Old), find(present, c.New)
		switch {
		case c.New != "" && now != nil && (c.Old == "" || old == nil):
			continue // it is so
		case c.New == "" && old == nil:
			continue
		case c.Old != "" && old == nil:
			return fmt.Errorf("%s %s no longer has %.120q: %w", c.Name, c.Type, c.Old, ErrMoved)
		case c.Old == "" && single(c) && clashes(present, c):
			return fmt.Errorf("%s %s has %.120q, which the plan did not know: %w", c.Name, c.Type, valueOf(present[0]), ErrMoved)
		}
		if c.Old != "" {
			remove = append(remove, old)
		}
		if c.New != "" {
			rr, err := record(c, ttl)
			if err != nil {
				return err
			}
			insert = append(insert, rr)
		}
		u.Changes = append(u.Changes, c)
	}
	if len(remove)+len(insert) == 0 {
		return nil
	}
	owner := mdns.Fqdn(place.Name)
	for _, rr := range present { // each in its own copy: the message marks what it is given
		u.message.Used([]mdns.RR{mdns.Copy(rr)})
	}
	if len(present) == 0 {
		u.message.RRsetNotUsed([]mdns.RR{&mdns.ANY{Hdr: mdns.RR_Header{Name: owner, Rrtype: typ}}})
		if typ == mdns.TypeCNAME {
			u.message.NameNotUsed([]mdns.RR{&mdns.ANY{Hdr: mdns.RR_Header{Name: owner}}})
		} else {
			u.message.RRsetNotUsed([]mdns.RR{&mdns.CNAME{Hdr: mdns.RR_Header{Name: owner, Rrtype: mdns.TypeCNAME}}})
		}
	}
	for _, rr := range remove {
		u.message.Remove([]mdns.RR{mdns.Copy(rr)})
	}
	u.message.Insert(insert)
	return nil
}

// single tells whether a change adds something that has to be alone of its kind.
func single(c publish.Change) bool { return c.Type == "CNAME" || kindOf(c.New) != "" }

// kindOf is the kind of a text of which there may be one only.
func kindOf(text string) string {
	lower := strings.ToLower(strings.TrimSpace(text))
	for _, kind := range []string{"v=spf1", "v=dmarc1", "v=tlsrptv1", "v=stsv1", "v=dkim1"} {
		if strings.HasPrefix(lower, kind) {
			return kind
		}
	}
	return ""
}

func clashes(present []mdns.RR, c publish.Change) bool {
	return slices.ContainsFunc(present, func(rr mdns.RR) bool {
		return c.Type == "CNAME" || kindOf(valueOf(rr)) == kindOf(c.New)
	})
}

// find gives the record that has a value.
func find(all []mdns.RR, value string) mdns.RR {
	if value == "" {
		return nil
	}
	for _, rr := range all {
		if same(mdns.TypeToString[rr.Header().Rrtype], valueOf(rr), value) {
			return rr
		}
	}
	return nil
}

// valueOf is the value of a record as a [publish.Change] has it.
func valueOf(rr mdns.RR) string {
	if txt, ok := rr.(*mdns.TXT); ok {
		return unescape(strings.Join(txt.Txt, ""))
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

// unescape takes the escapes of a master file away (RFC 1035 5.1).
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b.WriteByte(s[i])
		case i+3 < len(s) && digits(s[i+1:i+4]):
			b.WriteByte((s[i+1]-'0')*100 + (s[i+2]-'0')*10 + (s[i+3] - '0'))
			i += 3
		default:
			i++
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func record(c publish.Change, ttl uint32) (mdns.RR, error) {
	rr, err := mdns.NewRR(publish.Change{Name: c.Name, Type: c.Type, New: c.New}.Zone())
	if err != nil || rr == nil {
		return nil, fmt.Errorf("%s %s: %.120q is no value", c.Name, c.Type, c.New)
	}
	rr.Header().Ttl = ttl
	return rr, nil
}

// Send does it.
func (u *Update) Send(ctx context.Context) error {
	answer, err := u.server.Exchange(ctx, u.message)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", u.server.Address, err)
	case nsupdate.Changed(answer):
		return fmt.Errorf("%s: %s: %w", u.server.Address, u.server.Zone, ErrMoved)
	case answer.Rcode != mdns.RcodeSuccess:
		return fmt.Errorf("%s: %w", u.server.Address, u.server.Refused(answer))
	}
	return nil
}
