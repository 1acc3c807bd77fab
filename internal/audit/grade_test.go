package audit

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

const wellKept = `
example.com. IN MX 10 mx.example.com.
example.com. IN TXT "v=spf1 mx a:out.example.com include:_spf.example.net -all"
mx.example.com. IN A 192.0.2.1
out.example.com. IN A 192.0.2.2
_spf.example.net. IN TXT "v=spf1 ip4:192.0.2.64/28 -all"
_dmarc.example.com. IN TXT "v=DMARC1; p=quarantine; rua=mailto:a@reports.example.org"
example.com._report._dmarc.reports.example.org. IN TXT "v=DMARC1"
reports.example.org. IN MX 10 mx.example.com.
s1._domainkey.example.com. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
`

func auditOf(t *testing.T, domain, text string, failing ...string) *Report {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	o := facts.Options{Resolver: &troubled{zone, failing, nil}, Offline: true, Now: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)}
	return Run(context.Background(), domain, o)
}

func TestOnlyWhatCouldDecideLeavesTheGradeOpen(t *testing.T) {
	if r := auditOf(t, "example.com", wellKept); r.Grade != check.B {
		t.Fatalf("grade %s: %s", r.Grade, told(r.Findings))
	}
	for name, open := range map[string]bool{
		"example.com":                      true,
		"_dmarc.example.com":               true,
		"_spf.example.net":                 true,
		"reports.example.org":              false,
		"out.example.com":                  false,
		"mx.example.com":                   false,
		"selector1._domainkey.example.com": false,
		"example.com._report._dmarc.reports.example.org": false,
	} {
		r := auditOf(t, "example.com", wellKept, name)
		if (r.Grade == check.Undecided) != open {
			t.Errorf("%s does not answer, and the grade is %s: %s", name, r.Grade, told(r.Findings))
		}
	}
}

func TestADomainThatDoesNotExistIsToldAsThatAlone(t *testing.T) {
	const above = "_dmarc.example.com. IN TXT \"v=DMARC1; p=reject; np=quarantine; rua=mailto:a@example.com\"\n"
	r := auditOf(t, "gone.example.com", above)
	if len(r.Findings) != 1 || r.Findings[0].ID != noDomain || r.Grade != check.Undecided || len(r.Publish) != 0 {
		t.Errorf("grade %s: %s", r.Grade, told(r.Findings))
	}
	if !strings.Contains(r.Findings[0].Detail, "quarantine") {
		t.Errorf("what applies to it is not told: %s", r.Findings[0].Detail)
	}
	for name, r := range map[string]*Report{
		"something is below it": auditOf(t, "gone.example.com", above+"www.gone.example.com. IN A 192.0.2.1\n"),
		"it does not answer":    auditOf(t, "gone.example.com", above, "gone.example.com"),
	} {
		if has(r.Findings, noDomain) {
			t.Errorf("%s: %s", name, told(r.Findings))
		}
	}
}

func TestWhatIsPublishedTogetherTakesNothingAwayWithoutNeedAndIsTheDomainsOwn(t *testing.T) {
	zone := strings.NewReplacer("v=spf1 mx", "v=spf1 ptr mx", "example.com._report", "other.example._report").Replace(wellKept)
	r := auditOf(t, "example.com", zone)
	for _, id := range []string{"spf-ptr", "dmarc-external-unauthorised"} {
		i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == id })
		if i < 0 || len(r.Findings[i].Changes) == 0 {
			t.Fatalf("%s has no fix of its own: %s", id, told(r.Findings))
		}
		if elsewhere := r.Findings[i].Changes[0].Elsewhere; elsewhere != (id != "spf-ptr") {
			t.Errorf("%s: elsewhere is %t", id, elsewhere)
		}
	}
	if len(r.Publish) != 0 {
		t.Errorf("got %+v", r.Publish)
	}
}

func TestAnAuditSaysNothingOfAFixThatItDoesNotShow(t *testing.T) {
	zone := strings.Replace(wellKept, "-all", "-all include:gone.example.net", 1)
	r := auditOf(t, "example.com", zone)
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == "spf-terms-after-all" })
	if i < 0 || len(r.Findings[i].Changes) != 0 || r.Findings[i].Advice != "" {
		t.Errorf("got %+v", r.Findings)
	}
}

func TestAFailureIsNamedOnce(t *testing.T) {
	r := auditOf(t, "example.com", wellKept, "_spf.example.net")
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.ID == "spf-unknown" })
	if i < 0 || strings.Count(r.Findings[i].Detail, "_spf.example.net") != 1 {
		t.Errorf("got %+v", r.Findings)
	}
}

func TestMailThatGoesNowhereIsNoSmallThing(t *testing.T) {
	for _, c := range []struct {
		mx, id string
		want   check.Grade
	}{
		{"example.com. IN MX 10 10.0.0.1.", "mx-literal", check.D},
		{"example.com. IN MX 10 mx.example.com.\nexample.com. IN MX 20 gone.example.com.\nmx.example.com. IN A 192.0.2.1", "mx-nxdomain", check.C},
		{"example.com. IN MX 10 mx.example.com.\nmx.example.com. IN A 10.0.0.1", "mx-private-address", check.D},
		{"example.com. IN MX 10 mx.example.com.\nmx.example.com. IN A 10.0.0.1\nmx.example.com. IN A 192.0.2.1", "mx-private-address", check.C},
		{"example.com. IN MX 10 mx.example.com.\nmx.example.com. IN TXT \"-\"", "mx-no-address", check.D},
		{"example.com. IN MX 10 mx.gone.org.\norg. IN TXT \"-\"", "mx-unregistered", check.D},
	} {
		zone := `example.com. IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com. IN TXT "v=DMARC1; p=reject; rua=mailto:a@example.com"
s1._domainkey.example.com. IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
`
		if r := auditOf(t, "example.com", zone+c.mx+"\n"); r.Grade != c.want || !has(r.Findings, c.id) {
			t.Errorf("%s: grade %s, want %s: %s", c.id, r.Grade, c.want, told(r.Findings))
		}
	}
}
