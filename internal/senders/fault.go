package senders

import (
	"fmt"
	"strings"
)

// fault names what keeps the source's mail from passing, and says it in a clause.
func (j *judgement) fault() (Fault, string) {
	switch d := j.alignedFail; {
	case j.passed == 0 && j.alignedPass != nil:
		return StrictAlignment, fmt.Sprintf("DKIM passes for %s, which reporters did not count: the policy asks for the very domain (adkim=s), or for more",
			j.alignedPass.Domain)
	case j.passed == 0 && j.alignedSPF != nil:
		return StrictAlignment, fmt.Sprintf("SPF passes for %s, which reporters did not count: the policy asks for the very domain (aspf=s)",
			j.alignedSPF.Domain)
	case d != nil && d.Result == "temperror":
		return DKIMTemporary, fmt.Sprintf("reporters could not get the key of %s%s", d.Domain, selector(d))
	case d != nil && d.Result == "permerror":
		return DKIMKey, fmt.Sprintf("the DKIM signature of %s can't be checked%s: the key is missing or broken", d.Domain, selector(d))
	case d != nil && j.foreignPass != nil:
		return DKIMFails, fmt.Sprintf("the DKIM signature of %s fails%s, while that of %s passes: the message was not changed, so the key is missing or another",
			d.Domain, selector(d), j.foreignPass.Domain)
	case d != nil:
		return DKIMFails, fmt.Sprintf("the DKIM signature of %s fails%s: the key is missing or the message was changed", d.Domain, selector(d))
	}
	switch f := j.foreignPass; {
	case f != nil && j.isDefaultName(f.Domain):
		return DKIMProviderDefault, fmt.Sprintf("DKIM passes for %s, the name that the provider gave %s, and not for %s: set up DKIM for the domain",
			f.Domain, j.org, j.domain)
	case f != nil:
		return DKIMUnaligned, fmt.Sprintf("DKIM passes for %s, not for %s: set up domain authentication", f.Domain, j.domain)
	case j.foreignSPF != nil:
		return SPFUnaligned, fmt.Sprintf("SPF passes for the envelope %s, which does not align with %s", j.foreignSPF.Domain, j.domain)
	case j.ownSPF != nil:
		return spfFault(j.ownSPF.Result), j.spfText()
	}
	return Unauthenticated, "nothing in its messages authenticates"
}

// isDefaultName tells whether a domain is what a mailbox provider made of ours: example-com.20230601.gappssmtp.com, or
// example.onmicrosoft.com. A stranger can't get the first; of the second, who comes first has the name.
func (j *judgement) isDefaultName(domain string) bool {
	first, rest, _ := strings.Cut(domain, ".")
	switch {
	case strings.HasSuffix(rest, ".gappssmtp.com"):
		return first == strings.ReplaceAll(j.domain, ".", "-") || first == strings.ReplaceAll(j.org, ".", "-")
	case rest == "onmicrosoft.com":
		label, _, _ := strings.Cut(j.org, ".")
		return len(label) > 3 && (first == label || first == strings.ReplaceAll(label, "-", "") || first == strings.ReplaceAll(j.org, ".", ""))
	}
	return false
}

// claimable tells of a default name that who comes first has, be it a stranger.
func claimable(domain string) bool { return strings.HasSuffix(domain, ".onmicrosoft.com") }

func spfFault(result string) Fault {
	switch result {
	case "permerror":
		return SPFBroken
	case "temperror":
		return SPFTemporary
	}
	return SPFNotListed
}

// spfText is of a result for the domain's own envelope that did not pass.
func (j *judgement) spfText() string {
	r := j.ownSPF
	switch spfFault(r.Result) {
	case SPFBroken:
		return fmt.Sprintf("SPF permerror: the record of %s can't be evaluated", r.Domain)
	case SPFTemporary:
		return fmt.Sprintf("SPF temperror: reporters could not get the record of %s", r.Domain)
	}
	switch r.Result {
	case "none":
		return fmt.Sprintf("SPF none: %s has no SPF record", r.Domain)
	case "fail", "softfail", "neutral":
		return fmt.Sprintf("SPF %s: the address is not in the record of %s", r.Result, r.Domain)
	}
	return fmt.Sprintf("SPF did not pass for %s (%q)", r.Domain, short(r.Result))
}

func (j *judgement) spfDomain() string {
	if j.alignedSPF != nil {
		return j.alignedSPF.Domain
	}
	return j.domain
}

func (j *judgement) dkimDomain() string {
	if j.alignedPass != nil {
		return j.alignedPass.Domain
	}
	return j.domain
}

func (j *judgement) onwardText() string {
	r := j.reporterSaidOnward
	switch r.Type {
	case "mailing_list":
		return "reporters call it a mailing list"
	case "forwarded", "trusted_forwarder":
		return "reporters call it " + strings.ReplaceAll(r.Type, "_", " ")
	}
	return "reporters trust its ARC seal"
}

// advice says what to mend.
func (j *judgement) advice(fault Fault) string {
	s := j.proven()
	if s == nil && fault != DKIMUnaligned && fault != DKIMProviderDefault {
		return j.ownAdvice(fault)
	}
	if s == nil || s.Role == Forwarder || j.foreignPass != nil && fault == DKIMUnaligned && !s.CanAlign(ByDKIM) && !s.CanAlign(BySPF) {
		return j.ownAdvice(fault)
	}
	switch fault {
	case NoFault, DKIMTemporary, SPFTemporary, SPFBroken, StrictAlignment:
		return j.ownAdvice(fault)
	case CannotAlign:
		return join(fmt.Sprintf("Send with another service, or from an address of %s's own.", s.Name), s.Note, see(s))
	case SPFNotListed, SPFUnaligned:
		if !s.CanAlign(ByDKIM) && s.Include != "" {
			return join(fmt.Sprintf("Add include:%s to the SPF record of %s.", s.Include, j.domain), see(s))
		}
	}
	var records []string
	for _, r := range s.HowTo(j.domain) {
		if r.For == "dkim" {
			records = append(records, r.String())
		}
	}
	what := fmt.Sprintf("Set up DKIM for %s at %s", j.domain, s.Name)
	if len(records) > 0 {
		what += ": publish " + strings.Join(records, "; ")
	}
	return join(what+".", see(s))
}

// selector names the selector of a signature, where the reporter did.
func selector(d *Signature) string {
	if d.Selector == "" {
		return ""
	}
	return ", selector " + short(d.Selector)
}

// ownAdvice is for a source that is no service's.
func (j *judgement) ownAdvice(fault Fault) string {
	switch fault {
	case DKIMUnaligned, DKIMProviderDefault, NotSigned, Unauthenticated, SPFNotListed:
		text := fmt.Sprintf("Sign its mail with a key of %s", j.domain)
		if fault != NotSigned && j.s.Own.Authorised != Yes {
			text += fmt.Sprintf(", and list it in the SPF record of %s", j.domain)
		}
		return text + "."
	case DKIMFails, DKIMKey:
		at := "the key's record"
		if j.alignedFail.Selector != "" {
			at = fmt.Sprintf("the record at %s._domainkey.%s", short(j.alignedFail.Selector), j.alignedFail.Domain)
		}
		return "Compare " + at + " with the key that signs, and see that nothing changes messages after they are signed."
	case SPFUnaligned:
		return fmt.Sprintf("Sign its mail with a key of %s, or use an envelope below it.", j.org)
	case SPFBroken:
		return fmt.Sprintf("Mend the SPF record: gatepost spf --ip %s --mail-from postmaster@%s says what is wrong with it.", j.s.IP, j.ownSPF.Domain)
	case StrictAlignment:
		return fmt.Sprintf("Sign as %s itself, or publish a policy with relaxed alignment.", j.domain)
	case DKIMTemporary, SPFTemporary:
		return fmt.Sprintf("See that all name servers of %s answer.", j.domain)
	case CannotAlign:
		return "Send with another service."
	}
	return ""
}

func see(s *Service) string {
	if s.Docs == "" {
		return ""
	}
	return "See " + s.Docs + "."
}

func join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, " ")
}
