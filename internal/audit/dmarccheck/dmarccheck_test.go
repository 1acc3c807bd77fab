package dmarccheck_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// key is an RSA key of 2048 bits.
const key = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvFsHhJI9UDTP/UXijt/HsO9b4mvRzjxc8f0BYS5GGOmJuu6tBT0nzgek" +
	"+Xk9v1vgG94VAcleGNmSIgFlLK3INQtnHzH1abLPy9JvFEmDHkbEehSGyENO+VKrJcGXQNigUEVXA6YMBtG6rqCuaLJVDLDAQW3t" +
	"PbdTKpcWoMO3TtTGWEaVkqKtpHdDdVg6yXeJjZ1e9w9Z1i0aa5EA122doAJ5cXg2SUFQcTkPNDrpHxD40dLRZWxeidXW7CoGDU6a" +
	"VpDzm7afknC5f+Y0OpyYNoXCX4/iFfLMBzfmmgN4X/ylBwC0I/sOyrEX2zi3chfB34CRBriIc3Z4jw/kuhZqEQIDAQAB"

// mail is a domain that sends and takes mail, and has nothing wrong with it but what DMARC is about.
var mail = `
example.com. IN MX 10 mx.example.com.
example.com. IN TXT "v=spf1 mx -all"
mx.example.com. IN A 192.0.2.1
mx.example.com. IN TXT "v=spf1 a -all"
s1._domainkey.example.com. IN TXT "v=DKIM1; p=` + key[:200] + `" "` + key[200:] + `"
`

func run(t *testing.T, domain, zone string) *audit.Report {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return audit.Run(context.Background(), domain, facts.Options{Resolver: z, Selectors: []string{"s1"}})
}

// ids are those of the area's findings, a line.
func ids(r *audit.Report) string {
	var all []string
	for _, f := range r.Findings {
		if f.Area == facts.DMARC && f.ID != "dmarc-reject-human-users" {
			all = append(all, strings.TrimPrefix(f.ID, "dmarc-"))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func finding(t *testing.T, r *audit.Report, id string) audit.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f audit.Finding) bool { return f.ID == id })
	if i < 0 {
		t.Fatalf("%s is not among %s", id, ids(r))
	}
	return r.Findings[i]
}

func TestTheGradeGoesByThePolicyThatApplies(t *testing.T) {
	good := []check.Grade{check.A, check.AMinus}
	const below = "_dmarc.example.com. TXT \"v=DMARC1; p=reject; sp=none; rua=mailto:a@example.com\"\n"
	at := func(domain, tags string) string { return "_dmarc." + domain + ". TXT \"v=DMARC1; " + tags + "\"\n" }
	top := func(tags string) string { return at("example.com", tags) }
	for _, c := range []struct {
		name, domain, zone string
		grades             []check.Grade
		ids                string
	}{
		{"no policy", "example.com", "", []check.Grade{check.F}, "missing"},
		{"p=none", "example.com", top("p=none; rua=mailto:a@example.com"), []check.Grade{check.C}, "p-none"},
		{"p=quarantine", "example.com", top("p=quarantine; rua=mailto:a@example.com"), good, ""},
		{"old defaults", "example.com", top("p=reject; pct=100; ri=86400; rf=afrf; rua=mailto:a@example.com"), good, "pct rf ri"},
		{"sp=none at the top", "example.com", below, []check.Grade{check.B}, "sp-none"},
		{"test mode", "example.com", top("p=quarantine; t=y; rua=mailto:a@example.com"), []check.Grade{check.C}, "testing"},
		{"two records", "example.com", top("p=reject") + top("p=none"), []check.Grade{check.F}, "multiple"},
		{"two records below a policy", "mx.example.com", at("mx.example.com", "p=reject") + at("mx.example.com", "p=none") +
			top("p=reject; rua=mailto:a@example.com"), []check.Grade{check.D}, "multiple"},
		{"sp=none from above", "mx.example.com", below, []check.Grade{check.C}, "p-none"},
		{"sp=none above that does not apply", "mx.example.com", below + at("mx.example.com", "p=reject; rua=mailto:a@example.com"),
			append(good, check.B), ""},
		{"a bad sp with nobody to tell", "example.com", top("p=reject; sp=yes"), []check.Grade{check.F}, "sp-or-np-invalid"},
		{"a text that misleads", "example.com",
			top("p=reject; rua=mailto:a@example.com") + "_dmarc.example.com. TXT \"v=dmarc1; p=none\"\n", good, "version-bad"},
	} {
		r := run(t, c.domain, mail+c.zone+"\n")
		if !slices.Contains(c.grades, r.Grade) {
			t.Errorf("%s: the grade is %s, want one of %v: %s", c.name, r.Grade, c.grades, r.First)
		}
		if ids(r) != c.ids {
			t.Errorf("%s: found %q, want %q", c.name, ids(r), c.ids)
		}
	}
}

func TestADomainThatSendsNothingIsToRejectAtOnce(t *testing.T) {
	const parked = "example.com. MX 0 .\nexample.com. TXT \"v=spf1 -all\"\n"
	for _, c := range []struct{ record, id, want string }{
		{"no record", "dmarc-missing", "v=DMARC1; p=reject"},
		{"v=DMARC1; p=none", "dmarc-none-without-rua", "v=DMARC1; p=reject"},
		{"v=DMARC1; p=none; rua=mailto:a@example.net", "dmarc-p-none", "v=DMARC1; p=reject; rua=mailto:a@example.net"},
		{"v=DMARC1; p=reject; t=y; sp=reject", "dmarc-testing", "v=DMARC1; p=reject; sp=reject"},
	} {
		if f := finding(t, run(t, "example.com", parked+"_dmarc.example.com. TXT \""+c.record+"\"\n"), c.id); f.Fix != c.want {
			t.Errorf("%s: the fix is %q, want %q", c.record, f.Fix, c.want)
		}
	}
	if got := ids(run(t, "example.com", parked+"_dmarc.example.com. TXT \"v=DMARC1; p=reject\"\n")); got != "" {
		t.Errorf("it is as it should be, and %q was found", got)
	}
}

func TestNoAddressIsMadeUpForADomainThatTakesNoMail(t *testing.T) {
	const zone = "example.com. TXT \"v=spf1 ip4:192.0.2.0/24 -all\"\nexample.com. A 192.0.2.1\n"
	for _, mx := range []string{"", "example.com. MX 10 gone.example.com.\n"} {
		f := finding(t, run(t, "example.com", zone+mx), "dmarc-missing")
		if f.Fix != "" || !strings.Contains(f.Advice, "ADDRESS") {
			t.Errorf("the fix is %q, the advice %q", f.Fix, f.Advice)
		}
	}
}

func TestARecordBehindACNAMEIsNotChangedHere(t *testing.T) {
	const zone = "_dmarc.example.com. CNAME d.example.net.\nd.example.net. TXT \"v=DMARC1; p=reject; pct=50; rua=mailto:a@example.com\"\n"
	f := finding(t, run(t, "example.com", mail+zone), "dmarc-pct")
	if len(f.Changes) > 0 || !strings.Contains(f.Advice, "d.example.net") {
		t.Errorf("the changes are %v, the advice %q", f.Changes, f.Advice)
	}
}

func TestAWildcardCNAMEIsNoDanglingOne(t *testing.T) {
	for _, web := range []string{"", "web.example.net. TXT \"v=spf1 -all\"\n"} {
		r := run(t, "example.com", mail+"*.example.com. CNAME web.example.net.\nweb.example.net. A 192.0.2.7\n"+web)
		id := "dmarc-missing"
		if web != "" {
			id = "dmarc-spf-at-dmarc"
		}
		const want = "v=DMARC1; p=none; rua=mailto:postmaster@example.com"
		if f := finding(t, r, id); f.Fix != want || ids(r) != strings.TrimPrefix(id, "dmarc-") {
			t.Errorf("found %s, the fix is %q", ids(r), f.Fix)
		}
	}
}

func TestAPolicyPutInWithTheDomainTwiceIsMoved(t *testing.T) {
	const policy, name = "v=DMARC1; p=quarantine; rua=mailto:a@example.com", "_dmarc.example.com.example.com"
	r := run(t, "example.com", mail+name+". TXT \""+policy+"\"\n")
	f := finding(t, r, "dmarc-wrong-location")
	if f.Fix != policy || f.Changes[0].Name != "_dmarc.example.com" || f.Subject != name {
		t.Errorf("the changes are %+v, the subject %s", f.Changes, f.Subject)
	}
	if ids(r) != "wrong-location" || r.Grade != check.F {
		t.Errorf("found %s, grade %s", ids(r), r.Grade)
	}
}

func TestCNAMEsInACircleAreKnownForThat(t *testing.T) {
	const circle = "_dmarc.example.com. CNAME a.example.net.\na.example.net. CNAME b.example.net.\nb.example.net. CNAME a.example.net.\n"
	r := run(t, "example.com", mail+circle)
	f := finding(t, r, "dmarc-dangling-cname")
	if !strings.Contains(f.Detail, "circle") || f.Fix == "" {
		t.Errorf("the detail is %q, the fix %q", f.Detail, f.Fix)
	}
}

func TestAnOverrideIsOfTheTagThatItIsFor(t *testing.T) {
	const zone = "_dmarc.example.com. TXT \"v=DMARC1; p=reject; rua=mailto:a@r.example.net; ruf=mailto:b@r.example.net\"\n" +
		"r.example.net. MX 10 mx.example.com.\nexample.com._report._dmarc.r.example.net. TXT \"v=DMARC1; ruf=mailto:c@example.org\"\n"
	f := finding(t, run(t, "example.com", mail+zone), "dmarc-override-other-host")
	if !strings.HasPrefix(f.Detail, "The text there has reports of ruf go to") {
		t.Errorf("the detail is %q", f.Detail)
	}
}

func TestTheVersionIsPutRight(t *testing.T) {
	const want = "v=DMARC1; p=quarantine; rua=mailto:a@example.com"
	for _, text := range []string{
		"v=dmarc1; p=quarantine; rua=mailto:a@example.com",
		"v=DMARC; p=quarantine; rua=mailto:a@example.com",
		"v=DMARC1 p=quarantine; rua=mailto:a@example.com",
		"p=quarantine; v=DMARC1; rua=mailto:a@example.com",
		`\"v=DMARC1; p=quarantine; rua=mailto:a@example.com\"`,
		`\239\187\191v=DMARC1; p=quarantine; rua=mailto:a@example.com`, // a byte order mark
		`v=D\208\156ARC1; p=quarantine; rua=mailto:a@example.com`,      // a Cyrillic letter
		`\194\160v=DMARC1; p=quarantine; rua=mailto:a@example.com`,     // a space that does not break
		`\226\128\156v=DMARC1; p=quarantine; rua=mailto:a@example.com`, // a quotation mark from a word processor
		"DMARC1; p=quarantine; rua=mailto:a@example.com",
		"v:DMARC1; p=quarantine; rua=mailto:a@example.com",
	} {
		r := run(t, "example.com", mail+"_dmarc.example.com. TXT \""+text+"\"\n")
		i := slices.IndexFunc(r.Findings, func(f audit.Finding) bool {
			return f.ID == "dmarc-version-bad" || f.ID == "dmarc-leading-space"
		})
		if i < 0 || r.Findings[i].Fix != want || r.Grade != check.F {
			t.Errorf("%q: found %s, grade %s", text, ids(r), r.Grade)
			if i >= 0 {
				t.Errorf("the fix is %q", r.Findings[i].Fix)
			}
		}
	}
}

func TestAllFixesTogetherLeaveNothingThatOneOfThemMends(t *testing.T) {
	const text = "v=DMARC1; fo=1; pct=100; rua=dmarc@example.com!5m; p=quarantene; p=none; adkim=relaxed; xyz; psd=y; np=none; rf=afrf;"
	r := run(t, "example.com", mail+"_dmarc.example.com. TXT \""+text+"\"\n")
	var record string
	for _, c := range r.Publish {
		if c.Name == "_dmarc.example.com" {
			record = c.New
		}
	}
	if want := "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com;"; record != want {
		t.Errorf("the record is\n %s, want\n %s", record, want)
	}
}

// texts answers for some names with texts, which may be longer than a master file could hold, and counts.
type texts struct {
	dns.Resolver
	at    map[string][]string
	asked atomic.Int64
}

func (r *texts) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	r.asked.Add(1)
	if all := r.at[name]; all != nil && typ == dns.TypeTXT {
		return dns.Answer{Name: name, TXT: all}, nil
	}
	return r.Resolver.Lookup(ctx, name, typ)
}

func hostile(t testing.TB, at ...string) *texts {
	zone, err := dns.ParseZone(strings.NewReader(mail), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return &texts{Resolver: zone, at: map[string][]string{"_dmarc.example.com": at}}
}

// bounded runs an audit, and holds what is said to a size that a person can read.
func bounded(t *testing.T, r *texts) *audit.Report {
	t.Helper()
	report := audit.Run(context.Background(), "example.com", facts.Options{Resolver: r})
	for _, f := range report.Findings {
		if len(f.Detail) > 4096 || len(f.Advice) > 4096 {
			t.Errorf("%s: the detail has %d bytes, the advice %d", f.ID, len(f.Detail), len(f.Advice))
		}
		if f.Subject == "" || f.Detail == "" {
			t.Errorf("%s: subject %q, detail %q", f.ID, f.Subject, f.Detail)
		}
	}
	return report
}

func TestWhatAnAttackerPublishesIsBounded(t *testing.T) {
	many := make([]string, 2000)
	for i := range many {
		many[i] = "v=DMARC1; p=reject; rua=mailto:" + strings.Repeat("a", i) + "@example.com"
	}
	addresses := make([]string, 1000)
	for i := range addresses {
		addresses[i] = "mailto:a@" + strings.Repeat("x", i%60+1) + strings.Repeat(".a", i/60+1) + ".example"
	}
	for name, texts := range map[string][]string{
		"60 KB of one value":   {"v=DMARC1; p=" + strings.Repeat("reject", 10000)},
		"thousands of tags":    {"v=DMARC1; p=reject" + strings.Repeat("; x=y", 12000)},
		"thousands of p":       {"v=DMARC1" + strings.Repeat(";p=reject", 6000)},
		"only semicolons":      {"v=DMARC1" + strings.Repeat(";", 60000)},
		"thousands of records": many,
		"a thousand addresses": {"v=DMARC1; p=reject; rua=" + strings.Join(addresses, ",") + "; ruf=" + strings.Join(addresses, ",")},
		"commas":               {"v=DMARC1; p=none; rua=" + strings.Repeat(",", 60000)},
		"control characters":   {"v=DMARC1; p=rej\x00ect\x1b[2J; rua=mailto:a\x07@example.com; \x01\x02=\x03"},
		"bytes that are none":  {"v=DMARC1; p=\xff\xfe; rua=mailto:\xff@\xfe.example"},
		"near misses of 60 KB": {
			strings.Repeat("v=DMARC", 9000), strings.Repeat("p=none;", 9000), " v=DMARC1" + strings.Repeat(" ;", 30000),
		},
		"fo without end":      {"v=DMARC1; p=none; ruf=mailto:a@example.com; fo=" + strings.Repeat("0:1:", 15000)},
		"a host that is long": {"v=DMARC1; p=none; rua=mailto:a@" + strings.Repeat("a.", 120) + "example.net"},
	} {
		r := hostile(t, texts...)
		f := facts.Gather(context.Background(), "example.com", facts.Options{Resolver: r})
		if n := r.asked.Load(); n > 200 {
			t.Errorf("%s: one look asked %d questions", name, n)
		}
		if n := len(f.DMARC.Reports); n > 64 {
			t.Errorf("%s: %d addresses were kept", name, n)
		}
		if report := bounded(t, r); ids(report) == "" {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

// FuzzAudit holds what stands at _dmarc, whatever it is, to a definite answer: either a policy applies, or a finding says why none does.
func FuzzAudit(f *testing.F) {
	f.Add("v=DMARC1; p=reject; rua=mailto:a@example.com", "v=spf1 -all")
	f.Add("v=dmarc1, p=rejct; rua=a@example.com!10m b@example.com,", "p=none")
	f.Add("v=DMARC1; sp=\xff; p=none; fo=0:1; \u0440=reject; psd=y", "")
	f.Fuzz(func(t *testing.T, one, other string) {
		r := hostile(t, one, other)
		report := bounded(t, r)
		if applies, known := report.Facts.DMARC.Applies(); known && !applies && report.Grade != check.F {
			t.Errorf("%q and %q: no policy applies, and the grade is %s: %s", one, other, report.Grade, ids(report))
		}
	})
}
