package audit

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/smtptest"
)

// smtp starts the mail servers of a case, and has them connected to. Its file has a line for each: an address, and what is not as it
// should be.
//
//	192.0.2.1 mx.example.com            all is well, for a server of that name
//	192.0.2.2 plain                     there is no STARTTLS
//	192.0.2.3 mx.example.com expired    the certificate is out of date
//	192.0.2.4 mx.example.com self       it is signed by itself
//	192.0.2.5 mx.example.com alone      the authority's is not shown
//	192.0.2.6 mx.example.com old        TLS 1.0 and 1.1 are taken too
//
// The key of a server's certificate is made of its name, so that its digest stays the same. An address, "192.0.2.1:25", among the names
// that fail does not answer.
func (k *auditCase) smtp(t *testing.T, which string, failing []string, o *facts.Options) {
	t.Helper()
	text := cmp.Or(k.files[which+"/smtp"], k.files["smtp"])
	if text == "" {
		return
	}
	ca := smtptest.NewAuthority(t)
	world := &smtptest.World{Servers: map[string]string{}, Failing: failing}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		world.Servers[net.JoinHostPort(words[0], "25")] = smtptest.Start(t, server(t, ca, words[1], words[2:]))
	}
	o.Connect, o.Dial, o.Roots = true, world, ca.Pool()
}

func server(t *testing.T, ca *smtptest.Authority, name string, words []string) smtptest.Options {
	t.Helper()
	if name == "plain" {
		return smtptest.Options{}
	}
	var s smtptest.Options
	leaf := smtptest.Leaf{Names: []string{name}}
	for _, word := range words {
		switch word {
		case "expired":
			leaf.NotAfter = smtptest.NotBefore.AddDate(0, 1, 0)
		case "self":
			leaf.Self = true
		case "alone":
			leaf.Alone = true
		case "old":
			s.MinVersion = tls.VersionTLS10
		default:
			t.Fatalf("smtp: %q", word)
		}
	}
	cert := ca.Issue(t, leaf)
	s.Certificate = &cert
	return s
}

// notes has a zone's comments heeded, which say what is so in that zone only:
//
//	; authentic: example.com   names at and below which answers are authentic
//	; only-authentic: org      names at which they are
//	; bogus: example.com       names whose answers do not pass DNSSEC
func (k *auditCase) notes(which string, o *facts.Options) {
	noted := func(key string) (words []string) {
		for line := range strings.Lines(k.files[which+".zone"]) {
			if value, ok := strings.CutPrefix(line, "; "+key+": "); ok {
				words = append(words, strings.Fields(value)...)
			}
		}
		return words
	}
	r := *o.Resolver.(*troubled)
	o.Unchecked = &troubled{Resolver: r.Resolver, failing: r.failing}
	r.failing = slices.Concat(r.failing, noted("bogus"))
	r.authentic = slices.Concat(r.authentic, noted("authentic"))
	o.Resolver = only{&r, noted("only-authentic")}
}

// only makes the answers for some names authentic.
type only struct {
	dns.Resolver
	names []string
}

func (o only) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	answer, err := o.Resolver.Lookup(ctx, name, typ)
	answer.Authentic = answer.Authentic || err == nil && slices.Contains(o.names, name)
	return answer, err
}
