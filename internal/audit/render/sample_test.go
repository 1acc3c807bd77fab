package render

import (
	"errors"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/diff"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// hostile is what a stranger may publish: markup, a terminal's commands, marks that turn the direction of writing, much of it.
const hostile = "<script>alert(1)</script> \x1b[31mred\x1b]0;title\x07 \u202eevil\u200f \"quoted\" 'single' & `tick` ```fence``` *b* _i_ " +
	"[link](https://attacker.example/) www.attacker.example @everyone | \xff\x00 ]]> --> \u2028"

var (
	longSPF = "v=spf1 " + strings.Repeat("ip4:192.0.2.0/24 ip4:198.51.100.0/24 ip6:2001:db8:1234::/48 ", 6) + "include:_spf.mail.example -all"
	oldSPF  = strings.TrimSuffix(longSPF, "-all") + "~all"
	oldMX   = "10 mx1.example.com."
)

var sampleChecks = []check.Check{
	{ID: "spf-softfail", Severity: check.Warning, Title: "SPF ends in ~all", Reference: "RFC 7208 5.1", Why: "Mail from elsewhere is let in.",
		Explain: "A first paragraph, which is long enough that it has to be wrapped on a terminal of eighty columns, once.\n\n" +
			"Look at the record:\n\n\tdig +short TXT example.com\n\tdig @ns1.example.net TXT example.com\n\nThat is all."},
	{ID: "spf-multiple", Severity: check.Error, Title: "There is more than one SPF record", Reference: "RFC 7208 3.2",
		Why: "Receivers give up with permerror.", Explain: "One is right."},
	{ID: "dmarc-missing", Severity: check.Error, Title: "There is no DMARC policy", Reference: "RFC 9989 4.10",
		Why: "Anybody can write in the domain's name.", Explain: "Publish one."},
	{ID: "dkim-unknown", Severity: check.Unknown, Title: "Answers could not be had", Reference: "RFC 2308 7",
		Why: "What could not be looked at is neither right nor wrong.", Explain: "Look again later."},
	{ID: "mx-no-ptr", Severity: check.Warning, Title: "A mail server has no name in reverse DNS", Reference: "RFC 1912 2.1",
		Why: "Receivers distrust it.", Explain: "Ask who owns the address."},
	{ID: "mta-sts-policy-invalid", Severity: check.Error, Title: "The MTA-STS policy cannot be read", Reference: "RFC 8461 3.2",
		Why: "Senders do without it.", Explain: "Mend the file."},
	{ID: "tls-rpt-missing", Severity: check.Info, Title: "No reports of failed TLS are asked for", Reference: "RFC 8460 3",
		Why: "Failures stay unseen.", Explain: "Publish a record."},
	{ID: "bimi-missing-title", Severity: check.Error, Title: "The logo has no title", Reference: "", Why: "It is not shown.", Explain: "Add one."},
}

// sample is a report with everything that a report can have.
func sample() Result {
	f := &facts.Facts{Domain: "example.com"}
	f.SPF.Texts = []string{oldSPF}
	f.DMARC.Texts = nil
	f.DKIM.Selectors = []facts.Selector{{Name: "s1", Text: "v=DKIM1; p=" + strings.Repeat("A", 392)}, {Name: "s2", Err: errors.New("nothing")}}
	f.MX.Asked.MX = []dns.MX{{Preference: 10, Host: "mx1.example.com"}}
	r := &audit.Report{
		Domain: "example.com", CheckedAt: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), Grade: check.C, Sends: true, Facts: f,
		First: "There is more than one SPF record: publish at example.com what is given below.",
		Findings: []audit.Finding{
			finding("spf-multiple", "example.com", "Two texts of the domain begin with v=spf1: \"v=spf1 mx -all\" and the one that is taken away below.",
				"", publish.Change{Name: "example.com", Type: "TXT", Old: "v=spf1 mx -all"}),
			finding("dmarc-missing", "_dmarc.example.com", hostile, "=cmd|' /C calc'!A0",
				publish.Change{Name: "_dmarc.example.com", Type: "TXT", New: "v=DMARC1; p=none; rua=mailto:dmarc@example.com"}),
			finding("mta-sts-policy-invalid", "mta-sts.example.com", strings.Repeat("<b>long</b>", 450), "Mend the file:\n\n\tmode: enforce\n\tmx: *.example.com\n\nThen look again.",
				publish.Change{Name: "https://mta-sts.example.com/.well-known/mta-sts.txt", Type: publish.File, Old: "x",
					New: "version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmax_age: 604800\r\n"}),
			finding("bimi-missing-title", hostile, "line one\nline two\r\n- three", ""),
			finding("spf-softfail", "example.com", "The record ends in ~all.", "-all can get mail refused before DMARC is looked at.",
				publish.Change{Name: "example.com", Type: "TXT", Old: oldSPF, New: longSPF}),
			finding("mx-no-ptr", "mx1.example.com", "192.0.2.1 has no name.", "-ask @admin at +1 555 for it."),
			finding("mx-no-ptr", "mx2.example.com", "=1+1", "",
				publish.Change{Name: "example.com", Type: "MX", Old: oldMX, New: "10 mx.example.com."}),
			finding("dkim-unknown", "s1._domainkey.example.com", "s1._domainkey.example.com TXT: the name servers failed.", "Look again later."),
			finding("tls-rpt-missing", "_smtp._tls.example.com", "There is no record.", ""),
		},
		Publish: []publish.Change{
			{Name: "example.com", Type: "TXT", Old: oldSPF, New: longSPF},
			{Name: "_dmarc.example.com", Type: "TXT", New: "v=DMARC1; p=none; rua=mailto:dmarc@example.com"},
		},
	}
	d := &diff.Diff{Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Grade: "D", States: make([]diff.State, len(r.Findings)),
		Mended: []diff.Finding{{ID: "spf-plus-all", Severity: check.Error, Subject: "example.com", Title: "SPF lets everybody in"}},
		Untold: []diff.Finding{{ID: "dkim-key-1024", Severity: check.Warning, Subject: "s1._domainkey.example.com", Title: "A key of 1024 bits"}}}
	for i := range d.States {
		d.States[i] = diff.Known
	}
	d.States[1], d.States[7] = diff.New, diff.Untold
	d.New = []diff.Finding{{ID: "dmarc-missing", Severity: check.Error, Subject: "_dmarc.example.com", Title: "There is no DMARC policy"}}
	return Result{r, d}
}

// silent is a report without a finding.
func silent() Result {
	return Result{Report: &audit.Report{
		Domain: "parked.example", CheckedAt: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), Grade: check.A, Facts: &facts.Facts{Domain: "parked.example"},
	}}
}

func finding(id, subject, detail, advice string, changes ...publish.Change) audit.Finding {
	f := audit.Finding{ID: id, Area: audit.AreaOf(id), Subject: subject, Detail: detail, Advice: advice, Changes: changes}
	for _, c := range sampleChecks {
		if c.ID == id {
			f.Severity, f.Title, f.Why, f.Reference = c.Severity, c.Title, c.Why, c.Reference
		}
	}
	if len(changes) > 0 {
		f.Fix = changes[0].New
	}
	return f
}
