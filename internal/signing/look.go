package signing

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

// A View is one place to look at DNS from: a resolver that is asked without a memory of ours.
type View struct {
	Name     string
	Resolver dns.Resolver
}

// Views are all that must agree before a key signs.
type Views struct {
	Resolvers     []View
	Authoritative bool                           // ask the domain's own name servers too, as far as they can be reached
	server        func(host string) dns.Resolver // for a test's own ports
}

// NewViews looks from each name server by itself, "host" or "host:port"; without any, from those of the system.
func NewViews(servers []string, authoritative bool) Views {
	v := Views{Authoritative: authoritative}
	if len(servers) == 0 {
		v.Resolvers = []View{{"resolver", dns.NewClient(dns.ClientOptions{CacheEntries: -1, Rounds: 1})}}
	}
	for _, s := range servers {
		v.Resolvers = append(v.Resolvers, View{s, plainClient(s)})
	}
	return v
}

// plainClient asks one server and keeps nothing: what was so an hour ago is not what we want to know.
func plainClient(server string) dns.Resolver {
	return dns.NewClient(dns.ClientOptions{Servers: []string{server}, CacheEntries: -1, Rounds: 1, Timeout: 3 * time.Second})
}

// A look is what all views say of one key.
type look struct {
	every  Check         // what all say, if all answered the same; else Unknown
	any    Check         // OK if one says so; else what the first that answered says; else Unknown
	gone   bool          // all answered, and none shows the key, or that it is revoked
	ttl    time.Duration // the longest that was seen
	detail string        // who says something other than OK
}

// lookupTime bounds one question to one view.
const lookupTime = 10 * time.Second

// look asks all views for the record of a key. Silence of a resolver leaves it open whether all agree; silence of a name server
// somewhere in the world does not.
func (v *Views) look(ctx context.Context, domain string, k *Key) look {
	name := k.Name(domain)
	var l look
	var answers []Check
	silent := false
	ask := func(views []View, needed bool) {
		for _, view := range views {
			c, ttl := view.check(ctx, name, k)
			l.ttl = max(l.ttl, ttl)
			if c != OK {
				l.detail += "; " + view.Name + ": " + string(c)
			}
			if c != Unknown {
				answers = append(answers, c)
			} else if needed {
				silent = true
			}
		}
	}
	ask(v.Resolvers, true)
	if v.Authoritative && len(v.Resolvers) > 0 {
		ask(v.nameServers(ctx, name), false)
	}
	l.detail = strings.TrimPrefix(l.detail, "; ")
	l.conclude(answers, silent)
	return l
}

func (l *look) conclude(answers []Check, silent bool) {
	l.every, l.any = Unknown, Unknown
	if len(answers) == 0 {
		return
	}
	same := func(c Check) bool { return c == answers[0] }
	l.any = answers[0]
	if slices.Contains(answers, OK) {
		l.any = OK
	}
	if !silent {
		l.gone = !slices.ContainsFunc(answers, func(c Check) bool { return c == OK || c == Several || c == IsRevoked })
		if !slices.ContainsFunc(answers, func(c Check) bool { return !same(c) }) {
			l.every = answers[0]
		}
	}
}

func (v View) check(ctx context.Context, name string, k *Key) (Check, time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	answer, err := v.Resolver.Lookup(ctx, name, dns.TypeTXT)
	switch {
	case dns.IsVoid(err):
		return Missing, 0
	case err != nil:
		return Unknown, 0
	}
	return judge(answer.TXT, k.Record), answer.TTL
}

// judge compares what DNS shows with what it should. Records that are no keys do no harm beside one that is: verifiers pass over them.
// Two keys do: which of them is tried is not defined (RFC 6376 3.6.2.2).
func judge(texts []string, record string) Check {
	keys, revoked, same := 0, 0, 0
	for _, text := range texts {
		_, err := dkim.ParseKey(text)
		switch {
		case errors.Is(err, dkim.ErrRevoked):
			revoked++
		case err == nil && samePublic(text, record):
			keys++
			same++
		case err == nil:
			keys++
		}
	}
	switch {
	case keys == 1 && same == 1 && revoked == 0:
		return OK
	case same > 0:
		return Several
	case keys > 0:
		return Other
	case revoked > 0:
		return IsRevoked
	case len(texts) > 0:
		return NoKey
	}
	return Missing
}

// samePublic tells whether a record publishes the key that another does, for the signatures that we make.
func samePublic(text, record string) bool {
	a, err := dkim.ParseKey(text)
	if err != nil {
		return false
	}
	b, err := dkim.ParseKey(record)
	if err != nil || a.Type != b.Type {
		return false
	}
	// A key whose h= or s= does not allow mail to be signed with it says so before it looks at the signature.
	if err := a.Verify(a.Type+"-sha256", make([]byte, 32), nil); !errors.Is(err, dkim.ErrSignature) {
		return false
	}
	switch public := a.Public.(type) {
	case *rsa.PublicKey:
		return public.Equal(b.Public)
	case ed25519.PublicKey:
		return public.Equal(b.Public)
	}
	return false
}

const (
	maxServers = 13 // name servers of a domain that are asked
	maxZoneTTL = day
)

// nameServers finds the name servers of the zone that a name is in.
func (v *Views) nameServers(ctx context.Context, name string) []View {
	resolver := v.Resolvers[0].Resolver
	var views []View
	for zone := parent(name); strings.Contains(zone, "."); zone = parent(zone) {
		answer, err := lookup(ctx, resolver, zone, dns.TypeNS)
		if err != nil {
			if dns.IsVoid(err) {
				continue
			}
			return nil
		}
		for _, host := range answer.Names[:min(len(answer.Names), maxServers)] {
			if server := v.nameServer(ctx, resolver, host); server != nil {
				views = append(views, View{host, server})
			}
		}
		return views
	}
	return nil
}

func (v *Views) nameServer(ctx context.Context, resolver dns.Resolver, host string) dns.Resolver {
	if v.server != nil {
		return v.server(host)
	}
	for _, typ := range []dns.Type{dns.TypeA, dns.TypeAAAA} {
		if answer, err := lookup(ctx, resolver, host, typ); err == nil && len(answer.Addrs) > 0 {
			return plainClient(net.JoinHostPort(answer.Addrs[0].String(), "53"))
		}
	}
	return nil
}

func lookup(ctx context.Context, r dns.Resolver, name string, typ dns.Type) (dns.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	return r.Lookup(ctx, name, typ)
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// negativeTTL is for how long it may be remembered that a name does not exist: the MINIMUM of its zone's SOA (RFC 2308 5). Zero if it
// cannot be found out.
func (v *Views) negativeTTL(ctx context.Context, name string) time.Duration {
	if len(v.Resolvers) == 0 {
		return 0
	}
	for zone := parent(name); strings.Contains(zone, "."); zone = parent(zone) {
		answer, err := lookup(ctx, v.Resolvers[0].Resolver, zone, dns.TypeSOA)
		if err != nil {
			if dns.IsVoid(err) {
				continue
			}
			return 0
		}
		fields := strings.Fields(answer.Records[0])
		if len(fields) != 7 {
			return 0
		}
		seconds, err := strconv.ParseUint(fields[6], 10, 31)
		if err != nil {
			return 0
		}
		return min(time.Duration(seconds)*time.Second, maxZoneTTL)
	}
	return 0
}
