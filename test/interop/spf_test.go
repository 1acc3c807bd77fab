//go:build linux

package interop

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// A network is DNS data in the form of which a zone file and pyspf's answers are both made.
type network struct {
	DNS     map[string]map[string][]string `json:"dns"` // name, type, data
	Failing []string                       `json:"failing"`
	Queries []spfQuery                     `json:"queries"`
}

type spfQuery struct {
	IP       string `json:"ip"`
	Helo     string `json:"helo"`
	MailFrom string `json:"mail_from"`
}

func (n *network) add(name, typ, data string) {
	if n.DNS[name] == nil {
		n.DNS[name] = map[string][]string{}
	}
	n.DNS[name][typ] = append(n.DNS[name][typ], data)
}

// resolver answers from the network.
func (n *network) resolver(t *testing.T) dns.Resolver {
	t.Helper()
	var file strings.Builder
	for name, types := range n.DNS {
		for typ, all := range types {
			for _, data := range all {
				switch typ {
				case "TXT":
					data = fmt.Sprintf("%q", data)
				case "MX", "PTR":
					data += "."
				}
				fmt.Fprintf(&file, "%s. %s %s\n", name, typ, data)
			}
		}
	}
	zone, err := dns.ParseZone(strings.NewReader(file.String()), "network")
	if err != nil {
		t.Fatal(err)
	}
	return failing{zone, n.Failing}
}

// failing is a zone some of whose names cannot be reached.
type failing struct {
	*dns.Zone
	names []string
}

// Lookup implements dns.Resolver.
func (f failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	for _, n := range f.names {
		if n == name {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
		}
	}
	return f.Zone.Lookup(ctx, name, typ)
}

const (
	hosts    = 16
	policies = 600
)

func (m maker) host() string {
	return pick(m, fmt.Sprintf("h%d.example.net", m.IntN(hosts)), fmt.Sprintf("h%d.example.net", m.IntN(hosts)), "missing.example.net")
}

func (m maker) policyDomain() string { return fmt.Sprintf("d%d.example.com", m.IntN(policies)) }

func (m maker) ip4() string { return fmt.Sprintf("192.0.2.%d", m.IntN(24)) }

func (m maker) ip6() string { return fmt.Sprintf("2001:db8::%x", m.IntN(24)) }

// network makes hosts, and policies that refer to them and to one another.
func (m maker) network() *network {
	n := &network{DNS: map[string]map[string][]string{}, Failing: []string{"broken.example.net"}}
	for i := range hosts {
		name := fmt.Sprintf("h%d.example.net", i)
		for range m.IntN(3) {
			n.add(name, "A", m.ip4())
		}
		for range m.IntN(2) {
			n.add(name, "AAAA", m.ip6())
		}
	}
	for i := range 24 {
		reverse := fmt.Sprintf("%d.2.0.192.in-addr.arpa", i)
		for range m.IntN(3) {
			n.add(reverse, "PTR", m.host())
		}
		if m.IntN(3) == 0 {
			n.add(fmt.Sprintf("%d.2.0.192.list.example.net", i), "A", "127.0.0.2")
		}
	}
	for i := range policies {
		name := fmt.Sprintf("d%d.example.com", i)
		n.add(name, "TXT", m.policy())
		if m.IntN(40) == 0 {
			n.add(name, "TXT", "v=spf1 -all")
		}
		if m.IntN(3) == 0 {
			n.add(name, "TXT", "something else")
		}
		for range m.IntN(3) {
			n.add(name, "MX", fmt.Sprintf("%d %s", 10*m.IntN(3), m.host()))
		}
		if m.IntN(3) == 0 {
			n.add(name, "A", m.ip4())
		}
		n.Queries = append(n.Queries, m.query(name), m.query(name))
	}
	return n
}

func (m maker) query(domain string) spfQuery {
	q := spfQuery{IP: pick(m, m.ip4(), m.ip4(), m.ip6(), "::ffff:"+m.ip4()), Helo: m.host(), MailFrom: "alice@" + domain}
	switch m.IntN(8) {
	case 0:
		q.MailFrom, q.Helo = "", domain
	case 1:
		q.MailFrom = "al+ice.b-o-b@" + strings.ToUpper(domain[:1]) + domain[1:]
	case 2:
		q.MailFrom = domain
	}
	return q
}

func (m maker) policy() string {
	terms := []string{pick(m, "v=spf1", "v=spf1", "v=spf1", "V=SPF1")}
	for range m.IntN(6) {
		terms = append(terms, m.term())
	}
	if m.IntN(4) > 0 {
		terms = append(terms, pick(m, "-all", "~all", "?all", "all", "redirect="+m.policyDomain(), "redirect=%{d1r}.example.com"))
	}
	if m.IntN(6) == 0 {
		terms = append(terms, pick(m, "exp="+m.policyDomain(), "unknown=1", "x-y.z=%{d}"))
	}
	return strings.Join(terms, pick(m, " ", " ", "  ")) + pick(m, "", "", " ")
}

func (m maker) term() string {
	qualifier := pick(m, "", "", "+", "-", "~", "?")
	target := pick(m, "", ":"+m.host(), ":"+m.host(), ":"+m.policyDomain())
	cidr := pick(m, "", "", fmt.Sprintf("/%d", 24+m.IntN(9)), fmt.Sprintf("//%d", 110+m.IntN(19)), fmt.Sprintf("/%d//%d", 24+m.IntN(9), 64+m.IntN(65)))
	switch m.IntN(20) {
	case 0, 1, 2:
		return qualifier + "ip4:" + m.ip4() + pick(m, "", fmt.Sprintf("/%d", 24+m.IntN(9)))
	case 3, 4:
		return qualifier + "ip6:" + m.ip6() + pick(m, "", fmt.Sprintf("/%d", 110+m.IntN(19)))
	case 5, 6, 7:
		return qualifier + pick(m, "a", "A") + target + cidr
	case 8, 9, 10:
		return qualifier + "mx" + target + cidr
	case 11:
		return qualifier + "ptr" + pick(m, "", ":example.net", ":"+m.host())
	case 12, 13:
		return qualifier + "exists:" + pick(m, "%{ir}.list.example.net", "%{i}.list.example.net", "%{l}.example.net", "%{d2}", "%{h}",
			"%{p}", "%{ir}.%{v}.arpa", "%{o1}.example.net", "h1%{_}.example.net", "%{l1r-}.example.net")
	case 14, 15, 16, 17:
		return qualifier + "include:" + m.policyDomain()
	case 18:
		return qualifier + pick(m, "a", "mx", "exists", "include", "ptr") + ":" + pick(m, "broken.example.net", "missing.example.net")
	}
	return qualifier + pick(m, "ip4:192.0.2.1/33", "ip4:192.0.2", "ip4:", "ip6:2001:db8::1/129", "ip6:192.0.2.1", "a:", "a/33", "a//129",
		"include", "include:", "exists", "exists:%{x}.example.net", "exists:%{d", "mx:h1.example.net/", "all:x", "bogus", "ptr:", "redirect=",
		"exp=", "a:h1", "a:%{d0}", "a/", "a/024", "ip4:192.0.2.01", "all/8", "a:example.net:8080")
}

// A pyResult is what pyspf says.
type pyResult struct {
	Result        string `json:"result"`
	Explanation   string `json:"explanation"`
	WithoutLimits string `json:"without_limits"`
}

// justified says why our result may differ from pyspf's, or is empty.
func (n *network) justified(r spf.Result, their pyResult) string {
	same := string(r.Code) == their.WithoutLimits
	switch {
	case r.Lookups <= 10 && strings.Contains(their.Explanation, "Too many DNS lookups") && n.redirects(r) && same:
		// RFC 7208 4.6.4, 6.1: a redirect is a look-up where evaluation comes to it; pyspf counts it where it sees it.
		return "redirects that were not followed"
	case r.VoidLookups <= 2 && strings.Contains(their.Explanation, "Void lookup limit") && same:
		// RFC 7208 4.6.4 limits terms; pyspf counts each host of an mx and each name of a ptr too.
		return "void look-ups of hosts and names"
	case r.Code == spf.PermError && strings.Contains(r.Term+fmt.Sprint(r.Err), "%{d0}"):
		// RFC 7208 7.3: a DIGIT transformer must not be zero.
		return "%{d0}"
	case r.Code == spf.PermError && strings.Contains(fmt.Sprint(r.Err), `exists": a colon and a domain are missing`):
		// RFC 7208 5.7: exists has a domain-spec.
		return "exists without a domain"
	}
	return ""
}

// redirects tells whether a record that was evaluated has a redirect.
func (n *network) redirects(r spf.Result) bool {
	for _, line := range r.Trace {
		domain, _, _ := strings.Cut(strings.TrimLeft(line, " "), ":")
		if strings.Contains(strings.Join(n.DNS[domain]["TXT"], " "), "redirect=") {
			return true
		}
	}
	return false
}

func TestPoliciesGiveWhatPySPFSays(t *testing.T) {
	need(t, needPySPF)
	for seed := range uint64(3) {
		comparePolicies(t, newMaker(100+seed).network())
	}
}

func comparePolicies(t *testing.T, n *network) {
	t.Helper()
	var theirs []pyResult
	run(t, []string{python, "testdata/pyspf.py"}, n, &theirs)
	if len(theirs) != len(n.Queries) {
		t.Fatalf("%d results for %d queries", len(theirs), len(n.Queries))
	}
	resolver := n.resolver(t)
	results, differences := map[spf.Code]int{}, map[string]int{}
	for i, q := range n.Queries {
		r := spf.Check(context.Background(), resolver, spf.Query{
			IP: netip.MustParseAddr(q.IP), Helo: q.Helo, MailFrom: q.MailFrom, Receiver: "mx.example.org", Trace: true,
		})
		results[r.Code]++
		if string(r.Code) == theirs[i].Result {
			continue
		}
		if why := n.justified(r, theirs[i]); why != "" {
			differences[why]++
			continue
		}
		t.Errorf("%+v\nwe say %s (%v), pyspf says %s (%s)\n%s", q, r.Code, r.Err, theirs[i].Result, theirs[i].Explanation, strings.Join(r.Trace, "\n"))
	}
	t.Logf("%d queries to %d policies: %v; justified differences: %v", len(n.Queries), policies, results, differences)
	for _, code := range []spf.Code{spf.Pass, spf.Fail, spf.SoftFail, spf.Neutral, spf.PermError, spf.TempError} {
		if results[code] < 10 {
			t.Errorf("%d results are %s: too few to show anything", results[code], code)
		}
	}
}
