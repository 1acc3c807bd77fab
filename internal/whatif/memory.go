package whatif

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A shape is what a policy can see of an observation. Those of the same shape have the same verdict.
type shape struct {
	ip                                     netip.Addr
	author, envelope, helo, policyDomain   string
	spf, spfHelo, dkim, arc, dmarc         string
	policy, disposition, record, rule, did string
	alignedSPF, alignedDKIM, own           bool
	testing                                tri
}

// A tri is what may not be known.
type tri byte

const (
	unknown tri = iota
	no
	yes
)

// A view is what some policies speak of: what they do not is left out of shapes, so that there are few.
type view struct{ ip, author, envelope, helo, policyDomain, record, signers bool }

func viewOf(all ...*policy.Policy) (v view) {
	for _, p := range all {
		if p == nil {
			continue
		}
		v.ip = v.ip || p.Mentions("client.ip")
		v.signers = v.signers || p.Mentions("dkim")
		v.author = v.author || p.Mentions("author_domain") || p.Mentions("author.") || p.Mentions("dkim")
		v.envelope = v.envelope || p.Mentions("spf.domain")
		v.helo = v.helo || p.Mentions("spf.domain") || p.Mentions("helo.domain")
		v.policyDomain = v.policyDomain || p.Mentions("policy_domain")
		v.record = v.record || p.Mentions("dmarc.record")
	}
	return v
}

// present stands for a name that nobody asks for, but is there.
const present = "x"

func (v view) shape(o *store.Observation, testing tri) shape {
	s := shape{spf: o.SPF, spfHelo: o.SPFHelo, arc: o.ARC, dmarc: o.DMARC, policy: o.Policy, disposition: o.Disposition, rule: o.Rule, did: o.Verdict,
		alignedSPF: o.AlignedSPF, alignedDKIM: o.AlignedDKIM, testing: testing}
	s.own = (o.Rule == policy.RuleAuthenticated || o.Rule == policy.RuleOwnNetwork) && o.SPF == "" && o.DMARC == ""
	if v.ip && !o.NetworkOnly() {
		s.ip = o.SourceIP
	}
	name := func(asked bool, n string) string {
		if n == "" || asked {
			return n
		}
		return present
	}
	s.author, s.envelope, s.helo = name(v.author, o.AuthorDomain), name(v.envelope, o.EnvelopeDomain), name(v.helo, o.HeloDomain)
	if v.policyDomain {
		s.policyDomain = o.PolicyDomain
	}
	if v.record {
		s.record = o.Record
	}
	for _, d := range o.DKIM {
		switch {
		case v.signers:
			s.dkim += d.Result + " " + d.SDID + " " + d.Selector + "\n"
		case !strings.Contains(s.dkim, d.Result+"\n"):
			s.dkim += d.Result + "\n"
		}
	}
	return s
}

// testing tells whether the published policy had t=y.
func testing(o *store.Observation) tri {
	if o.Record == "" {
		if o.Policy == "" && o.DMARC == "none" {
			return no
		}
		return unknown
	}
	r, err := dmarc.Parse(o.Record)
	switch {
	case err != nil:
		return unknown // it was cut
	case r.Testing:
		return yes
	}
	return no
}

// named tells whether an observation has a name, and not what stands for several.
func named(name string) bool { return name != store.Other && name != store.Invalid }

// memory is what a policy is given of a shape. Everything that is not named here is not known.
func (s *shape) memory() *policy.Memory {
	e := &verify.Evaluation{Client: verify.Client{IP: s.ip}, Authenticated: s.own, ARC: verify.ARC{Result: s.arc}}
	m := &policy.Memory{Evaluation: e, Signatures: map[string]bool{"result": true, "sdid": true, "selector": true}}
	m.Known = map[string]bool{
		"authenticated": true, "spf.result": true, "helo.result": true, "arc.result": true, "dmarc.result": true, "dmarc.policy": true,
		"dmarc.disposition": true, "dmarc.aligned.spf": true, "dmarc.aligned.dkim": true, "client.ip": s.ip.IsValid(),
	}
	know := func(is bool, names ...string) {
		for _, n := range names {
			m.Known[n] = is
		}
	}
	if !s.own {
		domain := cmp.Or(s.envelope, s.helo)
		e.SPF = []verify.SPF{{Identity: verify.IdentityMailFrom, Domain: domain, Result: s.spf}, {Identity: verify.IdentityHelo, Domain: s.helo, Result: s.spfHelo}}
		know(named(domain), "spf.domain")
		know(named(s.helo), "helo.domain")
		know(s.envelope == "", "client.mail_from") // the null reverse-path
	}
	e.DMARC = verify.DMARC{Result: s.dmarc, AuthorDomain: s.author, PolicyDomain: s.policyDomain, Policy: s.policy, Disposition: s.disposition,
		Testing: s.testing == yes, Aligned: verify.Aligned{SPF: s.alignedSPF, DKIM: s.alignedDKIM}, Record: s.record}
	know(s.testing != unknown, "dmarc.testing")
	know(s.testing != unknown || s.policy == "" || s.policy == "none", "dmarc.on_fail")
	know(s.testing != unknown || s.dmarc != "temperror" || s.policy == "" || s.policy == "none", "dmarc_open")
	know(named(s.author) && s.dmarc != "permerror", "dmarc.author_domain")
	know(named(s.policyDomain), "dmarc.policy_domain")
	know(s.testing != unknown, "dmarc.record")
	passing, open := s.signatures(e)
	know(!strings.Contains(s.dkim, store.Other), "dkim")

	// A sealer may have vouched only where there is a chain that holds, or may.
	noChain := s.arc != "pass" && s.arc != "temperror"
	know(noChain, "arc.vouch", "arc.vouched_by")
	know(s.arc == "none", "arc.instances", "arc.sealers")

	// Of a passing signature is not known whether it covers the whole body.
	whole := s.dmarc != "pass" || s.alignedSPF || !s.alignedDKIM
	know(whole, "only_part_signed", "part_signature.sdid", "part_signature.unsigned_bytes")
	know(s.spf == "pass" || !passing, "unauthenticated")
	know(!open || s.spf == "pass" || !passing, "signature_open")
	know(!open, "open_signature.sdid", "open_signature.selector", "open_signature.reason")

	// With several domains in From, DMARC neither passes nor is none.
	single := s.dmarc == "pass" || s.dmarc == "none"
	know(single || s.dmarc == "permerror", "no_author")
	know(single, "author.reason", "limited")
	if single && named(s.author) {
		e.Author.Domains = []string{s.author}
		know(true, "author.domains")
	}
	return m
}

// signatures gives the evaluation those that are remembered, and tells whether one passes, and whether the key of one could not be had.
func (s *shape) signatures(e *verify.Evaluation) (passing, open bool) {
	for line := range strings.Lines(s.dkim) {
		parts := append(strings.Split(strings.TrimSuffix(line, "\n"), " "), "", "")
		e.DKIM = append(e.DKIM, verify.DKIM{Result: parts[0], SDID: parts[1], Selector: parts[2]})
		passing = passing || parts[0] == "pass"
		open = open || parts[0] == "temperror"
	}
	return passing, open
}

// told is what the verdict that was recorded tells of conditions: those before the rule that decided did not hold, and that of this rule
// did. It is so only where the policy in force, as it is now, could have come to that verdict.
func told(inForce *policy.Policy, s *shape, m *policy.Memory) func(string) (holds, known bool) {
	if inForce == nil {
		return nil
	}
	could := false
	for _, p := range inForce.Recall(m).Possible {
		could = could || p.Rule == s.rule && string(p.Action) == s.did
	}
	if !could {
		return nil
	}
	facts := map[string]bool{}
	for i, r := range inForce.List() {
		if r.Monitor {
			continue
		}
		if s.rule != "" && r.Name == s.rule {
			if alone(inForce, i) {
				facts[r.When] = true
			}
			break
		}
		facts[r.When] = false
	}
	inForce.Deduce(m, facts)
	return func(when string) (holds, known bool) {
		holds, known = facts[when]
		return holds, known
	}
}

// alone tells whether no later rule has the name of this one, so that it must have been the one that decided.
func alone(p *policy.Policy, i int) bool {
	all := p.List()
	for _, r := range all[i+1:] {
		if r.Name == all[i].Name {
			return false
		}
	}
	return true
}
