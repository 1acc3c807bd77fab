package aggregate

import (
	"strconv"
	"time"
)

// version reads the version of the format, which is 1.0.
func (r *Reader) version() {
	v := r.string("version")
	r.feedback.Version = v
	switch v {
	case "":
		r.warn(wEmpty, "version", "")
	case "1.0", "1":
	default:
		r.warn(wVersion, "version", v)
	}
}

// again notes that a part of the report is there once more: what the first left open is taken from it.
func (r *Reader) again(s *set, e element, where string) {
	if !s.add(e) {
		r.warn(wAgain, where, "")
	}
}

// newElement notes an element that RFC 7489 does not have, where that is the standard that the report follows.
func (r *Reader) newElement(where string) {
	if r.feedback.Namespace != Namespace9990 {
		r.warn(wNewElement, where, "")
	}
}

// keep takes a value, unless an earlier one was given.
func keep(to *string, value string) {
	if *to == "" {
		*to = value
	}
}

// metadata reads who reports (RFC 9990 3.1.1.3).
func (r *Reader) metadata() {
	r.enter()
	f := &r.feedback
	var had set
	for {
		e := r.child("report_metadata")
		if e > foreign && e != errorText && !r.first(&had, e, names[e]) {
			continue
		}
		switch e {
		case end:
			return
		case orgName:
			keep(&f.OrgName, r.string("org_name"))
		case email:
			keep(&f.Email, r.mailbox("email"))
		case extraContact:
			keep(&f.ExtraContact, r.string("extra_contact_info"))
		case reportID:
			keep(&f.ReportID, r.string("report_id"))
		case dateRange:
			r.dateRange()
		case errorText:
			text := r.string("error")
			switch {
			case text == "":
			case len(f.Errors) == r.opt.MaxPerRecord:
				r.warn(wTooMany, "error", "")
			default:
				f.Errors = append(f.Errors, text)
			}
		case generator:
			r.newElement("generator")
			keep(&f.Generator, r.string("generator"))
		default:
			r.unexpected(e, "report_metadata", true)
		}
	}
}

// dateRange reads the period (RFC 9990 3.1.1.4).
func (r *Reader) dateRange() {
	r.enter()
	f := &r.feedback
	var had set
	for {
		switch e := r.child("date_range"); e {
		case end:
			return
		case begin:
			if r.first(&had, e, "date_range/begin") {
				if t := r.time("date_range/begin"); f.Begin.IsZero() {
					f.Begin = t
				}
			}
		case endTime:
			if r.first(&had, e, "date_range/end") {
				if t := r.time("date_range/end"); f.End.IsZero() {
					f.End = t
				}
			}
		default:
			r.unexpected(e, "date_range", true)
		}
	}
}

// timeForms are how reporters write a time that is not in seconds.
var timeForms = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02", time.RFC1123Z, time.RFC1123}

const (
	maxSeconds = 1 << 37 // the year 6325; more must be of another unit
	thousand   = 1000
)

// time reads one in seconds since 1970.
func (r *Reader) time(where string) time.Time {
	came := r.string(where)
	if r.err != nil {
		return time.Time{}
	}
	if came == "" {
		r.warn(wEmpty, where, "")
		return time.Time{}
	}
	whole, fraction := wholeNumber(came)
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
		switch {
		case n <= 0 || n/thousand > maxSeconds:
		case n > maxSeconds:
			r.warn(wDateForm, where, came)
			return time.Unix(n/thousand, 0).UTC()
		default:
			if fraction {
				r.warn(wFraction, where, came)
			}
			return time.Unix(n, 0).UTC()
		}
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, came); err == nil && t.Unix() > 0 && t.Unix() < maxSeconds {
			r.warn(wDateForm, where, came)
			return t.UTC().Truncate(time.Second)
		}
	}
	r.warn(wDate, where, came)
	return time.Time{}
}

// policy reads the policy that the reporter found (RFC 9990 3.1.1.5).
func (r *Reader) policy() {
	r.enter()
	pol := &r.feedback.Policy
	var had set
	for {
		e := r.child("policy_published")
		if e > foreign && !r.first(&had, e, "policy_published/"+names[e]) {
			continue
		}
		switch e {
		case end:
			return
		case domain:
			keep(&pol.Domain, r.domain("policy_published/domain"))
		case p:
			keep(&pol.P, r.word("policy_published/p", policies))
		case sp:
			keep(&pol.SP, r.word("policy_published/sp", policies))
		case np:
			r.newElement("policy_published/np")
			keep(&pol.NP, r.word("policy_published/np", policies))
		case adkim:
			keep(&pol.ADKIM, r.word("policy_published/adkim", alignments))
		case aspf:
			keep(&pol.ASPF, r.word("policy_published/aspf", alignments))
		case pct:
			r.pct()
		case fo:
			keep(&pol.FO, r.string("policy_published/fo"))
		case testingMode:
			r.newElement("policy_published/testing")
			keep(&pol.Testing, r.word("policy_published/testing", yesNo))
		case discoveryMethod:
			r.newElement("policy_published/discovery_method")
			keep(&pol.DiscoveryMethod, r.word("policy_published/discovery_method", discoveries))
		default:
			r.unexpected(e, "policy_published", true)
		}
	}
}

// pct reads the percentage of RFC 7489.
func (r *Reader) pct() {
	const where = "policy_published/pct"
	came := r.string(where)
	if n, err := strconv.Atoi(came); err != nil || n < 0 || n > 100 {
		if came == "" {
			r.warn(wEmpty, where, "")
		} else {
			r.warn(wWord, where, came)
		}
	}
	keep(&r.feedback.Policy.Pct, came)
}

// judge looks at the report as a whole, once it is read.
func (r *Reader) judge() {
	f := &r.feedback
	for _, c := range []struct{ where, value string }{
		{"org_name", f.OrgName}, {"email", f.Email}, {"report_id", f.ReportID}, {"policy_published/domain", f.Policy.Domain}, {"policy_published/p", f.Policy.P},
	} {
		if c.value == "" {
			r.warn(wMissing, c.where, "")
		}
	}
	if !r.had.has(version) && f.Namespace != Namespace9990 {
		r.warn(wMissing, "version", "")
	}
	if r.records == 0 {
		r.warn(wMissing, "record", "")
	}
	r.judgePeriod()
}

const longPeriod = 8 * 24 * time.Hour // a week, with a day's grace

func (r *Reader) judgePeriod() {
	f := &r.feedback
	switch {
	case f.Begin.IsZero():
		r.warn(wMissing, "date_range/begin", "")
	case f.End.IsZero():
		r.warn(wMissing, "date_range/end", "")
	case f.End.Equal(f.Begin):
		r.warn(wSame, "", "")
	case f.End.Before(f.Begin):
		r.warn(wReversed, "", "")
	case f.End.Sub(f.Begin) > longPeriod:
		r.warn(wLongPeriod, strconv.Itoa(int(f.End.Sub(f.Begin)/(24*time.Hour))), "")
	}
	now := r.opt.Now
	if now.IsZero() {
		now = time.Now()
	}
	if f.End.After(now) {
		r.warn(wFuture, "", "")
	}
}
