package tlsrpt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Read reads the JSON of one report as it streams in, and keeps no more of it than [Options] lets. The error is [ErrNoReport], a
// [*SyntaxError], or what src returned.
func Read(src io.Reader, o Options) (*Report, error) {
	o = o.withDefaults()
	r := &reader{o: o, report: &Report{}, scanner: scanner{src: bufio.NewReaderSize(src, 16<<10), limit: o.Bytes, text: o.TextBytes, max: o.Depth}}
	if bom, _ := r.src.Peek(3); string(bom) == "\xef\xbb\xbf" {
		r.src.Discard(3)
		r.offset = 3
	}
	c, err := r.peek()
	var broken *SyntaxError
	switch {
	case errors.As(err, &broken):
		return nil, ErrNoReport
	case err != nil:
		return nil, fmt.Errorf("TLS report: %w", err)
	case c == '[':
		r.warn("the report is within a list")
		r.next()
		c, err = r.peek()
	}
	if err != nil || c != '{' {
		return nil, ErrNoReport
	}
	top := &object{}
	var single Policy // of drafts of RFC 8460, whose report has one policy only, not in a list
	has := false
	err = r.object(func(key string) error {
		switch known(key) {
		case "policy", "summary", "failure-details":
			has = true
			return r.policyMember(&single, top, "the report", key)
		}
		return r.topMember(top, key)
	})
	if err != nil {
		if errors.As(err, &broken) {
			return nil, err
		}
		return nil, fmt.Errorf("TLS report: %w", err)
	}
	if has {
		r.warn("the report has its only policy not in a list")
		r.addPolicy(single, top, "the report")
	}
	if len(top.seen) == 0 {
		return nil, ErrNoReport
	}
	r.judge()
	if c, err := r.peek(); err == nil && c != ']' {
		r.warn("bytes after the report: left out")
	}
	return r.report, nil
}

type reader struct {
	scanner
	o        Options
	report   *Report
	failures int // kept
	kept     int // bytes of strings
	full     bool
}

func (r *reader) warn(format string, args ...any) {
	switch n := len(r.report.Warnings); {
	case n < r.o.Warnings:
		r.report.Warnings = append(r.report.Warnings, clean(fmt.Sprintf(format, args...)))
	case n == r.o.Warnings:
		r.report.Warnings = append(r.report.Warnings, "more warnings are left out")
	}
}

// An object remembers which members it had.
type object struct {
	seen       []string
	sum        int64 // of a policy: what its details add up to
	hasDetails bool
}

// member tells whether a member is there for the first time; if not, its value is passed over.
func (r *reader) member(o *object, place, name string) (bool, error) {
	if slices.Contains(o.seen, name) {
		r.warn("%s: %s is there twice: the first counts", place, name)
		return false, r.skip()
	}
	o.seen = append(o.seen, name)
	return true, nil
}

// standard are the names of RFC 8460 4.4.
var standard = map[string]bool{
	"organization-name": true, "date-range": true, "start-datetime": true, "end-datetime": true, "contact-info": true, "report-id": true,
	"policies": true, "policy": true, "policy-type": true, "policy-string": true, "policy-domain": true, "mx-host": true,
	"summary": true, "total-successful-session-count": true, "total-failure-session-count": true, "failure-details": true,
	"result-type": true, "sending-mta-ip": true, "receiving-mx-hostname": true, "receiving-mx-helo": true, "receiving-ip": true,
	"failed-session-count": true, "additional-information": true, "failure-reason-code": true,
}

// names are those of RFC 8460 4.4, by how they look without hyphens, and others that are seen in their place.
var names = func() map[string]string {
	m := map[string]string{
		"mxhostpattern": "mx-host", "mxhosts": "mx-host", "additionalinfouri": "additional-information", "additionalinfo": "additional-information",
		"successaggregate": "total-successful-session-count", "failureaggregate": "total-failure-session-count", "sessioncount": "failed-session-count",
		"failurereason": "failure-reason-code", "failureerrorcode": "failure-reason-code", "receivingmxhostname": "receiving-mx-hostname",
		"organisationname": "organization-name", "totalsuccessfulsessions": "total-successful-session-count",
	}
	for name := range standard {
		m[squeeze(name)] = name
	}
	return m
}()

func squeeze(key string) string {
	if len(key) > 100 {
		return ""
	}
	return strings.ToLower(separators.Replace(key))
}

var separators = strings.NewReplacer("-", "", "_", "", " ", "")

// known is the standard's name of a member, or empty.
func known(key string) string {
	if standard[key] {
		return key
	}
	return names[squeeze(key)]
}

// name is the standard's name of a member; other spellings are warned about. It is empty for one that is not known.
func (r *reader) name(place, key string) string {
	name := known(key)
	if name == "" {
		r.warn("%s: unknown member %.60q: left out", place, key)
	} else if name != key {
		r.warn("%s: %.60q is taken for %s", place, key, name)
	}
	return name
}

func (r *reader) topMember(top *object, key string) error {
	p := r.report
	name := r.name("the report", key)
	switch name {
	case "organization-name", "contact-info", "report-id", "date-range", "start-datetime", "end-datetime", "policies":
	default:
		return r.skip()
	}
	if ok, err := r.member(top, "the report", name); !ok {
		return err
	}
	var err error
	switch name {
	case "organization-name":
		p.OrganizationName, err = r.string1("the report", name)
	case "contact-info":
		p.ContactInfo, err = r.string1("the report", name)
	case "report-id":
		p.ReportID, err = r.string1("the report", name)
	case "start-datetime", "end-datetime":
		r.warn("%s is not within date-range", name)
		err = r.rangeMember(&object{}, name)
	case "date-range":
		within := &object{}
		err = r.objectOr("the report", name, func(key string) error { return r.rangeMember(within, r.name(name, key)) })
	case "policies":
		err = r.policies()
	}
	return err
}

func (r *reader) rangeMember(within *object, name string) error {
	if name != "start-datetime" && name != "end-datetime" {
		return r.skip()
	}
	if ok, err := r.member(within, "date-range", name); !ok {
		return err
	}
	text, err := r.string1("date-range", name)
	if err != nil || text == "" {
		return err
	}
	t := r.date(name, text)
	if name == "start-datetime" {
		r.report.Begin = t
	} else {
		r.report.End = t
	}
	return nil
}

// objectOr goes through an object, or says that there is none.
func (r *reader) objectOr(place, name string, member func(key string) error) error {
	c, err := r.peek()
	if err != nil {
		return err
	}
	if c != '{' {
		r.warn("%s: %s is no object: left out", place, name)
		return r.skip()
	}
	return r.object(member)
}

// listOr goes through a list, or through the one value that stands in its place.
func (r *reader) listOr(place, name string, item func() error) error {
	c, err := r.peek()
	if err != nil {
		return err
	}
	if c == '[' {
		return r.each(']', item)
	}
	if c != 'n' { // null
		r.warn("%s: %s is no list", place, name)
		return item()
	}
	return r.skip()
}

func (r *reader) policies() error {
	n := 0
	return r.listOr("the report", "policies", func() error {
		n++
		place := "policy " + strconv.Itoa(n)
		if n > r.o.Policies {
			if n == r.o.Policies+1 {
				r.warn("more than %d policies: the rest is left out", r.o.Policies)
			}
			return r.skip()
		}
		var p Policy
		within := &object{}
		if c, err := r.peek(); err != nil {
			return err
		} else if c != '{' {
			r.warn("%s is no object: left out", place)
			return r.skip()
		}
		if err := r.object(func(key string) error { return r.policyMember(&p, within, place, key) }); err != nil {
			return err
		}
		r.addPolicy(p, within, place)
		return nil
	})
}

// policyMember takes a member of a policy, at whichever level it stands.
func (r *reader) policyMember(p *Policy, within *object, place, key string) error {
	name := r.name(place, key)
	switch name {
	case "policy", "summary", "failure-details", "policy-type", "policy-string", "policy-domain", "mx-host", "total-successful-session-count",
		"total-failure-session-count":
	default:
		return r.skip()
	}
	if ok, err := r.member(within, place, name); !ok {
		return err
	}
	var err error
	switch name {
	case "policy", "summary":
		if r.depth >= 5 {
			return r.skip()
		}
		err = r.objectOr(place, name, func(key string) error {
			if sub := known(key); sub == "policy" || sub == "summary" || sub == "failure-details" {
				r.warn("%s: %s within %s: left out", place, sub, name)
				return r.skip()
			}
			return r.policyMember(p, within, place, key)
		})
	case "failure-details":
		var sum int64
		n := 0
		err = r.listOr(place, name, func() error { n++; return r.failure(p, &sum, place+", failure "+strconv.Itoa(n)) })
		within.sum, within.hasDetails = sum, n > 0
	case "policy-type":
		if p.Type, err = r.string1(place, name); err == nil {
			p.Type = r.word(place, name, p.Type, policyTypes)
		}
	case "policy-string":
		p.Strings, err = r.strings(place, name)
	case "policy-domain":
		if p.Domain, err = r.string1(place, name); err == nil && p.Domain != "" {
			p.Domain = r.domain(place, name, p.Domain)
		}
	case "mx-host":
		p.MXHosts, err = r.strings(place, name)
	case "total-successful-session-count":
		p.Successful, err = r.count(place, name)
	case "total-failure-session-count":
		p.Failed, err = r.count(place, name)
	}
	return err
}

// addPolicy keeps a policy, and says what is wrong with it.
func (r *reader) addPolicy(p Policy, within *object, place string) {
	if p.Domain == "" {
		r.warn("%s: no policy-domain", place)
	}
	if p.Type == "" {
		r.warn("%s: no policy-type", place)
	}
	if !slices.Contains(within.seen, "total-successful-session-count") || !slices.Contains(within.seen, "total-failure-session-count") {
		r.warn("%s: no complete summary", place)
	}
	if within.hasDetails && within.sum != p.Failed {
		r.warn("%s: %d sessions failed, and the details add up to %d", place, p.Failed, within.sum)
	}
	r.report.Policies = append(r.report.Policies, p)
}

func (r *reader) failure(p *Policy, sum *int64, place string) error {
	if c, err := r.peek(); err != nil {
		return err
	} else if c != '{' {
		r.warn("%s is no object: left out", place)
		return r.skip()
	}
	var f Failure
	within := &object{}
	err := r.object(func(key string) error { return r.failureMember(&f, within, place, key) })
	if err != nil {
		return err
	}
	if f.Sessions <= math.MaxInt64-*sum {
		*sum += f.Sessions
	}
	if r.failures == r.o.Failures {
		r.warn("%s: more than %d failures: left out", place, r.o.Failures)
		return nil
	}
	r.failures++
	if f.ResultType == "" {
		r.warn("%s: no result-type", place)
	}
	p.Failures = append(p.Failures, f)
	return nil
}

func (r *reader) failureMember(f *Failure, within *object, place, key string) error {
	name := r.name(place, key)
	switch name {
	case "result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "failed-session-count",
		"additional-information", "failure-reason-code":
	default:
		return r.skip()
	}
	if ok, err := r.member(within, place, name); !ok {
		return err
	}
	if name == "failed-session-count" {
		var err error
		f.Sessions, err = r.count(place, name)
		return err
	}
	text, err := r.string1(place, name)
	if err != nil || text == "" {
		return err
	}
	switch name {
	case "result-type":
		f.ResultType = r.word(place, name, text, resultTypes)
	case "sending-mta-ip":
		f.SendingMTAIP = r.ip(place, name, text)
	case "receiving-mx-hostname":
		f.ReceivingMXHostname = text
	case "receiving-mx-helo":
		f.ReceivingMXHelo = text
	case "receiving-ip":
		f.ReceivingIP = r.ip(place, name, text)
	case "additional-information":
		f.AdditionalInformation = text
	case "failure-reason-code":
		f.ReasonCode = text
	}
	return nil
}

// judge adds warnings about what a report must have and this one has not.
func (r *reader) judge() {
	p := r.report
	for _, m := range []struct {
		name  string
		empty bool
	}{{"organization-name", p.OrganizationName == ""}, {"contact-info", p.ContactInfo == ""}, {"report-id", p.ReportID == ""},
		{"start-datetime", p.Begin.IsZero()}, {"end-datetime", p.End.IsZero()}, {"policies", len(p.Policies) == 0}} {
		if m.empty {
			r.warn("no %s (RFC 8460 4.4)", m.name)
		}
	}
	if !p.Begin.IsZero() && p.End.Before(p.Begin) && !p.End.IsZero() {
		r.warn("the report ends before it begins")
	}
}
