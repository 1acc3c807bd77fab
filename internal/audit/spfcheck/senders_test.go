package spfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

func source(ip, service string, messages, asked int64, class senders.Kind) facts.Source {
	return facts.Source{IP: netip.MustParseAddr(ip), Service: service, Messages: messages, Asked: asked, Class: class}
}

func TestSoftfailSaysWhichSendersTheChangeWouldTouch(t *testing.T) {
	ours := source("192.0.2.5", "", 90, 90, senders.Passing)
	listed := source("198.51.100.1", "Example Mail", 7, 7, senders.Misconfigured)
	again := source("198.51.100.2", "Example Mail", 5, 4, senders.Misconfigured)
	stranger := source("203.0.113.9", "", 1, 1, senders.Abuse)
	forwards := source("2001:db8::9", "", 3, 3, senders.Forwarded)
	elsewhere := source("203.0.113.77", "Example News", 1200, 0, senders.Passing)
	for name, c := range map[string]struct {
		record  string
		sources []facts.Source
		want    []string // of detail and advice
		not     []string
		fix     bool
	}{
		"one that is ours": {"v=spf1 ip4:192.0.2.0/24 ~all", []facts.Source{elsewhere, ours, listed, again, stranger, forwards}, []string{
			"Of 5 senders that were seen, -all would touch 3", "Example Mail (yours), 11 messages from 2 addresses, 198.51.100.1 the first",
			"203.0.113.9 (likely abuse), 1 message", "2001:db8::9 (a forwarder), 3 messages", "Let in as before: 192.0.2.5 (yours), 90 messages.",
			"their envelope has another domain: Example News (yours), 1200 messages", "Add first", "RFC 9989 7.1",
		}, nil, false},
		"none that is ours": {"v=spf1 ip4:192.0.2.0/24 ~all", []facts.Source{ours, stranger}, []string{"would touch 1", "None of them is known to be yours"}, nil, true},
		"nobody":            {"v=spf1 ip4:192.0.2.0/24 ~all", []facts.Source{ours, elsewhere}, []string{"would touch none", "No sender that was seen"}, nil, true},
		"nothing is known":  {"v=spf1 ip4:192.0.2.0/24 ~all", nil, []string{"Look into DMARC reports"}, []string{"would touch"}, true},
		"addresses that cannot be counted": {"v=spf1 exists:%{i}.ok.example.com ~all", []facts.Source{listed, ours}, []string{
			"would touch 1", "Example Mail (yours), 7 messages", "Let in as before: 192.0.2.5",
		}, nil, false},
		"a term before the end": {"v=spf1 -ip4:198.51.100.0/24 ~ip4:203.0.113.0/24 ip4:192.0.2.0/24 ~all", []facts.Source{listed, stranger, ours}, []string{
			"would touch none", "Decided by an earlier term, as before: Example Mail (yours), 7 messages from 198.51.100.1; 203.0.113.9",
		}, nil, true},
		"what redirect leads to": {"v=spf1 ip4:192.0.2.0/24 redirect=_r.example.com", []facts.Source{ours, listed}, []string{"would touch 1"}, nil, false},
		"a record that fails":    {"v=spf1 include:nowhere.example.com ~all", []facts.Source{listed}, []string{"would touch none", "Without an answer"}, nil, true},
		"DNS that fails":         {"v=spf1 include:fails.example.com ~all", []facts.Source{listed}, []string{"Not known, since DNS did not answer", "Ask again"}, nil, true},
	} {
		zone := texts{"example.com": c.record, "192.0.2.5.ok.example.com": "192.0.2.9", "_r.example.com": "v=spf1 ~all"}
		seen := find(t, facts.Gather(t.Context(), "example.com", facts.Options{Resolver: failing{zone}, Seen: facts.Seen{Sources: c.sources, Sends: true}}), "spf-softfail")
		if seen == nil {
			t.Errorf("%s: it was not found", name)
			continue
		}
		text := seen.Detail + " " + seen.Advice
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: it does not say %q:\n%s", name, want, text)
			}
		}
		for _, not := range c.not {
			if strings.Contains(text, not) {
				t.Errorf("%s: it says %q:\n%s", name, not, text)
			}
		}
		if len(seen.Fix) > 0 != c.fix {
			t.Errorf("%s: the fix is %v", name, seen.Fix)
		}
	}
}

func TestOtherEndsSayWhomTheChangeWouldTouchToo(t *testing.T) {
	for id, record := range map[string]string{"spf-neutral-all": "v=spf1 ip4:192.0.2.1 ?all", "spf-plus-all": "v=spf1 ip4:192.0.2.1 +ALL", "spf-no-all-no-redirect": "v=spf1 ip4:192.0.2.1"} {
		o := facts.Options{Seen: facts.Seen{Sources: []facts.Source{source("198.51.100.1", "Example Mail", 7, 7, senders.Misconfigured)}}}
		if seen := find(t, gather(texts{"example.com": record}, o), id); seen == nil || !strings.Contains(seen.Detail, "Example Mail (yours), 7 messages") || seen.Fix != nil {
			t.Errorf("%s: got %+v", id, seen)
		}
	}
}

// failing is a zone in which one name does not answer.
type failing struct{ dns.Resolver }

func (r failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if name == "fails.example.com" {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return r.Resolver.Lookup(ctx, name, typ)
}

// counting counts the questions.
type counting struct {
	dns.Resolver
	n atomic.Int64
}

func (r *counting) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	r.n.Add(1)
	return r.Resolver.Lookup(ctx, name, typ)
}

func counted(t *testing.T, zone texts, o facts.Options) int64 {
	t.Helper()
	r := &counting{Resolver: zone}
	o.Resolver = r
	facts.Gather(t.Context(), "example.com", o)
	return r.n.Load()
}

func TestManySendersAskNoMoreOfDNSThanABound(t *testing.T) {
	zone := texts{"example.com": "v=spf1 exists:%{i}.example.com ~all"}
	var all []facts.Source
	for i := range 200 {
		all = append(all, source(fmt.Sprintf("192.0.2.%d", i), "", 9, 9, senders.Unclear))
	}
	before := counted(t, zone, facts.Options{})
	if after := counted(t, zone, facts.Options{Seen: facts.Seen{Sources: all}}); after <= before || after > before+100 {
		t.Errorf("%d questions without sources, %d with", before, after)
	}
}
