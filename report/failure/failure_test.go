package failure

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/golden"
)

func readFile(t testing.TB, name string) *Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func TestReportersShapesReadAsTheirGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		got, err := json.MarshalIndent(readFile(t, name).Document(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want := filepath.Join("testdata", name+".json")
		golden.Check(t, want, string(got)+"\n")
	}
}

// without gives a copy of a report without its warnings.
func without(r *Report) *Report {
	c := *r
	c.Warnings = nil
	return &c
}

func hasWarning(r *Report, text string) bool {
	return slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

func TestAPlainReportNeedsNoLiberty(t *testing.T) {
	for _, name := range []string{"plain", "whole-message", "base64", "quoted-printable"} {
		if r := readFile(t, name); len(r.Warnings) > 0 {
			t.Errorf("%s: %q", name, r.Warnings)
		}
	}
}

func TestTheEncodingOfTheFieldsDoesNotMatter(t *testing.T) {
	want := readFile(t, "plain")
	for _, name := range []string{"base64", "quoted-printable", "mixed", "forwarded"} {
		if r := readFile(t, name); !reflect.DeepEqual(without(r), without(want)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, r, want)
		}
	}
}

func TestTextAloneIsReadWhereItsFormIsKnown(t *testing.T) {
	r := readFile(t, "text-only")
	if r.SourceIP.String() != "192.0.2.7" || r.ReportedDomain() != "example.com" || r.AuthorDomain != "example.com" || r.ArrivalDate.IsZero() ||
		r.AuthFailure != "dmarc" || r.FeedbackType != "auth-failure" || !reflect.DeepEqual(r.IdentityAlignment, []string{"dkim", "spf"}) ||
		r.DeliveryResult != "reject" || !hasWarning(r, "the text for people was read instead") {
		t.Errorf("%+v", r)
	}
	sentence := "From: a@example.org\n\nThis is an email abuse report for an email message\nreceived from IP 192.0.2.9 on Thu, 8 Mar 2026 14:00:00 EDT.\n"
	r, err := Read(strings.NewReader(sentence), Options{})
	if err != nil || r.SourceIP.String() != "192.0.2.9" || r.ArrivalDate.Format("15:04") != "18:00" || r.FeedbackType != "" || r.AuthFailure != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatSpeaksOfNoFailureIsNoReport(t *testing.T) {
	for _, mail := range []string{
		"", "\n", "hello", "From: a@example.com\nSubject: lunch\n\nSender IP: 192.0.2.1\n",
		"From: a@example.com\n\nThe DMARC failure of yesterday is mended.\n",
		"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n--x--\n",
	} {
		if r, err := Read(strings.NewReader(mail), Options{}); !errors.Is(err, ErrNoReport) {
			t.Errorf("%q: %+v, %v", mail, r, err)
		}
	}
}

func TestAnUnknownDeliveryResultIsKeptAsItCame(t *testing.T) {
	r := readFile(t, "no-alignment")
	if r.DeliveryResult != "smtp-reject" || !hasWarning(r, `Delivery-Result "smtp-reject" is not known`) {
		t.Errorf("%q, %q", r.DeliveryResult, r.Warnings)
	}
}

func TestNoIdentityAlignmentIsNotNone(t *testing.T) {
	r := readFile(t, "no-alignment")
	if r.IdentityAlignment != nil || !hasWarning(r, "no Identity-Alignment") {
		t.Errorf("%q, %q", r.IdentityAlignment, r.Warnings)
	}
}

// report is a report of the given fields.
func report(t *testing.T, fields string) *Report {
	t.Helper()
	r, err := Read(strings.NewReader("From: r@example.org\nContent-Type: message/feedback-report\n\n"+fields), Options{})
	if err != nil {
		t.Fatalf("%q: %v", fields, err)
	}
	return r
}

func TestValuesOfFields(t *testing.T) {
	for _, c := range []struct {
		fields string
		get    func(*Report) any
		want   any
		warns  string // empty: no warning about that field
	}{
		{"Identity-Alignment: none", alignment, []string{"none"}, ""},
		{"Identity-Alignment: (c) SPF (x) , DKIM (y)", alignment, []string{"dkim", "spf"}, ""},
		{"Identity-Alignment: spf", alignment, []string{"spf"}, ""},
		{"Identity-Alignment: spf, spf", alignment, []string{"spf"}, "twice"},
		{"Identity-Alignment: none, spf", alignment, []string{"spf"}, "none and more"},
		{"Identity-Alignment: pass", alignment, []string{"pass"}, "not known"},
		{"Identity-Alignment:", alignment, []string(nil), ""},
		{"Auth-Failure: BodyHash", func(r *Report) any { return r.AuthFailure }, "bodyhash", ""},
		{"Auth-Failure: revoked", func(r *Report) any { return r.AuthFailure }, "revoked", ""},
		{"Auth-Failure: adsp", func(r *Report) any { return r.AuthFailure }, "adsp", ""},
		{"Auth-Failure: Signature", func(r *Report) any { return r.AuthFailure }, "signature", ""},
		{"Auth-Failure: spf", func(r *Report) any { return r.AuthFailure }, "spf", ""},
		{"Auth-Failure: Pass", func(r *Report) any { return r.AuthFailure }, "Pass", "not known"},
		{"Source-IP: 192.0.2.1", source, "192.0.2.1 0", ""},
		{"Source-IP: [192.0.2.1]", source, "192.0.2.1 0", ""},
		{"Source-IP: 192.0.2.1:25", source, "192.0.2.1 25", "port"},
		{"Source-IP: [2001:db8::1]:25", source, "2001:db8::1 25", "port"},
		{"Source-IP: IPv6:2001:db8::1", source, "2001:db8::1 0", ""},
		{"Source-IP: ::ffff:192.0.2.1", source, "192.0.2.1 0", ""},
		{"Source-IP: fe80::1%eth0", source, "fe80::1 0", ""},
		{"Source-IP: 192.0.2.1 (mx.example.net)", source, "192.0.2.1 0", ""},
		{"Source-IP: unknown", source, "invalid IP 0", "no address"},
		{"Source-Port: 70000", source, "invalid IP 0", "no port"},
		{"Incidents: 4", func(r *Report) any { return r.Incidents }, uint32(4), ""},
		{"Incidents: -4", func(r *Report) any { return r.Incidents }, uint32(0), "no count"},
		{"Arrival-Date: Thu, 8 Mar 2026 14:00:00 EDT", arrival, "2026-03-08 18:00:00", ""},
		{"Arrival-Date: Thu, 8 Mar 2026 14:00:00 -0400 (EDT)", arrival, "2026-03-08 18:00:00", ""},
		{"Arrival-Date: Thu, 8 Mar 2026 14:00:00 XYZ", arrival, "2026-03-08 14:00:00", "time zone"},
		{"Received-Date: 2026-03-08T14:00:00.25+01:00", arrival, "2026-03-08 13:00:00", "form"},
		{"Arrival-Date: yesterday", arrival, "0001-01-01 00:00:00", "no date"},
		{"Original-Mail-From: <>", func(r *Report) any { return r.OriginalMailFrom }, "<>", ""},
		{"Original-Mail-From: a@example.com", func(r *Report) any { return r.OriginalMailFrom }, "a@example.com", ""},
		{"Original-Rcpt-To: <a@example.com>\nOriginal-Rcpt-To: b@example.com", func(r *Report) any { return r.OriginalRcptTo }, []string{"a@example.com", "b@example.com"}, ""},
		{"Reported-Domain: Bücher.example", func(r *Report) any { return r.ReportedDomain() }, "xn--bcher-kva.example", ""},
		{"Reported-Domain: not a domain", func(r *Report) any { return r.ReportedDomain() }, "not a domain", "no domain"},
		{"DKIM-Selector-DNS: \"v=DKIM1; p=\" \"QQ==\"", func(r *Report) any { return r.DKIM.SelectorDNS }, "v=DKIM1; p=QQ==", ""},
		{"DKIM-Canonicalized-Body: SGVs\n bG8=", func(r *Report) any { return string(r.DKIM.CanonicalizedBody) }, "Hello", ""},
		{"DKIM-Canonicalized-Body: no base64!", func(r *Report) any { return string(r.DKIM.CanonicalizedBody) }, "no base64!", "base64"},
		{"SPF-DNS: txt : example.com : \"v=spf1 -all\"", func(r *Report) any { return r.SPF.DNS }, []SPFRecord{{"txt", "example.com", "v=spf1 -all"}}, ""},
		{"SPF-DNS: v=spf1 ip6:2001:db8::/32 -all", func(r *Report) any { return r.SPF.DNS }, []SPFRecord{{"", "", "v=spf1 ip6:2001:db8::/32 -all"}}, "SPF-DNS"},
		{"Source-IP: 192.0.2.1\nSource-IP: 192.0.2.1", source, "192.0.2.1 0", ""},
		{"Source-IP: 192.0.2.1\nSource-IP: 192.0.2.2", source, "192.0.2.1 0", "first counts"},
		{"X-Else:  a\n b", func(r *Report) any { return r.Extra }, []Field{{"X-Else", "a b"}}, ""},
		{"User-Agent: a\x00b\xff", func(r *Report) any { return r.UserAgent }, "a\ufffdb\ufffd", ""},
	} {
		r := report(t, "Feedback-Type: other\n"+c.fields+"\n")
		if got := c.get(r); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %#v, want %#v", c.fields, got, c.want)
		}
		warnings := slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool {
			return strings.HasPrefix(w, "the mail's type") || strings.HasPrefix(w, "no part with")
		})
		if c.warns == "" && len(warnings) > 0 || c.warns != "" && !hasWarning(r, c.warns) {
			t.Errorf("%q: warnings %q, want one about %q", c.fields, warnings, c.warns)
		}
	}
}

func alignment(r *Report) any { return r.IdentityAlignment }
func source(r *Report) any    { return strings.TrimSpace(r.SourceIP.String()) + " " + itoa(r.SourcePort) }
func arrival(r *Report) any   { return r.ArrivalDate.Format("2006-01-02 15:04:05") }

func itoa(n uint16) string {
	b, _ := json.Marshal(n)
	return string(b)
}

func TestFeedbackOfRFC5965IsReadToo(t *testing.T) {
	for _, kind := range []string{"abuse", "fraud", "not-spam", "virus", "other"} {
		if r := report(t, "Feedback-Type: "+strings.ToUpper(kind)+"\n"); r.FeedbackType != kind || hasWarning(r, "not known") {
			t.Errorf("%s: %q, %q", kind, r.FeedbackType, r.Warnings)
		}
	}
	if r := report(t, "Feedback-Type: Rumour\n"); r.FeedbackType != "Rumour" || !hasWarning(r, "not known") {
		t.Errorf("%q, %q", r.FeedbackType, r.Warnings)
	}
}

func TestNoSizeGoesBeyondTheLimits(t *testing.T) {
	o := Options{Bytes: 100 << 10, HeaderBytes: 8 << 10, BodyBytes: 1 << 10, TextBytes: 100, Values: 3, Warnings: 5, Parts: 10, Depth: 3}
	nested := "Content-Type: message/feedback-report\n\nFeedback-Type: other\n"
	for range 50 {
		nested = "Content-Type: multipart/mixed; boundary=x\n\n--x\n" + nested
	}
	for name, mail := range map[string]string{
		"fields":   "Content-Type: message/feedback-report\n\nFeedback-Type: other\n" + strings.Repeat("X: y\n", 5000),
		"values":   "Content-Type: message/feedback-report\n\nFeedback-Type: other\n" + strings.Repeat("Original-Rcpt-To: y\nReported-Domain: z.example\nSPF-DNS: q\n", 500),
		"text":     "Content-Type: message/feedback-report\n\nFeedback-Type: other\nUser-Agent: " + strings.Repeat("ü", 5000),
		"parts":    "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--x\n\n", 5000) + "--x\n\nFeedback-Type: other\n",
		"nested":   nested,
		"header":   "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: other\n--x\nContent-Type: message/rfc822\n\n" + strings.Repeat("Received: x\n", 5000) + "\nbody",
		"body":     "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: other\n--x\nContent-Type: message/rfc822\n\nFrom: a@example.com\n\n" + strings.Repeat("body\n", 9000),
		"all":      "Content-Type: message/feedback-report\n\nFeedback-Type: other\n" + strings.Repeat("body\n", 90000),
		"warnings": "Content-Type: message/feedback-report\n\nFeedback-Type: other\n" + strings.Repeat("body\n", 9000),
	} {
		r, err := Read(strings.NewReader(mail), o)
		if err != nil {
			if name != "parts" && name != "nested" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if len(r.Warnings) < 2 || len(r.Warnings) > o.Warnings+1 {
			t.Errorf("%s: %d warnings: %q", name, len(r.Warnings), r.Warnings)
		}
		within(t, r, o)
	}
}

// within holds a report to the limits.
func within(t *testing.T, r *Report, o Options) {
	t.Helper()
	o = o.withDefaults()
	if len(r.OriginalHeader) > 2*o.HeaderBytes || len(r.OriginalBody) > o.BodyBytes || len(r.UserAgent) > o.TextBytes || len(r.Extra) > o.Values ||
		len(r.OriginalRcptTo) > o.Values || len(r.ReportedDomains) > o.Values || len(r.SPF.DNS) > o.Values || len(r.Warnings) > o.Warnings+1 ||
		len(r.AuthenticationResults) > o.Values || len(r.IdentityAlignment) > o.Values {
		t.Errorf("beyond the limits %+v: %+v", o, r)
	}
}

func TestAReportCutOffAtAnyByteIsReadOrRefused(t *testing.T) {
	data, err := os.ReadFile("testdata/whole-message.eml")
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		r, err := Read(bytes.NewReader(data[:n]), Options{})
		if err != nil && !errors.Is(err, ErrNoReport) || err == nil && r.FeedbackType != "auth-failure" && r.FeedbackType != "" && !strings.HasPrefix("auth-failure", r.FeedbackType) {
			t.Fatalf("%d bytes: %+v, %v", n, r, err)
		}
	}
}
