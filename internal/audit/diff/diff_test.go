package diff

import (
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

const before = `{"domain":"example.com","checked_at":"2026-11-01T00:00:00Z","grade":"D","findings":[
 {"id":"spf-missing","severity":"error","subject":"example.com","title":"a"},
 {"id":"mx-no-ptr","severity":"warning","subject":"mx1.example.com","title":"b"},
 {"id":"mx-no-ptr","severity":"warning","subject":"mx2.example.com","title":"b"},
 {"id":"mta-sts-testing","severity":"warning","subject":"example.com","title":"c"},
 {"id":"dmarc-unknown","severity":"unknown","subject":"example.com","title":"d"}]}
{"domain":"example.net","checked_at":"2026-11-02T00:00:00Z","grade":"A","findings":[]}
`

func report(domain string, all ...string) *audit.Report {
	r := &audit.Report{Domain: domain}
	for _, text := range all {
		id, subject, _ := strings.Cut(text, " ")
		severity := check.Error
		if strings.HasSuffix(id, "-unknown") {
			severity = check.Unknown
		}
		r.Findings = append(r.Findings, audit.Finding{ID: id, Subject: subject, Severity: severity})
	}
	return r
}

func told(all []Finding) string {
	var texts []string
	for _, f := range all {
		texts = append(texts, f.ID+" "+f.Subject)
	}
	return strings.Join(texts, ", ")
}

func TestWhatIsNewAndWhatIsMended(t *testing.T) {
	earlier, err := Read(strings.NewReader(before))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name                string
		now                 *audit.Report
		new, mended, untold string
	}{
		{"all as it was", report("example.com", "spf-missing example.com", "mx-no-ptr mx1.example.com", "mx-no-ptr mx2.example.com",
			"mta-sts-testing example.com", "dmarc-unknown example.com"), "", "", ""},
		{"nothing is wrong any more", report("example.com"), "",
			"spf-missing example.com, mx-no-ptr mx1.example.com, mx-no-ptr mx2.example.com, mta-sts-testing example.com", ""},
		{"one host was mended, and another came", report("example.com", "spf-missing example.com", "mx-no-ptr mx2.example.com",
			"mx-no-ptr mx3.example.com", "mta-sts-testing example.com"), "mx-no-ptr mx3.example.com", "mx-no-ptr mx1.example.com", ""},
		{"an area that is unknown now is not mended", report("example.com", "spf-missing example.com", "mx-unknown example.com"),
			"", "mta-sts-testing example.com", "mx-no-ptr mx1.example.com, mx-no-ptr mx2.example.com"},
		{"an area whose id begins like another's is its own", report("example.com", "mta-sts-unknown example.com"), "",
			"spf-missing example.com, mx-no-ptr mx1.example.com, mx-no-ptr mx2.example.com", "mta-sts-testing example.com"},
		{"what was unknown is not new", report("example.com", "dmarc-missing example.com", "spf-missing example.com",
			"mx-no-ptr mx1.example.com", "mx-no-ptr mx2.example.com", "mta-sts-testing example.com"), "", "", ""},
		{"twice at one subject, where it was there once", report("example.net", "spf-syntax example.net", "spf-syntax example.net"),
			"spf-syntax example.net, spf-syntax example.net", "", ""},
		{"a domain that was not there", report("example.org", "spf-missing example.org"), "spf-missing example.org", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := earlier.Compare(c.now)
			if told(d.New) != c.new || told(d.Mended) != c.mended || told(d.Untold) != c.untold {
				t.Errorf("new %q, mended %q, untold %q; want %q, %q, %q", told(d.New), told(d.Mended), told(d.Untold), c.new, c.mended, c.untold)
			}
			if len(d.States) != len(c.now.Findings) {
				t.Errorf("%d states of %d findings", len(d.States), len(c.now.Findings))
			}
			if d.Since.IsZero() != (c.now.Domain == "example.org") {
				t.Errorf("since %v", d.Since)
			}
		})
	}
}

func TestTheLatestAuditOfADomainCounts(t *testing.T) {
	all, err := Read(strings.NewReader(`{"domain":"example.com","checked_at":"2026-11-03T00:00:00Z","grade":"A"}
{"domain":"example.com","checked_at":"2026-11-01T00:00:00Z","grade":"F"}`))
	if err != nil || all["example.com"].Grade != "A" || !all["example.com"].CheckedAt.Equal(time.Date(2026, 11, 3, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v, %v", all["example.com"], err)
	}
}

func TestAFileThatIsNoAuditIsRefused(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", `{"domain":"example.com"}`, `{"kind":"aggregate"}`, before + "{", "no JSON"} {
		if all, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "gatepost check --json") {
			t.Errorf("%q: got %v, %v", text, all, err)
		}
	}
}
