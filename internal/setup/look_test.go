package setup

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/dnstest"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

// failing answers from a zone, but for names that do not answer.
type failing struct {
	dns.Resolver
	names []string
}

func (f failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if slices.Contains(f.names, name) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return f.Resolver.Lookup(ctx, name, typ)
}

func TestWhatCouldNotBeLookedAtIsNotTakenForAbsent(t *testing.T) {
	table := senders.Known()
	a := Answers{Domain: "example.com", Sends: true, Receives: true, MTASTS: true, Servers: []string{"mx"}, Reports: []string{"r@example.com"}, Start: start}
	if err := a.Check(table); err != nil {
		t.Fatal(err)
	}
	zone := zoneOf(t, "example.com. MX 10 mx.example.com.\nexample.com. TXT \"v=spf1 mx -all\"\n_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\n")
	for _, name := range []string{"example.com", "_dmarc.example.com", "_smtp._tls.example.com"} {
		present := Look(t.Context(), failing{zone, []string{name}}, a.Places(table))
		if unknown := present.Unknown(); len(unknown) == 0 || !strings.HasPrefix(unknown[0], name+" ") {
			t.Errorf("%s: unknown are %q", name, unknown)
		}
		plan, err := Make(a, present, table)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plan.Changes() {
			if c.Name == name {
				t.Errorf("%s did not answer, and is to get %q", name, c.New)
			}
		}
		if len(plan.Changes()) == 0 {
			t.Errorf("%s: nothing is planned for the others", name)
		}
	}
}

func TestLookupsAreCountedATermAtATime(t *testing.T) {
	zone := zoneOf(t, `example.com. TXT "v=spf1 mx include:three.example.net ip4:192.0.2.1 exists:%{i}.example.com -all"
example.com. MX 10 mx.example.com.
mx.example.com. A 192.0.2.1
three.example.net. TXT "v=spf1 include:a.example.net include:b.example.net -all"
a.example.net. TXT "v=spf1 ip4:192.0.2.2 -all"
b.example.net. TXT "v=spf1 ip4:192.0.2.3 -all"
`)
	a := Answers{Domain: "example.com", Sends: true, Servers: []string{"mx"}, Start: start}
	plan, err := Make(a, Look(t.Context(), zone, a.Places(senders.Known())), senders.Known())
	if err != nil {
		t.Fatal(err)
	}
	costs, sum := plan.CountSPF(t.Context(), zone)
	if len(costs) != 3 || sum != 5 || costs[1].Term != "include:three.example.net" || costs[1].Lookups != 3 {
		t.Errorf("%+v, %d in all", costs, sum)
	}
	costs, sum = plan.CountSPF(t.Context(), failing{zone, []string{"b.example.net"}})
	if costs[1].Err == nil || sum < 4 {
		t.Errorf("b did not answer: %+v, %d in all", costs, sum)
	}
}

func TestAnAuditOfAPlanSeesIt(t *testing.T) {
	zone := zoneOf(t, "mx.example.com. A 192.0.2.1\n")
	plan := planFor(t, Answers{Domain: "example.com", Sends: true, Receives: true, Servers: []string{"mx"}, MX: []string{"mx.example.com"}, Reports: []string{"r@example.com"}, Start: start}, "mx.example.com. A 192.0.2.1\n")
	report := plan.Audit(t.Context(), zone, senders.Known(), false)
	if text := report.Facts.DMARC.Policy; text == nil || report.Facts.SPF.Record == nil || len(report.Facts.MX.Hosts) != 1 {
		t.Fatalf("the audit does not see the plan: %+v", report.Facts)
	}
	for _, f := range report.Findings {
		if f.Severity == check.Error {
			t.Errorf("%s: %s", f.ID, f.Detail)
		}
	}
	end := plan.Audit(t.Context(), zone, senders.Known(), true)
	if got := end.Facts.DMARC.Policy.Record.Policy; got != "reject" {
		t.Errorf("at the end of the way p=%s", got)
	}
}

func TestNameServersAreThoseOfTheParentAndOfTheZone(t *testing.T) {
	parent := dnstest.Start(t, "example.com. NS gone.example.net.\nexample.com. NS ns1.example.net.\n")
	_, port, err := net.SplitHostPort(parent.Addr)
	if err != nil {
		t.Fatal(err)
	}
	resolver := zoneOf(t, `com. NS up.example.net.
up.example.net. A 127.0.0.1
example.com. NS ns1.example.net.
example.com. NS ns2.example.net.
ns1.example.net. A 127.0.0.1
ns2.example.net. A 127.0.0.2
ns2.example.net. A 127.0.0.3
`)
	servers, err := Finder{Resolver: resolver, Port: port}.Servers(t.Context(), "mail.example.com")
	var names []string
	for _, s := range servers {
		names = append(names, s.Name)
	}
	want := []string{"gone.example.net (no address)", "ns1.example.net (127.0.0.1)", "ns2.example.net (127.0.0.2)", "ns2.example.net (127.0.0.3)"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("got %q, %v, want %q", names, err, want)
	}
	if _, err := servers[0].Resolver.Lookup(t.Context(), "example.com", dns.TypeTXT); err == nil || dns.IsVoid(err) {
		t.Errorf("a server without an address says %v", err)
	}
	if _, err := (Finder{Resolver: failing{resolver, []string{"example.com"}}}).Servers(t.Context(), "example.com"); err == nil {
		t.Error("the name servers could not be found out, and that is no error")
	}
	if _, err := (Finder{Resolver: zoneOf(t, "example.org. A 192.0.2.1\n")}).Servers(t.Context(), "example.com"); err == nil || !strings.Contains(err.Error(), "--name-server") {
		t.Errorf("no name servers: %v", err)
	}
}
