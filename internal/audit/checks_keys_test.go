package audit

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// keys adds what a case says of keys in its comment:
//
//	held: s1                  selectors whose private key is ours, by the record in the file held/SELECTOR
//	others: HASH example.net  a domain with a key
//	since: s1 2024-01-01      since when a record is as it is
//	length: fault             the zone where signatures with l= were seen
//
// The file roots.pem has the authorities for logos.
func (k *auditCase) keys(which string, o *facts.Options) {
	for _, selector := range strings.Fields(k.comment["held"]) {
		if o.Keys == nil {
			o.Keys = map[string]string{}
		}
		o.Keys[selector] = strings.TrimSpace(k.files["held/"+selector])
	}
	if hash, domain, ok := strings.Cut(k.comment["others"], " "); ok {
		o.OtherKeys = map[string]string{hash: domain}
	}
	if selector, day, ok := strings.Cut(k.comment["since"], " "); ok {
		since, err := time.Parse(time.DateOnly, day)
		if err != nil {
			panic(err)
		}
		o.Seen.KeySince = map[string]time.Time{selector: since}
	}
	o.Seen.Length = k.comment["length"] == which
	if roots := k.files["roots.pem"]; roots != "" {
		o.MarkRoots = x509.NewCertPool()
		o.MarkRoots.AppendCertsFromPEM([]byte(roots))
	}
}

const edKey = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

func keyZone(t *testing.T, records string) *dns.Zone {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(records), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestAllThatIsWrongWithAKeyRecordIsMendedInOneRecord(t *testing.T) {
	old := `g=*; v=DKIM1; k=ed25519; h=sha1; s=chat; t=y:s:x; foo=1; k=ed25519; ` + edKey
	zone := keyZone(t, "s1._domainkey.example.com. IN TXT \""+old+"\"")
	r := Run(context.Background(), "example.com", facts.Options{Resolver: zone, Selectors: []string{"s1"}, Few: true})
	var got []publish.Change
	for _, c := range r.Publish {
		if c.Name == "s1._domainkey.example.com" {
			got = append(got, c)
		}
	}
	want := publish.Change{Name: "s1._domainkey.example.com", Type: "TXT", Old: old, New: "v=DKIM1; k=ed25519; h=sha256; t=s; " + edKey}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAKeyBehindAnAliasOfTheDomainsOwnIsMendedWhereItIs(t *testing.T) {
	zone := keyZone(t, "s1._domainkey.example.com. IN CNAME s1.keys.example.com.\ns1.keys.example.com. IN TXT \"v=DKIM1; t=y; k=ed25519; "+edKey+"\"")
	r := Run(context.Background(), "example.com", facts.Options{Resolver: zone, Selectors: []string{"s1"}, Few: true})
	for _, f := range r.Findings {
		if f.ID == "dkim-testing" {
			if len(f.Changes) != 1 || f.Changes[0].Name != "s1.keys.example.com" || f.Fix != "v=DKIM1; k=ed25519; "+edKey {
				t.Errorf("got %+v", f.Changes)
			}
			return
		}
	}
	t.Errorf("it was not found: %s", told(r.Findings))
}

func TestAMissingKeyCapsTheGradeOnlyOfADomainThatSends(t *testing.T) {
	for zone, want := range map[string]check.Grade{
		"example.com. IN MX 10 mx.example.com.\nexample.com. IN TXT \"v=spf1 mx -all\"\n_domainkey.example.com. IN A 192.0.2.1\n": check.A,
		"example.com. IN MX 10 mx.example.com.\nexample.com. IN TXT \"v=spf1 mx -all\"\n":                                         check.B,
		"example.com. IN MX 0 .\nexample.com. IN TXT \"v=spf1 -all\"\n":                                                           check.A,
	} {
		r := Run(context.Background(), "example.com", facts.Options{Resolver: keyZone(t, zone), Few: true})
		got := check.A
		for i := range r.Findings {
			if f := &r.Findings[i]; f.Area == facts.DKIM && rank(capOf(f)) > rank(got) {
				got = capOf(f)
			}
		}
		if got != want {
			t.Errorf("%s\ngot %s by its keys, want %s: %s", zone, got, want, told(r.Findings))
		}
	}
}

func TestALogoThatIsNotThereByHTTPSIsNotSaidToBe(t *testing.T) {
	zone := keyZone(t, "default._bimi.example.com. IN TXT \"v=BIMI1; l=http://example.com/logo.svg\"")
	k := &auditCase{}
	r := Run(context.Background(), "example.com", facts.Options{Resolver: zone, Web: served{k, "fault", nil}, Few: true})
	for _, f := range r.Findings {
		if f.ID == "bimi-logo-not-https" {
			if f.Fix != "" {
				t.Errorf("%q is to be published, where there is nothing", f.Fix)
			}
			return
		}
	}
	t.Errorf("it was not found: %s", told(r.Findings))
}
