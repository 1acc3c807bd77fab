package senders

import (
	"fmt"
	"net/netip"
	"slices"
)

// A judgement is one source being classed.
type judgement struct {
	s *Source
	*facts
}

// The shares of messages, in percent, from which on something is said of a source as a whole.
const (
	nearlyAll = 95
	half      = 50
)

func (j *judgement) share(n int64) int64 { return n * 100 / j.total }

// proven is the service that the source proves to be, if it tells anything of whose mail it sends.
func (j *judgement) proven() *Service {
	m := j.s.Service
	if m.Service == nil || !m.Proof || m.Service.Category == Cloud {
		return nil
	}
	return m.Service
}

func (j *judgement) role() Role {
	if s := j.proven(); s != nil {
		return s.Role
	}
	return ""
}

// uses tells whether the domain is known to be a customer of the service.
func (j *judgement) uses() bool {
	s := j.proven()
	return s != nil && (slices.Contains(j.s.Own.Services, s.ID) || j.s.Own.Authorised == Yes ||
		j.s.Service.Through != nil && slices.Contains(j.s.Own.Services, j.s.Service.Through.ID))
}

// ownNetwork tells whether the administrator calls the address its own.
func (j *judgement) ownNetwork() bool {
	return slices.ContainsFunc(j.s.Own.Networks, func(p netip.Prefix) bool { return p.Contains(j.s.IP.Unmap()) })
}

// ownName is a confirmed name of the address below the domain: only who runs the domain's DNS can confirm it.
func (j *judgement) ownName() string {
	names := slices.Sorted(slices.Values(j.s.PTR))
	for _, name := range names {
		if name = canonical(name); name != "" && j.aligned(name) {
			return name
		}
	}
	return ""
}

// serverName is a confirmed name that isn't one of a provider's names for subscribers.
func (j *judgement) serverName() string {
	for _, name := range slices.Sorted(slices.Values(j.s.PTR)) {
		if name = canonical(name); name != "" && !looksDynamic(name, j.s.IP) {
			return name
		}
	}
	return ""
}

// where names the source in a sentence.
func (j *judgement) where() string {
	if s := j.proven(); s != nil {
		if j.s.Service.Through != nil {
			return s.Name + " (through " + j.s.Service.Through.Name + ")"
		}
		return s.Name
	}
	if name := j.serverName(); name != "" {
		return short(name)
	}
	if len(j.s.PTR) > 0 {
		return short(slices.Min(j.s.PTR))
	}
	return j.s.IP.String()
}

// passes classes a source of which some messages pass DMARC: it is the domain's own, or passes on what the domain signed.
func (j *judgement) passes() Class {
	if c, ok := j.passedOn(); ok {
		return c
	}
	if j.share(j.passed) < nearlyAll {
		fault, text := j.fault()
		if fault == NoFault || fault == Unauthenticated {
			fault, text = Unauthenticated, "the others have nothing that passes"
		}
		confidence := 80
		if j.spfOK == 0 && !j.mine() {
			confidence = 60
		}
		return Class{Kind: Misconfigured, Fault: fault, Confidence: confidence, Advice: j.advice(fault),
			Reason: fmt.Sprintf("%d of %d messages from %s pass; %s.", j.passed, j.total, j.where(), text)}
	}
	c := Class{Kind: Passing, Confidence: 95}
	switch {
	case j.dkimOK == 0:
		c.Fault, c.Confidence = NotSigned, 85
		c.Reason = fmt.Sprintf("SPF passes for %s from %s, and no signature of %s does: forwarded mail will fail.", j.spfDomain(), j.where(), j.domain)
		if j.alignedFail != nil {
			c.Fault, _ = j.fault()
		}
		c.Advice = j.advice(c.Fault)
	case j.spfOK == 0:
		c.Reason = fmt.Sprintf("DKIM passes for %s from %s.", j.dkimDomain(), j.where())
		if j.ownSPF != nil && j.ownSPF.Result != "temperror" {
			c.Fault = spfFault(j.ownSPF.Result)
			c.Reason = fmt.Sprintf("DKIM passes for %s from %s; %s.", j.dkimDomain(), j.where(), j.spfText())
			c.Advice = j.advice(c.Fault)
		}
		if !j.mine() && j.role() != Sender {
			c.Confidence = 70 // it may as well be one that passes mail on
		}
	default:
		c.Reason = fmt.Sprintf("DKIM and SPF pass for %s from %s.", j.domain, j.where())
	}
	return c
}

// mine tells whether something other than the mail says that the source is the domain's own.
func (j *judgement) mine() bool {
	return j.ownNetwork() || j.ownName() != "" || j.s.Own.Authorised == Yes || j.uses()
}

// passedOn recognises a source that passes on what the domain signed: the signature stays good, and SPF does not, for the address is
// not the domain's.
func (j *judgement) passedOn() (Class, bool) {
	dkim := j.dkimDomain()
	onward := func(confidence int, why string) (Class, bool) {
		text := fmt.Sprintf("%s passes on what you sent: the signature of %s still passes, and %s.", j.where(), dkim, why)
		if j.dkimOK == 0 {
			text = fmt.Sprintf("%s passes on what you sent: %s.", j.where(), why)
		}
		return Class{Kind: Forwarded, Confidence: confidence, Reason: text}, true
	}
	switch {
	case j.ownNetwork() || j.ownName() != "":
		return Class{}, false
	case j.role() == Forwarder:
		return onward(90, "it is a forwarder")
	case j.spfOK*2 > j.passed || j.s.Own.Authorised == Yes || j.uses() || j.role() == Sender:
		return Class{}, false
	case j.reporterSaidOnward != nil:
		return onward(85, j.onwardText())
	case j.srs != "":
		return onward(85, "the envelope was rewritten by SRS")
	case j.role() == Mailbox || j.role() == Gateway:
		return onward(80, "the address is not one that you send from")
	case j.alignedPass != nil && j.alignedPass.Elsewhere && j.foreignSPF != nil:
		return onward(75, "SPF passes for another's envelope, "+short(j.foreignSPF.Domain))
	case j.alignedPass != nil && j.alignedPass.Elsewhere && j.ownSPF != nil && spfFault(j.ownSPF.Result) == SPFNotListed:
		return onward(75, j.spfText())
	}
	return Class{}, false
}

// own recognises what only the domain can have: an address or a name of its own.
func (j *judgement) own() (Class, bool) {
	fault, text := j.fault()
	c := Class{Kind: Misconfigured, Fault: fault, Advice: j.advice(fault)}
	name := j.ownName()
	switch {
	case j.ownNetwork():
		c.Confidence, c.Reason = 95, fmt.Sprintf("The address is in a network of yours; %s.", text)
	case name != "" && fault == Unauthenticated:
		c.Confidence, c.Reason = 90, fmt.Sprintf("Nothing authenticates, though the address is your own host's, %s.", short(name))
	case name != "":
		c.Confidence, c.Reason = 90, fmt.Sprintf("The address is your own host's, %s; %s.", short(name), text)
	case j.s.Own.Authorised == Yes && j.proven() == nil:
		c.Confidence, c.Reason = 80, fmt.Sprintf("The SPF record of %s lists the address; %s.", j.domain, text)
	default:
		return Class{}, false
	}
	return c, true
}

// onward recognises a source that passes on mail so that nothing of it passes any more.
func (j *judgement) onward() (Class, bool) {
	is := func(confidence int, format string, args ...any) (Class, bool) {
		return Class{Kind: Forwarded, Confidence: confidence, Reason: fmt.Sprintf(format, args...)}, true
	}
	likely := j.serverName() != "" || j.foreignSPF != nil || j.role() == Mailbox || j.role() == Gateway
	switch {
	case j.role() == Forwarder:
		return is(90, "%s is a forwarder: SPF can't pass from it, and what it changes breaks signatures.", j.where())
	case j.reporterSaidOnward != nil && j.share(j.reporterSaidOnward.Count) >= half:
		return is(85, "%s passes mail on: %s.", j.where(), j.onwardText())
	case j.role() == Sender:
	case j.reporterSaidOnward != nil && likely:
		return is(60, "%s passes mail on: %s, for %d of %d messages.", j.where(), j.onwardText(), j.reporterSaidOnward.Count, j.total)
	case j.alignedFail != nil && j.alignedFail.Elsewhere && likely && !j.uses():
		return is(65, "%s passes on what you sent, and changes it: the signature of %s by selector %s fails, and passes from other addresses.",
			j.where(), j.alignedFail.Domain, short(j.alignedFail.Selector))
	case j.srs != "" && likely:
		return is(60, "%s passes mail on: the envelope was rewritten by SRS.", j.where())
	}
	return Class{}, false
}

// service recognises a service that the domain can be a customer of, with what its customer left undone.
func (j *judgement) service() (Class, bool) {
	s := j.proven()
	if s == nil {
		return Class{}, false
	}
	fault, text := j.fault()
	known := j.uses() || fault == DKIMProviderDefault && !claimable(j.foreignPass.Domain) || j.alignedFail != nil && !j.alignedFail.Elsewhere
	switch {
	case s.Role == Sender && !known && j.s.HeaderFroms >= severalAuthors:
		return Class{}, false // a customer of somebody's who pretends to be all of you
	case s.Role == Sender, known:
	default:
		return Class{}, false
	}
	c := Class{Kind: Misconfigured, Fault: fault, Confidence: 90, Advice: j.advice(fault),
		Reason: fmt.Sprintf("From %s: %s.", j.where(), text)}
	if len(s.Aligns) == 0 {
		c.Fault, c.Reason = CannotAlign, fmt.Sprintf("%s sends for you so that it can't align: %s.", s.Name, text)
		c.Advice = j.advice(CannotAlign)
	}
	if !known {
		c.Confidence = 60
		c.Reason += " If nobody of yours is its customer, somebody else's customer uses your name."
	}
	return c, true
}

// unknown says what there is.
func (j *judgement) unknown() Class {
	fault, text := j.fault()
	c := Class{Kind: Unclear, Fault: fault, Confidence: 50}
	switch {
	case j.proven() != nil:
		c.Reason = fmt.Sprintf("From %s: %s; nothing shows that it sends for you.", j.where(), text)
	case j.s.Service.Service != nil && !j.s.Service.Proof:
		c.Reason = fmt.Sprintf("From %s, which claims to be %s, though nothing proves it: %s.", j.where(), j.s.Service.Service.Name, text)
	default:
		c.Reason = fmt.Sprintf("From %s: %s; nothing shows whose it is.", j.where(), text)
	}
	if fault == Unauthenticated || fault == SPFNotListed {
		c.Advice = "If it is yours, sign its mail with DKIM and list it in SPF; if not, there is nothing to do: a policy of reject keeps it out."
		return c
	}
	c.Advice = "If it is yours: " + j.advice(fault) + " If not, there is nothing to do."
	return c
}
