package dkimcheck

import (
	"context"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

const (
	edKey = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	s1    = "s1._domainkey.example.com. IN "
)

// look lets one check look at a zone, by the selectors s1 and s2.
func look(t *testing.T, id, zone string) []check.Seen {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	f := facts.Gather(context.Background(), "example.com", facts.Options{Resolver: z, Selectors: []string{"s1", "s2"}, Few: true})
	for _, c := range Checks() {
		if c.ID == id {
			return c.Look(f)
		}
	}
	t.Fatalf("there is no check %s", id)
	return nil
}

func text(s string) string { return "TXT " + strings.Join(dns.QuoteText(s), " ") + "\n" }

// only is the one finding.
func only(t *testing.T, id, zone string) check.Seen {
	t.Helper()
	seen := look(t, id, zone)
	if len(seen) != 1 {
		t.Fatalf("%s: got %+v", id, seen)
	}
	return seen[0]
}

func TestAKeyWithTheMarkOfROCAIsAnError(t *testing.T) {
	if seen := only(t, "dkim-weak-key", s1+text(rocaKey)); seen.Severity != check.Error || !strings.Contains(seen.Detail, "ROCA") {
		t.Errorf("got %+v", seen)
	}
}

func TestTheSecondAliasOfAServiceThatHasAKeyIsNoError(t *testing.T) {
	zone := s1 + "CNAME s1.dkim.example.net.\ns1.dkim.example.net. IN " + text(edKey) + "s2._domainkey.example.com. IN CNAME s2.dkim.example.net.\n"
	if seen := only(t, "dkim-dangling-cname", zone); seen.Severity != check.Warning {
		t.Errorf("got %+v", seen)
	}
}

func TestAnAliasForNothingIsNotTakenAwayByUs(t *testing.T) {
	if seen := only(t, "dkim-dangling-cname", s1+"CNAME s1.dkim.example.net.\n"); len(seen.Fix) > 0 || seen.Advice == "" {
		t.Errorf("got %+v", seen)
	}
}

func TestAKeyForReportsOfTLSIsMeantToBeSo(t *testing.T) {
	if seen := only(t, "dkim-service-excludes-email", s1+text(edKey+"; s=tlsrpt")); seen.Severity != check.Info || len(seen.Fix) > 0 {
		t.Errorf("got %+v", seen)
	}
}

func TestAWildcardThatIsNoKeyIsInformation(t *testing.T) {
	if seen := only(t, "dkim-wildcard", "*.example.com. IN "+text("v=spf1 -all")); seen.Severity != check.Info {
		t.Errorf("got %+v", seen)
	}
}

func TestTheFixIsWhereTheRecordIs(t *testing.T) {
	testing := edKey + "; t=y"
	seen := only(t, "dkim-testing", s1+"CNAME s1.keys.example.com.\ns1.keys.example.com. IN "+text(testing))
	if len(seen.Fix) != 1 || seen.Fix[0].Name != "s1.keys.example.com" || seen.Fix[0].Old != testing || seen.Fix[0].New != edKey {
		t.Errorf("the domain's own: got %+v", seen.Fix)
	}
	seen = only(t, "dkim-testing", s1+"CNAME s1.dkim.example.net.\ns1.dkim.example.net. IN "+text(testing))
	if len(seen.Fix) > 0 || !strings.Contains(seen.Advice, "s1.dkim.example.net") {
		t.Errorf("somebody else's: got %+v", seen)
	}
}

func TestWhichOfTwoValuesIsMeantIsNotGuessed(t *testing.T) {
	if seen := only(t, "dkim-duplicate-tag", s1+text(edKey+"; p=eNBq9wl7BWnpp1qbH9XUYUNUuLGh0TvHEeqrbl05oTY=")); len(seen.Fix) > 0 || seen.Advice == "" {
		t.Errorf("got %+v", seen)
	}
}

func TestACutKeyIsNotMended(t *testing.T) {
	if seen := only(t, "dkim-key-corrupt", s1+text(rocaKey[:255])); len(seen.Fix) > 0 || seen.Advice == "" {
		t.Errorf("got %+v", seen)
	}
}

func TestTheBackslashesOfAMasterFileAreTakenOut(t *testing.T) {
	seen := only(t, "dkim-version-bad", s1+text(`v=DKIM1\; k=ed25519\; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=`))
	if len(seen.Fix) != 1 || seen.Fix[0].New != edKey {
		t.Errorf("got %+v", seen.Fix)
	}
}

func TestARecordOfBadTagsAloneIsNotTakenAwayByUs(t *testing.T) {
	if seen := only(t, "dkim-s-bad", s1+text("s=chat")); len(seen.Fix) > 0 {
		t.Errorf("got %+v", seen.Fix)
	}
}

// Whatever is published, each finding has what it needs, and each fix is a change to a record that is there.
func FuzzChecks(f *testing.F) {
	for _, s := range []string{edKey, rocaKey, "v=DKIM1; k=x; h=; s=; t=a:b:; p=AAAA; p=", "v=DKIM1\\;p=\"A\" \"B\"", "p=;g=;q=dns;K=;k=", "k=rsa;\np=MIG"} {
		f.Add(s, "v=DKIM1; p=")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		r := answers{"s1._domainkey.example.com": {a, b}, "s2._domainkey.example.com": {b}}
		o := facts.Options{Resolver: r, Selectors: []string{"s1", "s2"}, Few: true, Keys: map[string]string{"s2": edKey}}
		known := facts.Gather(context.Background(), "example.com", o)
		for _, c := range Checks() {
			for _, seen := range c.Look(known) {
				if seen.Subject == "" || seen.Detail == "" {
					t.Errorf("%s: %+v", c.ID, seen)
				}
				for _, change := range seen.Fix {
					if change.Old != a && change.Old != b || change.New == change.Old {
						t.Errorf("%s: %+v", c.ID, change)
					}
					if _, err := dkim.EveryTag(change.New); err != nil {
						t.Errorf("%s: %q is to be published: %v", c.ID, change.New, err)
					}
				}
			}
		}
	})
}

type answers map[string][]string

func (a answers) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if texts := a[name]; texts != nil && typ == dns.TypeTXT {
		return dns.Answer{Name: name, TXT: texts}, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNoData}
}
