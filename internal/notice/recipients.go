package notice

import (
	"context"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Where an address to write to was found.
const (
	FromSecurityTXT = "security.txt" // RFC 9116
	FromSOA         = "soa"          // RNAME, RFC 1035 3.3.13
	FromPostmaster  = "postmaster"   // RFC 2142 5
)

// A Finder finds whom to write to about a domain. The MAIL FROM is never asked: it is what is in doubt.
type Finder struct {
	Resolver dns.Resolver
	Web      http.RoundTripper // one that refuses private addresses; nil: security.txt is not looked for
}

// fetchTimeout bounds the looking for a security.txt.
const fetchTimeout = 10 * time.Second

// Find gives the addresses that may be written to, the best first: those whose domain accepts mail.
func (f *Finder) Find(ctx context.Context, domain string, now time.Time) []store.NoticeRecipient {
	var found []store.NoticeRecipient
	add := func(address, source string) {
		address, ok := mailbox(address)
		if !ok || slices.ContainsFunc(found, func(r store.NoticeRecipient) bool { return strings.EqualFold(r.Address, address) }) {
			return
		}
		if f.accepts(ctx, domainOf(address)) {
			found = append(found, store.NoticeRecipient{Address: address, Source: source})
		}
	}
	for _, address := range f.securityTXT(ctx, domain, now) {
		add(address, FromSecurityTXT)
	}
	add(f.rname(ctx, domain), FromSOA)
	add("postmaster@"+domain, FromPostmaster)
	return found
}

// mailbox holds an address to what can be one, and no more than one.
func mailbox(address string) (string, bool) {
	if len(address) > 254 || strings.ContainsAny(address, "\r\n\x00,;<> ") {
		return "", false
	}
	a, err := mail.ParseAddress(address)
	if err != nil || a.Name != "" {
		return "", false
	}
	at := strings.LastIndexByte(a.Address, '@')
	domain, err := dns.ToASCII(a.Address[at+1:])
	if err != nil || !strings.Contains(domain, ".") || len(a.Address[:at]) > 64 {
		return "", false
	}
	return a.Address[:at+1] + domain, true
}

// accepts tells whether a domain takes mail: it has an MX that is not the null one (RFC 7505), or without one an address (RFC 5321 5.1).
// Where that cannot be found out, it does not: the letter can wait.
func (f *Finder) accepts(ctx context.Context, domain string) bool {
	a, err := f.Resolver.Lookup(ctx, domain, dns.TypeMX)
	if err == nil {
		return slices.ContainsFunc(a.MX, func(m dns.MX) bool { return m.Host != "" })
	}
	if !dns.IsVoid(err) {
		return false
	}
	for _, typ := range []dns.Type{dns.TypeA, dns.TypeAAAA} {
		if _, err := f.Resolver.Lookup(ctx, domain, typ); err == nil {
			return true
		}
	}
	return false
}

// mostLabels bounds the way up to where a zone begins.
const mostLabels = 8

// rname is the address of who looks after the zone that a domain is in.
func (f *Finder) rname(ctx context.Context, domain string) string {
	for range mostLabels {
		if !strings.Contains(domain, ".") {
			return "" // a registry's own is nobody to be written to
		}
		a, err := f.Resolver.Lookup(ctx, domain, dns.TypeSOA)
		if err == nil && len(a.Records) > 0 {
			fields := strings.Fields(a.Records[0])
			if len(fields) < 2 {
				return ""
			}
			return rnameAddress(fields[1])
		}
		if err != nil && !dns.IsVoid(err) {
			return ""
		}
		_, domain, _ = strings.Cut(domain, ".")
	}
	return ""
}

// rnameAddress reads a mailbox as DNS writes it: the first dot that is not escaped stands for the @ (RFC 1035 8).
func rnameAddress(name string) string {
	var local strings.Builder
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '\\' && i+3 < len(name) && isDigit(name[i+1]) && isDigit(name[i+2]) && isDigit(name[i+3]): // \DDD
			n := int(name[i+1]-'0')*100 + int(name[i+2]-'0')*10 + int(name[i+3]-'0')
			if n > 255 {
				return ""
			}
			local.WriteByte(byte(n))
			i += 3
		case c == '\\' && i+1 < len(name):
			i++
			local.WriteByte(name[i])
		case c == '.':
			domain := strings.TrimSuffix(name[i+1:], ".")
			if local.Len() == 0 || domain == "" {
				return ""
			}
			return local.String() + "@" + domain
		default:
			local.WriteByte(c)
		}
	}
	return ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
