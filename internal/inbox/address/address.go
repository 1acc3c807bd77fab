// Package address gives each domain an address for its reports that nobody can guess: rua+TOKEN@reports.example.net.
//
// The token is made of a secret and the domain (HMAC-SHA-256, in base32), so that nothing has to be stored for it and every node knows
// it. It does not say of which domain it is: a Book is told which domains there are.
//
//	secrets, err := address.OpenSecrets(path)
//	book, err := address.New(address.Options{Host: "reports.example.net", Secrets: secrets, Domains: domains})
//	a, err := book.For("example.com")            // rua+…@reports.example.net, for its DMARC record
//	domain, err := book.Recipient("RUA+…@Reports.Example.Net") // example.com
//
// There is no address that takes the reports of any domain by a token: whose reports are read is configured. Where a domain already
// publishes an address without a token, its local part can be put on the list of plain ones.
package address

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/option"
)

// Options say what addresses look like and whose they are.
type Options struct {
	Host      string   // behind the @
	Prefix    string   // "rua" if empty
	Separator string   // "+" if empty; one of + - _ . =
	Secrets   []Secret // the first makes addresses, all open them
	Domains   []string // whose reports are taken
	Plain     []string // local parts that are taken without a token, as they are published already; they say nothing of the domain
}

// Why an address is not taken.
var (
	ErrElsewhere = errors.New("not an address of ours") // at another host
	ErrUnknown   = errors.New("no such address")
)

const (
	tokenBytes   = 15 // 120 bits
	tokenLength  = tokenBytes * 8 / 5
	maxLocalPart = 64 // RFC 5321 4.5.3.1.1
)

// encoding is in lower case, as domains and most addresses are written. 15 bytes need no padding.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// A Book knows the addresses of all domains. It does not change, and is safe for concurrent use.
type Book struct {
	host    string
	before  string // the token: prefix and separator
	first   Secret
	domains map[blind]entry
	plain   map[string]bool
	blind   [32]byte
}

// A blind stands for a token where it is looked for: made with a secret of this process, so that how long it takes to find one tells
// nothing about the tokens.
type blind [sha256.Size]byte

type entry struct {
	token  string
	domain string
}

// New makes a Book. The error is an [*option.Error].
func New(o Options) (*Book, error) {
	if o.Prefix == "" {
		o.Prefix = "rua"
	}
	if o.Separator == "" {
		o.Separator = "+"
	}
	b := &Book{before: strings.ToLower(o.Prefix + o.Separator), domains: make(map[blind]entry, len(o.Domains)*len(o.Secrets)), plain: map[string]bool{}}
	rand.Read(b.blind[:])
	var err error
	if b.host, err = hostName(o.Host); err != nil {
		return nil, option.Within("host", err)
	}
	switch {
	case !isDotAtom(o.Prefix):
		return nil, option.Errorf("prefix", "%q: write letters, digits, and - _ . between them", o.Prefix)
	case len(o.Separator) != 1 || !strings.Contains("+-_.=", o.Separator):
		return nil, option.Errorf("separator", "%q: there are + - _ . =", o.Separator)
	case len(b.before)+tokenLength > maxLocalPart:
		return nil, option.Errorf("prefix", "%q: longer than %d characters", o.Prefix, maxLocalPart-tokenLength-1)
	case len(o.Secrets) == 0:
		return nil, option.Errorf("secrets", "there is none")
	}
	b.first = o.Secrets[0]
	for _, name := range o.Domains {
		domain, err := hostName(name)
		if err != nil {
			return nil, option.Within("domains", err)
		}
		for _, s := range o.Secrets {
			t := token(s, domain)
			b.domains[b.hide(t)] = entry{t, domain}
		}
	}
	for _, local := range o.Plain {
		if !isDotAtom(local) || len(local) > maxLocalPart {
			return nil, option.Errorf("plain", "%q: write what stands before the @, in letters, digits, and - _ . +", local)
		}
		b.plain[strings.ToLower(local)] = true
	}
	return b, nil
}

// hostName gives a domain the form in which it is compared, and refuses what is no name of a host.
func hostName(name string) (string, error) {
	domain, err := dns.ToASCII(name)
	if err != nil || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return "", fmt.Errorf("%q is no domain", name)
	}
	return domain, nil
}

// isDotAtom holds a local part to what needs no quotes and no percent signs anywhere (RFC 5321 4.1.2, RFC 6068 2).
func isDotAtom(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '+', c == '=':
		case c == '.' && i > 0 && i < len(s)-1 && s[i-1] != '.':
		default:
			return false
		}
	}
	return s != ""
}

// token is the token of a domain under a secret.
func token(s Secret, domain string) string {
	mac := hmac.New(sha256.New, s[:])
	mac.Write([]byte("gatepost report address 1\x00"))
	mac.Write([]byte(domain))
	return encoding.EncodeToString(mac.Sum(nil)[:tokenBytes])
}

func (b *Book) hide(token string) blind {
	mac := hmac.New(sha256.New, b.blind[:])
	mac.Write([]byte(token))
	return blind(mac.Sum(nil))
}

// Host is what stands behind the @.
func (b *Book) Host() string { return b.host }

// For is the address of a domain, whether it is one of the configured or not.
func (b *Book) For(domain string) (string, error) {
	name, err := hostName(domain)
	if err != nil {
		return "", err
	}
	return b.before + token(b.first, name) + "@" + b.host, nil
}

// Domain is the domain whose address has this local part. It is empty for a plain one. That a token is unknown takes as long to find out
// as whose it is.
func (b *Book) Domain(local string) (domain string, known bool) {
	local = lower(local)
	t, shaped := strings.CutPrefix(local, b.before)
	if len(t) > maxLocalPart {
		t, shaped = t[:maxLocalPart], false
	}
	e := b.domains[b.hide(t)]
	if subtle.ConstantTimeCompare([]byte(e.token), []byte(t)) == 1 && shaped && e.domain != "" {
		return e.domain, true
	}
	return "", b.plain[local]
}

// Recipient is the domain that an address is of, as Domain has it. The error is [ErrElsewhere] or [ErrUnknown].
func (b *Book) Recipient(address string) (domain string, err error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", ErrUnknown
	}
	if host, err := dns.ToASCII(address[at+1:]); err != nil || host != b.host {
		return "", ErrElsewhere
	}
	domain, known := b.Domain(address[:at])
	if !known {
		return "", ErrUnknown
	}
	return domain, nil
}

// lower changes ASCII alone: there is no other letter that becomes one of ours.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
