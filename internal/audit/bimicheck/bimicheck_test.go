package bimicheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/bimi"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// ids are the checks that find something in a domain with a BIMI record and a DMARC record. No file is fetched.
func ids(t *testing.T, record, policy string) []string {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(fmt.Sprintf("default._bimi.example.com. IN TXT %q\n_dmarc.example.com. IN TXT %q\n", record, policy)), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	f := facts.Gather(context.Background(), "example.com", facts.Options{Resolver: zone, Few: true})
	var all []string
	for _, c := range Checks() {
		for range c.Look(f) {
			all = append(all, c.ID)
		}
	}
	return all
}

func TestADomainThatWantsNoLogoIsLeftAlone(t *testing.T) {
	for _, record := range []string{"v=BIMI1; l=; a=;", "v=spf1 -all"} {
		if got := ids(t, record, "v=DMARC1; p=none"); len(got) > 0 {
			t.Errorf("%s: %v", record, got)
		}
	}
}

func TestThePolicyMustEnforceForAllMail(t *testing.T) {
	const logo = "v=BIMI1; l=https://example.com/l.svg; a=https://example.com/l.pem"
	for policy, enforces := range map[string]bool{
		"v=DMARC1; p=reject": true, "v=DMARC1; p=quarantine": true, "v=DMARC1; p=quarantine; pct=100": true, "v=DMARC1; p=reject; sp=quarantine": true,
		"v=DMARC1; p=none": false, "v=DMARC1; p=reject; sp=none": false, "v=DMARC1; p=reject; t=y": false, "v=DMARC1; p=reject; pct=50": false, "v=spf1 -all": false,
	} {
		if got := slices.Contains(ids(t, logo, policy), "bimi-dmarc-not-enforcing"); got == enforces {
			t.Errorf("%s: said not to enforce: %v", policy, got)
		}
	}
}

func TestOfManyFaultsAFewAreTold(t *testing.T) {
	var faults []bimi.Fault
	for i := range 30 {
		faults = append(faults, bimi.Fault{Kind: bimi.Script, Detail: fmt.Sprintf("fault %d", i)})
	}
	seen := of(faults, bimi.Script, "https://example.com/l.svg", "")
	if len(seen) != 1 || seen[0].Detail != "Fault 0; fault 1; fault 2; fault 3; fault 4; and more." {
		t.Errorf("got %+v", seen)
	}
}

func TestAListOfURLsIsNotGuessedAt(t *testing.T) {
	if got := ids(t, "v=BIMI1; l=https://example.com/a.svg,https://example.com/b.svg; a=https://example.com/l.pem", "v=DMARC1; p=reject"); !slices.Equal(got, []string{"bimi-logo-not-https"}) {
		t.Errorf("got %v", got)
	}
}
