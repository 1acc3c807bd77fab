package verify

import (
	"errors"
	"fmt"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/spf"
)

// newEvaluation has no nil slice that its JSON would show as null.
func newEvaluation() *Evaluation {
	return &Evaluation{
		IPRev: IPRev{Result: "none", Names: []string{}},
		SPF:   []SPF{},
		DKIM:  []DKIM{},
		ARC:   ARC{Result: string(arc.None), Sealers: []string{}},
	}
}

// judgeClient writes down what the connection and the envelope told.
func (s *Session) judgeClient(e *Evaluation) {
	e.Client = s.client
	e.Client.PTR = notNil(e.Client.PTR)
	if !s.client.IP.IsValid() {
		return
	}
	if s.iprev.Result != "" {
		e.IPRev = s.iprev
		e.IPRev.Names = notNil(e.IPRev.Names)
	}
	helo := s.helo
	if s.client.MailFrom == "" {
		helo = s.mailFrom
	}
	e.SPF = append(e.SPF, s.spfResult(IdentityMailFrom, &s.mailFrom), s.spfResult(IdentityHelo, &helo))
}

func (s *Session) spfResult(identity string, r *spf.Result) SPF {
	return SPF{
		Identity: identity, Domain: r.Domain, Result: string(r.Code), Term: r.Term, Record: r.Record,
		Explanation: r.Explanation, Lookups: r.Lookups, VoidLookups: r.VoidLookups, Reason: s.reason(r.Err), Trace: r.Trace,
	}
}

// judgeSignatures ends the body and writes down what DKIM and ARC found.
func (s *Session) judgeSignatures(e *Evaluation) {
	if s.noHeader != nil {
		return
	}
	s.body.Close()
	for _, r := range s.dkim.Results() {
		d := s.dkimResult(r)
		if s.tooLarge() && (r.Code == dkim.Pass || r.Code == dkim.Fail) {
			d.Result, d.Reason, d.Diagnosis = string(dkim.PermError), s.largeReason(), ""
		}
		e.DKIM = append(e.DKIM, d)
	}
	s.chain = s.arc.Result()
	r := &s.chain
	e.ARC = ARC{Result: string(r.Code), Instances: r.Instances, Sealers: notNil(r.Sealers), Reason: s.reason(r.Err), oldestPass: r.OldestPass}
	if s.tooLarge() && r.Code != arc.None {
		e.ARC.Result, e.ARC.Reason = string(arc.Fail), s.largeReason()
	}
}

func (s *Session) dkimResult(r dkim.Result) DKIM {
	d := DKIM{
		Result: string(r.Code), SDID: r.SDID, Selector: r.Selector, AUID: r.AUID, Algorithm: r.Algorithm, KeyBits: r.KeyBits,
		Canonicalization: r.Canonicalization, SignedHeaders: notNil(r.SignedHeaders), UnsignedBytes: r.Unsigned,
		Testing: r.Testing, Reason: s.reason(r.Err), Diagnosis: r.Diagnosis, signatureTail: r.SignatureTail,
	}
	if r.BodyLength >= 0 {
		d.BodyLength = &r.BodyLength
	}
	return d
}

func (s *Session) tooLarge() bool { return s.bytes > s.o.MaxBytes }

func (s *Session) largeReason() string {
	return fmt.Sprintf("the message is larger than %d bytes, so its body was not hashed to the end", s.o.MaxBytes)
}

func (s *Session) reason(err error) string {
	switch {
	case err == nil:
		return ""
	case s.o.Detail:
		return dns.Detail(err)
	}
	return err.Error()
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

var errNoAuthor = errors.New("no From field with a domain in it (RFC 5322 3.6.2)")
