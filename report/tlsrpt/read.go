package tlsrpt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/dns"
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
		switch squeeze(key) {
		case "policy", "summary", "failuredetails":
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

// names are those of RFC 8460 4.4, by how they look without hyphens, and others that are seen in their place.
var names = func() map[string]string {
	m := map[string]string{
		"mxhostpattern": "mx-host", "mxhosts": "mx-host", "additionalinfouri": "additional-information", "additionalinfo": "additional-information",
		"successaggregate": "total-successful-session-count", "failureaggregate": "total-failure-session-count", "sessioncount": "failed-session-count",
		"failurereason": "failure-reason-code", "failureerrorcode": "failure-reason-code", "receivingmxhostname": "receiving-mx-hostname",
		"organisationname": "organization-name", "totalsuccessfulsessions": "total-successful-session-count",
	}
	for _, name := range []string{"organization-name", "date-range", "start-datetime", "end-datetime", "contact-info", "report-id", "policies", "policy",
		"policy-type", "policy-string", "policy-domain", "mx-host", "summary", "total-successful-session-count", "total-failure-session-count",
		"failure-details", "result-type", "sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "failed-session-count",
		"additional-information", "failure-reason-code"} {
		m[squeeze(name)] = name
	}
	return m
}()

func squeeze(key string) string {
	if len(key) > 100 {
		return ""
	}
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(key))
}

// name is the standard's name of a member; other spellings are warned about. It is empty for one that is not known.
func (r *reader) name(place, key string) string {
	name := names[squeeze(key)]
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
			if sub := names[squeeze(key)]; sub == "policy" || sub == "summary" || sub == "failure-details" {
				r.warn("%s: %s within %s: left out", place, sub, name)
				return r.skip()
			}
			return r.policyMember(p, within, place, key)
		})
	case "failure-details":
		var sum int64
		n := 0
		err = r.listOr(place, name, func() error { n++; return r.failure(p, &sum, fmt.Sprintf("%s, failure %d", place, n)) })
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

// string1 takes a string; null is an empty one.
func (r *reader) string1(place, name string) (string, error) {
	c, err := r.peek()
	if err != nil {
		return "", err
	}
	if c == '{' || c == '[' {
		r.warn("%s: %s is no string: left out", place, name)
		return "", r.skip()
	}
	text, quoted, err := r.scalar()
	switch {
	case err != nil:
		return "", err
	case !quoted && (text == "null" || text == "None"):
		return "", nil
	case !quoted:
		r.warn("%s: %s is no string", place, name)
	case r.cut:
		r.warn("%s: %s has more than %d bytes: the rest is left out", place, name, r.o.TextBytes)
	}
	return r.fit(text), nil
}

// fit makes text fit to keep.
func (r *reader) fit(text string) string { return clip(clean(strings.TrimSpace(text)), r.o.TextBytes) }

// strings takes a list of strings. An object in it is kept as JSON, which some put there.
func (r *reader) strings(place, name string) ([]string, error) {
	var list []string
	err := r.listOr(place, name, func() error {
		c, err := r.peek()
		if err != nil {
			return err
		}
		var text string
		if c == '{' || c == '[' {
			r.warn("%s: %s holds JSON", place, name)
			if text, err = r.raw(); err != nil {
				return err
			}
		} else {
			var quoted bool
			if text, quoted, err = r.scalar(); err != nil {
				return err
			}
			if quoted && strings.HasPrefix(strings.TrimSpace(text), "{") {
				r.warn("%s: %s holds JSON", place, name)
			}
			if quoted && r.cut {
				r.warn("%s: %s has a text of more than %d bytes: the rest is left out", place, name, r.o.TextBytes)
			}
			if !quoted && text == "null" {
				return nil
			}
		}
		for line := range strings.Lines(text) {
			if line = r.fit(line); line == "" {
				continue
			}
			if len(list) == r.o.Values {
				r.warn("%s: %s has more than %d values: the rest is left out", place, name, r.o.Values)
				return nil
			}
			list = append(list, line)
		}
		return nil
	})
	return list, err
}

// raw takes a value as it is written.
func (r *reader) raw() (string, error) {
	var b strings.Builder
	depth := 0
	inString, escaped := false, false
	for {
		c, err := r.next()
		if err != nil {
			return "", err
		}
		if b.Len() < r.o.TextBytes && c >= ' ' {
			b.WriteByte(c)
		}
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; r.depth+depth > r.max {
				return "", r.fail("values within values, too deep")
			}
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return strings.ToValidUTF8(b.String(), "\ufffd"), nil
			}
		}
	}
}

// count takes a number of sessions, in whichever way it is written.
func (r *reader) count(place, name string) (int64, error) {
	c, err := r.peek()
	if err != nil {
		return 0, err
	}
	if c == '{' || c == '[' {
		r.warn("%s: %s is no number: taken for 0", place, name)
		return 0, r.skip()
	}
	text, quoted, err := r.scalar()
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		if quoted {
			r.warn("%s: %s is a string", place, name)
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1<<53 {
		r.warn("%s: %s is %.40q: taken for 0", place, name, text)
		return 0, nil
	}
	r.warn("%s: %s is %.40q, no whole number", place, name, text)
	return int64(f), nil
}

// word is in lower case if it is known, and as it came if not.
func (r *reader) word(place, name, text string, known []string) string {
	if lower := strings.ToLower(text); slices.Contains(known, lower) {
		return lower
	}
	if text != "" {
		r.warn("%s: %s %.60q is not known: kept as it came", place, name, text)
	}
	return text
}

func (r *reader) domain(place, name, text string) string {
	if domain, err := dns.ToASCII(text); err == nil && domain != "" {
		return domain
	}
	r.warn("%s: %s %.100q is no domain: kept as it came", place, name, text)
	return text
}

func (r *reader) ip(place, name, text string) netip.Addr {
	ip, err := netip.ParseAddr(strings.Trim(text, "[] "))
	if err != nil {
		r.warn("%s: %s %.60q is no address: left out", place, name, text)
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

// date reads a date of RFC 3339, or what is written in its place.
func (r *reader) date(name, text string) time.Time {
	upper := strings.ToUpper(text)
	if t, err := time.Parse(time.RFC3339Nano, upper); err == nil && t.UTC().Year() >= 1970 && t.UTC().Year() < 9999 {
		return t.UTC()
	}
	r.warn("%s %.60q is not in the form of RFC 3339", name, text)
	day := time.Duration(0)
	if strings.Contains(upper, "T24:00:00") { // a day's end, as drafts of RFC 8460 had it
		upper, day = strings.Replace(upper, "T24:", "T00:", 1), 24*time.Hour
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05-0700", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01-02Z"} {
		if t, err := time.Parse(layout, upper); err == nil && t.Year() >= 1970 && t.Year() < 9998 {
			return t.Add(day).UTC()
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && n < 1<<36 {
		return time.Unix(n, 0).UTC()
	}
	r.warn("%s %.60q is no date: left out", name, text)
	return time.Time{}
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

// clean makes valid UTF-8 without control characters: each of what is not stands as U+FFFD.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return utf8.RuneError
		}
		return c
	}, s)
}

// clip cuts s to n bytes at most, and not within a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.TrimSpace(s[:n])
}
