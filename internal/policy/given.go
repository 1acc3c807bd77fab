package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

var exampleIP = netip.MustParseAddr("192.0.2.1") // RFC 5737

// settable gives for each name that a case can set where in an Evaluation it is kept.
var settable = map[string]func(*verify.Evaluation) any{
	"client.ip":        func(e *verify.Evaluation) any { return &e.Client.IP },
	"client.helo":      func(e *verify.Evaluation) any { return &e.Client.Helo },
	"client.mail_from": func(e *verify.Evaluation) any { return &e.Client.MailFrom },
	"client.ptr":       func(e *verify.Evaluation) any { return &e.Client.PTR },
	"rcpt":             func(e *verify.Evaluation) any { return &e.Client.Recipients },
	"authenticated":    func(e *verify.Evaluation) any { return &e.Authenticated },
	"iprev.result":     func(e *verify.Evaluation) any { return &e.IPRev.Result },
	"iprev.names":      func(e *verify.Evaluation) any { return &e.IPRev.Names },

	"spf.result":       func(e *verify.Evaluation) any { return &e.SPF[0].Result },
	"spf.domain":       func(e *verify.Evaluation) any { return &e.SPF[0].Domain },
	"spf.term":         func(e *verify.Evaluation) any { return &e.SPF[0].Term },
	"spf.record":       func(e *verify.Evaluation) any { return &e.SPF[0].Record },
	"spf.explanation":  func(e *verify.Evaluation) any { return &e.SPF[0].Explanation },
	"spf.reason":       func(e *verify.Evaluation) any { return &e.SPF[0].Reason },
	"spf.lookups":      func(e *verify.Evaluation) any { return &e.SPF[0].Lookups },
	"spf.void_lookups": func(e *verify.Evaluation) any { return &e.SPF[0].VoidLookups },

	"helo.result":       func(e *verify.Evaluation) any { return &e.SPF[1].Result },
	"helo.domain":       func(e *verify.Evaluation) any { return &e.SPF[1].Domain },
	"helo.term":         func(e *verify.Evaluation) any { return &e.SPF[1].Term },
	"helo.record":       func(e *verify.Evaluation) any { return &e.SPF[1].Record },
	"helo.explanation":  func(e *verify.Evaluation) any { return &e.SPF[1].Explanation },
	"helo.reason":       func(e *verify.Evaluation) any { return &e.SPF[1].Reason },
	"helo.lookups":      func(e *verify.Evaluation) any { return &e.SPF[1].Lookups },
	"helo.void_lookups": func(e *verify.Evaluation) any { return &e.SPF[1].VoidLookups },

	"arc.result":     func(e *verify.Evaluation) any { return &e.ARC.Result },
	"arc.instances":  func(e *verify.Evaluation) any { return &e.ARC.Instances },
	"arc.sealers":    func(e *verify.Evaluation) any { return &e.ARC.Sealers },
	"arc.vouch":      func(e *verify.Evaluation) any { return &e.ARC.Vouch },
	"arc.vouched_by": func(e *verify.Evaluation) any { return &e.ARC.VouchedBy },
	"arc.reason":     func(e *verify.Evaluation) any { return &e.ARC.Reason },

	"dmarc.result":                func(e *verify.Evaluation) any { return &e.DMARC.Result },
	"dmarc.author_domain":         func(e *verify.Evaluation) any { return &e.DMARC.AuthorDomain },
	"dmarc.organizational_domain": func(e *verify.Evaluation) any { return &e.DMARC.OrganizationalDomain },
	"dmarc.policy_domain":         func(e *verify.Evaluation) any { return &e.DMARC.PolicyDomain },
	"dmarc.policy":                func(e *verify.Evaluation) any { return &e.DMARC.Policy },
	"dmarc.disposition":           func(e *verify.Evaluation) any { return &e.DMARC.Disposition },
	"dmarc.testing":               func(e *verify.Evaluation) any { return &e.DMARC.Testing },
	"dmarc.aligned.spf":           func(e *verify.Evaluation) any { return &e.DMARC.Aligned.SPF },
	"dmarc.aligned.dkim":          func(e *verify.Evaluation) any { return &e.DMARC.Aligned.DKIM },
	"dmarc.record":                func(e *verify.Evaluation) any { return &e.DMARC.Record },
	"dmarc.reason":                func(e *verify.Evaluation) any { return &e.DMARC.Reason },

	"author.domains": func(e *verify.Evaluation) any { return &e.Author.Domains },
	"author.reason":  func(e *verify.Evaluation) any { return &e.Author.Reason },
	"limits":         func(e *verify.Evaluation) any { return &e.Limits },
}

// settableMembers are the same for a signature.
var settableMembers = map[string]func(*verify.DKIM) any{
	"result":           func(d *verify.DKIM) any { return &d.Result },
	"sdid":             func(d *verify.DKIM) any { return &d.SDID },
	"selector":         func(d *verify.DKIM) any { return &d.Selector },
	"auid":             func(d *verify.DKIM) any { return &d.AUID },
	"algorithm":        func(d *verify.DKIM) any { return &d.Algorithm },
	"key_bits":         func(d *verify.DKIM) any { return &d.KeyBits },
	"canonicalization": func(d *verify.DKIM) any { return &d.Canonicalization },
	"signed_headers":   func(d *verify.DKIM) any { return &d.SignedHeaders },
	"unsigned_bytes":   func(d *verify.DKIM) any { return &d.UnsignedBytes },
	"testing":          func(d *verify.DKIM) any { return &d.Testing },
	"reason":           func(d *verify.DKIM) any { return &d.Reason },
}

// evaluationOf makes an Evaluation of a few values. What is not given is that of a message from example.com which passes everything,
// and what follows from the given values follows. Of a real message only the envelope is given. An error comes with its key.
func evaluationOf(given map[string]any, message bool) (e *verify.Evaluation, now time.Time, key string, err error) {
	e = plainMessage()
	if message {
		e = &verify.Evaluation{}
	}
	flat := map[string]any{}
	flatten("", given, flat)
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		value := flat[key]
		switch envelope := strings.HasPrefix(key, "client.") || key == "rcpt"; {
		case key == "now":
			t, ok := value.(time.Time)
			if !ok {
				return nil, now, key, fmt.Errorf("now: not a time; write it as 2026-11-01T12:00:00Z, without quotes")
			}
			now = t
		case message && !envelope:
			err = fmt.Errorf("%s: of a message only client, rcpt and now are given; the rest is found out", clipped(key))
		case key == "dkim":
			err = setSignatures(e, value)
		case settable[key] == nil:
			err = unsettable(key)
		default:
			err = set(key, settable[key](e), value, byName[key].words)
		}
		if err != nil {
			return nil, now, key, err
		}
	}
	if !message {
		follow(e, flat)
	}
	return e, now, "", nil
}

// flatten makes dotted names of tables.
func flatten(prefix string, from, into map[string]any) {
	for key, value := range from {
		if table, ok := value.(map[string]any); ok {
			flatten(prefix+key+".", table, into)
			continue
		}
		into[prefix+key] = value
	}
}

func setSignatures(e *verify.Evaluation, value any) error {
	list, ok := value.([]any)
	if !ok {
		return fmt.Errorf(`dkim: not a list; write it as [{ result = "pass", sdid = "example.com" }]`)
	}
	e.DKIM = nil
	for _, element := range list {
		table, ok := element.(map[string]any)
		if !ok {
			return fmt.Errorf(`dkim: not a list of signatures; write it as [{ result = "pass", sdid = "example.com" }]`)
		}
		d := plainSignature()
		for _, key := range slices.Sorted(maps.Keys(table)) {
			if settableMembers[key] == nil {
				return unknownMember(key)
			}
			if err := set("dkim: "+key, settableMembers[key](&d), table[key], memberWords(key)); err != nil {
				return err
			}
		}
		e.DKIM = append(e.DKIM, d)
	}
	return nil
}

func memberWords(name string) []string {
	for _, m := range members {
		if m.name == name {
			return m.words
		}
	}
	return nil
}

// set puts a value of TOML where it belongs.
func set(key string, into, value any, known []string) error {
	switch into := into.(type) {
	case *string:
		s, ok := value.(string)
		if !ok {
			return fmt.Errorf("%s: not a text; write it in quotes", key)
		}
		if known != nil && !slices.Contains(known, s) {
			return fmt.Errorf("%s: %w", key, wrongWord(s, known))
		}
		*into = s
		return nil
	case *netip.Addr:
		s, _ := value.(string)
		ip, err := netip.ParseAddr(s)
		if err != nil && value != "" {
			return fmt.Errorf(`%s: not an IP address; write it as "192.0.2.1"`, key)
		}
		*into = ip.Unmap()
		return nil
	case *bool:
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("%s: not true or false", key)
		}
		*into = b
		return nil
	case *[]string:
		list, ok := value.([]any)
		*into = make([]string, len(list))
		for i := range list {
			s, isText := list[i].(string)
			ok = ok && isText
			(*into)[i] = s
		}
		if !ok {
			return fmt.Errorf(`%s: not a list of texts; write it as ["a", "b"]`, key)
		}
		return nil
	}
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("%s: not a number", key)
	}
	switch into := into.(type) {
	case *int:
		*into = int(n)
	case *int64:
		*into = n
	}
	return nil
}

// follow fills in what the given values mean for others that were not given.
func follow(e *verify.Evaluation, given map[string]any) {
	absent := func(key string) bool { _, ok := given[key]; return !ok }
	d := &e.DMARC
	if e.Client.MailFrom == "" { // the identity is then HELO's (RFC 7208 2.4)
		for key, to := range map[string]*string{"spf.result": &e.SPF[0].Result, "spf.domain": &e.SPF[0].Domain} {
			if absent(key) {
				*to = map[string]string{"spf.result": e.SPF[1].Result, "spf.domain": e.SPF[1].Domain}[key]
			}
		}
	} else if absent("spf.domain") && !absent("client.mail_from") {
		e.SPF[0].Domain = domainOf(e.Client.MailFrom)
	}
	if absent("dmarc.author_domain") && len(e.Author.Domains) > 0 {
		d.AuthorDomain = e.Author.Domains[0]
	}
	if absent("author.domains") {
		e.Author.Domains = []string{d.AuthorDomain}
	}
	if absent("dmarc.organizational_domain") && !beneath(d.AuthorDomain, d.OrganizationalDomain) {
		d.OrganizationalDomain = d.AuthorDomain
	}
	if absent("dmarc.policy_domain") {
		d.PolicyDomain = d.OrganizationalDomain
	}
	if absent("dmarc.aligned.spf") {
		d.Aligned.SPF = d.Result == "pass" && e.SPF[0].Result == "pass" && beneath(e.SPF[0].Domain, d.OrganizationalDomain)
	}
	if absent("dmarc.aligned.dkim") {
		d.Aligned.DKIM = d.Result == "pass" && slices.ContainsFunc(e.DKIM, func(s verify.DKIM) bool {
			return s.Result == "pass" && beneath(s.SDID, d.OrganizationalDomain)
		})
	}
	if absent("dmarc.policy") && (d.Result == "none" || d.Result == "permerror") {
		d.Policy, d.Record, d.PolicyDomain = "", "", ""
	}
	if absent("dmarc.record") && d.Policy != "" {
		d.Record = "v=DMARC1; p=" + d.Policy
	}
	if absent("dmarc.disposition") {
		d.Disposition = "none"
		if d.Result == "fail" {
			d.Disposition = onFail(e)
		}
	}
}
