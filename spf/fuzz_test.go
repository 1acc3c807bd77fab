package spf

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

// mostQueries bounds what one Check may ask: the record, ten terms with an MX and ten hosts each, the names of the client, and the
// explanation.
const mostQueries = 1 + 10*(1+maxMX) + (1 + maxPTR) + 1

// FuzzCheck evaluates records against senders, with a resolver that has an answer of some kind to everything.
func FuzzCheck(f *testing.F) {
	for _, record := range []string{
		"v=spf1 a mx ptr exists:%{i}.%{l1r-}.%{d2} include:b.example.com -all exp=%{p}.e.example.com",
		"v=spf1 mx:%{h} mx:a.%{o} mx:b.%{o} a:%{S}.%{d} redirect=%{d}", "v=spf1 include:%{l}.%{d} ptr:%{d1r} ?all", "v=spf1 -all exp=%{ir}.%{v}.e.example.com",
	} {
		f.Add(record, "v=spf1 include:example.com mx ~all", "%{s} %{c} %{r} %{t} %{P}", "a-b+c", "mail.example.com", []byte{192, 0, 2, 1})
		f.Add(record, "v=spf1 exists:%{p}.x.example.com", "\x80", "\xff\r\n", "[1.2.3.4]", make([]byte, 16))
	}
	f.Fuzz(func(t *testing.T, outer, inner, text, local, helo string, ip []byte) {
		addr, _ := netip.AddrFromSlice(ip)
		r := &oracle{t: t, outer: outer, inner: inner, text: text, addr: addr}
		q := Query{IP: addr, Helo: helo, MailFrom: local + "@example.com"}
		res := Check(context.Background(), r, q)
		if r.queries > mostQueries {
			t.Errorf("asked %d questions, of %d at most", r.queries, mostQueries)
		}
		if res.Lookups > 10 || res.VoidLookups > 3 || len(res.Explanation) > maxExplanation || res.Explanation != "" && res.Code != Fail {
			t.Errorf("got %+v", res)
		}
		if answered := res.Code == Pass || res.Code == Fail || res.Code == SoftFail || res.Code == Neutral; answered != (res.Err == nil) {
			t.Errorf("got %s with the reason %v", res.Code, res.Err)
		}
		texts := []string{res.Explanation}
		if res.Err != nil {
			texts = append(texts, res.Err.Error())
		}
		q.Trace = true
		traced := Check(context.Background(), r, q)
		for _, line := range traced.Trace {
			texts = append(texts, strings.ReplaceAll(line, "→", ""))
		}
		for _, s := range texts {
			if printable(s) != s {
				t.Errorf("%q is not printable", s)
			}
		}
		if traced.Trace = nil; traced.Code != res.Code || traced.Term != res.Term || traced.Lookups != res.Lookups {
			t.Errorf("got %+v, and with a trace %+v", res, traced)
		}
	})
}

// An oracle answers every question, by a hash of its name: some with nothing, some with a failure, some with the client's address.
type oracle struct {
	t                  *testing.T
	outer, inner, text string
	addr               netip.Addr
	queries            int
}

func (o *oracle) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	o.queries++
	if fit, ok := queryName(name); !ok || fit != name {
		o.t.Errorf("asked for %q", name)
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	n := h.Sum32()
	switch {
	case name == "example.com" && typ == dns.TypeTXT:
		return dns.Answer{TXT: []string{"x", o.outer}}, nil
	case n%7 == 0:
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	case n%11 == 0:
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	switch typ {
	case dns.TypeTXT:
		if strings.Contains(name, "e.example.com") {
			return dns.Answer{TXT: []string{o.text}}, nil
		}
		return dns.Answer{TXT: []string{o.inner}}, nil
	case dns.TypeMX:
		var a dns.Answer
		for i := range n % 13 {
			a.MX = append(a.MX, dns.MX{Host: fmt.Sprintf("%d.%s", i, name[strings.IndexByte(name, '.')+1:])})
		}
		return a, nil
	case dns.TypePTR:
		return dns.Answer{Names: strings.Fields(strings.Repeat("x."+o.text+" mail.example.com. ", 7))}, nil
	}
	if n%3 == 0 {
		return dns.Answer{Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.1"), o.addr}}, nil
	}
	return dns.Answer{Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8::1")}}, nil
}
