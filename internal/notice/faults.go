package notice

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Faults that a letter has sentences on, in every language.
const (
	spfFail      = "spf-fail"
	spfSoftFail  = "spf-softfail"
	spfMissing   = "spf-missing"
	spfMultiple  = "spf-multiple"
	spfSyntax    = "spf-syntax"
	spfLookups   = "spf-lookups"
	spfInclude   = "spf-include"
	dkimBroken   = "dkim-broken"
	dkimAbsent   = "dkim-absent"
	dkimChanged  = "dkim-changed"
	dmarcMissing = "dmarc-missing"
	dmarcNone    = "dmarc-none"
	dmarcInvalid = "dmarc-invalid"
	general      = "general"
)

// notCovered is the finding of the audit that a server is missing from an SPF record.
const notCovered = "spf-own-server-not-covered"

// faultOf are the findings of the audit that a letter has sentences on.
var faultOf = map[string]string{
	notCovered: spfFail, "spf-softfail": spfSoftFail, "spf-neutral-all": spfSoftFail, "spf-missing": spfMissing, "spf-multiple": spfMultiple,
	"spf-syntax": spfSyntax, "spf-unknown-mechanism": spfSyntax, "spf-missing-space": spfSyntax, "spf-bad-address-or-prefix": spfSyntax,
	"spf-duplicate-modifier": spfSyntax, "spf-macro-in-ip": spfSyntax, "spf-macro-invalid": spfSyntax, "spf-include-equals": spfSyntax,
	"spf-leading-space": spfSyntax, "spf-too-many-lookups": spfLookups, "spf-void-over-2": spfLookups, "spf-mx-over-10": spfLookups,
	"spf-include-no-record": spfInclude, "spf-redirect-no-record": spfInclude, "spf-include-loop": spfInclude, "spf-redirect-loop": spfInclude,
	"spf-dangling-include": spfInclude,

	"dkim-p-missing": dkimBroken, "dkim-key-corrupt": dkimBroken, "dkim-key-under-1024": dkimBroken, "dkim-version-bad": dkimBroken,
	"dkim-multiple-records": dkimBroken, "dkim-sha1-only": dkimBroken, "dkim-service-excludes-email": dkimBroken, "dkim-dangling-cname": dkimBroken,
	"dkim-mismatches-private-key": dkimBroken, "dkim-absent-proved": dkimAbsent,

	"dmarc-missing": dmarcMissing, "dmarc-p-none": dmarcNone, "dmarc-multiple": dmarcInvalid, "dmarc-p-invalid": dmarcInvalid,
	"dmarc-p-missing-no-rua": dmarcInvalid, "dmarc-sp-or-np-invalid": dmarcInvalid, "dmarc-version-bad": dmarcInvalid,
}

// blocking are the faults for which receivers refuse mail, what they refuse it for most often first. A letter without a message to tell of
// is about the first that was found.
var blocking = []string{
	spfMultiple, spfSyntax, spfInclude, spfLookups, spfMissing, spfSoftFail, dkimBroken, dmarcInvalid, dmarcMissing, dmarcNone, dkimAbsent,
}

// FaultOf is what a decision was made for: whose fault it is, and the domain that has it. The domain is empty where nobody can be told
// anything: nothing failed.
func FaultOf(d *store.Decision) (domain, fault string) {
	if i := slices.IndexFunc(d.SPF, func(s store.SPF) bool { return s.Identity == "mailfrom" }); i >= 0 && d.DMARC != "pass" {
		s := d.SPF[i]
		switch s.Result {
		case "fail", "softfail": // the server is not listed; the record's end is a second matter
			return s.Domain, spfFail
		case "permerror":
			return s.Domain, spfSyntax
		}
	}
	if d.AuthorDomain == "" || d.DMARC == "pass" || d.DMARC == "temperror" {
		return "", ""
	}
	signed := slices.ContainsFunc(d.DKIM, func(s store.Signature) bool {
		return s.SDID == d.AuthorDomain || strings.HasSuffix(d.AuthorDomain, "."+s.SDID)
	})
	switch {
	case signed && strings.Contains(d.Reason, "body hash"):
		return d.AuthorDomain, dkimChanged
	case signed:
		return d.AuthorDomain, dkimBroken
	case d.DMARC == "permerror":
		return d.AuthorDomain, dmarcInvalid
	case d.DMARC == "none" && !slices.ContainsFunc(d.SPF, func(s store.SPF) bool { return s.Identity == "mailfrom" && s.Result != "none" }):
		return d.AuthorDomain, spfMissing
	}
	return d.AuthorDomain, dkimAbsent
}

// A chosen is what a letter is about.
type chosen struct {
	fault   string         // that there are sentences on
	finding *audit.Finding // nil where the audit has none of it
	others  []*audit.Finding
}

// ids are the findings whose end mends the case.
func (c *chosen) ids() []string {
	if c.finding != nil {
		return []string{c.finding.ID}
	}
	return []string{seenInMail + c.fault}
}

// choose takes the first fault: what the message was stopped for, or what most mail is refused for.
func choose(c *Case) (chosen, bool) {
	var findings []*audit.Finding
	if c.Report != nil {
		for i := range c.Report.Findings {
			if f := &c.Report.Findings[i]; f.Severity == check.Error || f.Severity == check.Warning {
				findings = append(findings, f)
			}
		}
	}
	var x chosen
	var order []string
	if c.Decision != nil {
		_, x.fault = FaultOf(c.Decision)
		order = []string{x.fault}
		if x.fault == spfSyntax {
			order = []string{spfMultiple, spfSyntax, spfInclude, spfLookups}
		}
	} else {
		order = blocking
	}
	for _, fault := range order {
		i := slices.IndexFunc(findings, func(f *audit.Finding) bool { return faultOf[f.ID] == fault })
		if i >= 0 {
			x.fault, x.finding = fault, findings[i]
			break
		}
	}
	if x.fault == "" && c.Decision == nil {
		if i := slices.IndexFunc(findings, func(f *audit.Finding) bool { return f.Severity == check.Error }); i >= 0 {
			x.fault, x.finding = general, findings[i]
		}
	}
	for _, f := range findings {
		if f != x.finding && f.Severity == check.Error || f != x.finding && slices.Contains(blocking, faultOf[f.ID]) {
			x.others = append(x.others, f)
		}
	}
	return x, x.fault != ""
}
