package flatten

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// gather audits a zone with a domain that includes services, of which each has so many networks and some terms more.
func gather(t *testing.T, services, networks int, more string) (*facts.Facts, dns.Resolver) {
	t.Helper()
	var zone strings.Builder
	zone.WriteString("example.com. IN TXT \"v=spf1 ip4:192.0.2.1")
	for i := range services {
		fmt.Fprintf(&zone, " include:s%d.example.net", i)
	}
	zone.WriteString(" -all\"\n")
	for i := range services {
		fmt.Fprintf(&zone, "s%d.example.net. IN TXT ( \"v=spf1\"\n", i)
		for n := range networks {
			fmt.Fprintf(&zone, "\" ip6:2001:db8:%x:%x::/65\"\n", i, n)
		}
		fmt.Fprintf(&zone, "\"%s ~all\" )\n", more)
	}
	z, err := dns.ParseZone(strings.NewReader(zone.String()), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return facts.Gather(context.Background(), "example.com", facts.Options{Resolver: z}), z
}

func TestAFlatRecordLetsInWhomTheOneBeforeDid(t *testing.T) {
	for networks, records := range map[int]int{3: 1, 20: 5} {
		before, zone := gather(t, 12, networks, "")
		flat, err := Make(before)
		if err != nil {
			t.Fatal(err)
		}
		after := facts.Gather(context.Background(), "example.com", facts.Options{Resolver: publish.Overlay(zone, flat.Records)})
		if !after.SPF.Covers(&before.SPF) || !before.SPF.Covers(&after.SPF) {
			t.Errorf("%d networks: the flat record lets others in: %v", networks, flat.Records)
		}
		if n := after.SPF.Tree.Lookups; n > 10 || n != flat.Lookups {
			t.Errorf("%d networks: %d look-ups are left, and it says %d", networks, n, flat.Lookups)
		}
		if len(flat.Records) > records || len(flat.Watch) == 0 || flat.Networks < networks || !strings.HasSuffix(flat.Records[0].New, " -all") {
			t.Errorf("%d networks: got %+v", networks, flat)
		}
		for _, c := range flat.Records {
			if len(c.New) > maxBelow+20 {
				t.Errorf("%s has %d bytes", c.Name, len(c.New))
			}
		}
	}
}

func TestNoMoreIsFlattenedThanMustBe(t *testing.T) {
	f, _ := gather(t, 11, 1, "")
	flat, err := Make(f)
	if err != nil || len(flat.Watch) != 1 || flat.Lookups != 10 {
		t.Errorf("got %+v, %v", flat, err)
	}
}

func TestWhatStandsBehindATermThatBlocksStaysThere(t *testing.T) {
	record := "v=spf1 include:a.example.net -ip4:198.51.100.0/25"
	zone := "a.example.net. IN TXT \"v=spf1 include:b.example.net include:b.example.net -all\"\nb.example.net. IN TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\n"
	for i := range 10 {
		record += fmt.Sprintf(" include:s%d.example.net", i)
		zone += fmt.Sprintf("s%d.example.net. IN TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n", i)
	}
	z, err := dns.ParseZone(strings.NewReader(zone+"example.com. IN TXT \""+record+" -all\"\n"), "zone")
	if err != nil {
		t.Fatal(err)
	}
	flat, err := Make(facts.Gather(context.Background(), "example.com", facts.Options{Resolver: z}))
	if err != nil || flat.Lookups != 10 || !strings.HasPrefix(flat.Records[0].New, "v=spf1 ip4:192.0.2.0/24 -ip4:198.51.100.0/25 include:s0") {
		t.Errorf("got %+v, %v", flat, err)
	}
}

func TestWhatDependsOnTheMessageIsNotFlattened(t *testing.T) {
	for name, f := range map[string]func() *facts.Facts{
		"macros":    func() *facts.Facts { f, _ := gather(t, 12, 1, " exists:%{i}.example.net"); return f },
		"too large": func() *facts.Facts { f, _ := gather(t, 60, 250, ""); return f },
		"no record": func() *facts.Facts {
			return facts.Gather(context.Background(), "example.org", facts.Options{Resolver: &dns.Zone{}})
		},
	} {
		if flat, err := Make(f()); !errors.Is(err, ErrNot) {
			t.Errorf("%s: got %+v, %v", name, flat, err)
		}
	}
}
