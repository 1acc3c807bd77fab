package facts

import (
	"net/netip"

	"github.com/gatepost-mail/gatepost/internal/ipset"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/spf"
)

// A Policy is one record of the tree that a domain's record stands at the root of, and what following it comes to. A record that several
// terms lead to is one Policy, and the tree in truth a net: whoever draws it draws what is beneath a Step with Again set only once.
type Policy struct {
	Domain  string
	Record  *spf.Record // nil where it could not be had
	Problem Problem     // why it could not be had, or why it gives no answer
	Service *senders.Service
	Steps   []Step // the terms of the record, in its order

	Lookups int       // terms that ask DNS, here and beneath, beyond ten too (RFC 7208 4.6.4)
	Voids4  int       // of them, those that find nothing for an IPv4 client
	Voids6  int       // and for an IPv6 client
	Pass    ipset.Set // whom it lets in, as far as addresses can be counted
	Opaque  []string  // terms that let in whom nobody can count, as they would have to be written at the root
	Ends    spf.Code  // what becomes of whom no term matched
	End     *Policy   // the policy that says so: this one, or one that it redirects to
	Partly  bool      // something beneath could not be had or was not followed: the numbers are the least that it may be

	state state
}

// A Step is a term of a record, and what following it comes to.
type Step struct {
	*spf.Term
	Name    string  // the name that it asks for; empty where it asks for none or that depends on the message
	Policy  *Policy // of include and redirect
	Again   bool    // the policy was led to by an earlier term of the tree
	Dead    bool    // never looked at: it stands behind all, or is a redirect beside all (RFC 7208 5.1, 6.1)
	Problem Problem

	Lookups int            // that it costs, with those beneath it
	Voids4  int            // as in Policy
	Voids6  int            //
	Hosts   int            // names of mx
	Addrs   []netip.Prefix // what it lets in by itself: ip4, ip6, a, mx
}

// A Problem is what is wrong with a term, or with the policy that it leads to.
type Problem string

// The problems.
const (
	Loop        Problem = "loop"           // it leads back to a record on the way to it
	NoRecord    Problem = "no record"      // the name exists, and has no SPF record
	NoDomain    Problem = "no domain"      // the name does not exist
	ManyRecords Problem = "many records"   // it has more than one
	Syntax      Problem = "syntax"         // the record cannot be read
	Temporary   Problem = "no answer"      // it could not be had
	BadTarget   Problem = "bad target"     // no such name can exist
	Varies      Problem = "varies"         // which name it is depends on the message
	TooManyMX   Problem = "too many hosts" // more than ten names behind mx
	Void        Problem = "void"           // there are no addresses
	NotFollowed Problem = "not followed"   // the tree is too large
)

// Breaks tells whether a problem makes the result permerror for whoever comes to it (RFC 7208 2.6.7).
func (p Problem) Breaks() bool {
	switch p {
	case Loop, NoRecord, NoDomain, ManyRecords, Syntax, BadTarget, TooManyMX:
		return true
	}
	return false
}

// Everyone tells whether the policy lets in everybody, or everybody of IPv4.
func (p *Policy) Everyone() bool {
	return p != nil && p.Pass.Count4() == 1<<32
}

// Each gives every policy of the tree once, that of the domain itself first.
func (p *Policy) Each(give func(*Policy)) {
	if p == nil {
		return
	}
	seen := map[*Policy]bool{p: true}
	for queue := []*Policy{p}; len(queue) > 0; queue = queue[1:] {
		give(queue[0])
		for i := range queue[0].Steps {
			if next := queue[0].Steps[i].Policy; next != nil && !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
}

// Step finds the first step of a kind that is looked at.
func (p *Policy) Step(k spf.Kind) *Step {
	if p == nil {
		return nil
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Kind == k && !s.Dead {
			return s
		}
	}
	return nil
}
