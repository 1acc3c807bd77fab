package tlsrpt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gatepost-mail/gatepost/internal/golden"
)

func readFile(t testing.TB, name string) *Report {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Read(bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func inputs(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(filepath.Base(files[i]), ".json")
	}
	return files
}

func TestReportersShapesReadAsTheirGoldenFiles(t *testing.T) {
	for _, name := range inputs(t) {
		got, err := json.MarshalIndent(readFile(t, name).Document(), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want := filepath.Join("testdata", name+".golden")
		golden.Check(t, want, string(got)+"\n")
	}
}

func without(r *Report) *Report {
	c := *r
	c.Warnings = nil
	return &c
}

func TestEachLibertyIsTakenAndWarnedAbout(t *testing.T) {
	standard := without(readFile(t, "standard"))
	for name, c := range map[string]struct {
		same  func(*Report) // makes the report the standard one, but for what cannot be known
		warns []string
	}{
		"standard":                {nil, nil},
		"contact-null":            {func(r *Report) { r.ContactInfo = standard.ContactInfo }, []string{"no contact-info"}},
		"no-mta-address":          {func(r *Report) { addresses(r, standard) }, nil},
		"no-policy-domain":        {func(r *Report) { r.Policies[0].Domain = "example.com" }, []string{"policy 1: no policy-domain"}},
		"json-in-policy-string":   {policyString(`{"version": "STSv1", "mode": "testing"}`, standard), []string{"holds JSON"}},
		"object-in-policy-string": {policyString(`{"version": "STSv1", "mx": ["a", "b}"]}`, standard), []string{"is no list", "holds JSON"}},
		"mx-host-string": {func(r *Report) {
			if slices.Equal(r.Policies[0].MXHosts, []string{"mx.example.com"}) {
				r.Policies[0].MXHosts = standard.Policies[0].MXHosts
			}
		}, []string{"mx-host is no list"}},
		"totals-differ": {func(r *Report) {
			if r.Policies[0].Failed == 9 {
				r.Policies[0].Failed = 303
			}
		}, []string{"9 sessions failed, and the details add up to 303"}},
		"other-names": {nil, []string{`"mx-host-pattern" is taken for mx-host`, `"additional-info-uri" is taken for additional-information`,
			`"receiving-mx-host-name" is taken for receiving-mx-hostname`, `"receiving_mx_helo" is taken for receiving-mx-helo`}},
		"dangling":      {nil, []string{"bytes after the report"}},
		"nan-and-twice": {func(r *Report) { r.Policies[0].Successful = 5326 }, []string{`"NaN": taken for 0`, "report-id is there twice", "contact-info is there twice"}},
	} {
		r := readFile(t, name)
		for _, want := range c.warns {
			if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
				t.Errorf("%s: no warning %q in %q", name, want, r.Warnings)
			}
		}
		if len(c.warns) == 0 && len(r.Warnings) > 0 {
			t.Errorf("%s: %q", name, r.Warnings)
		}
		if c.same != nil {
			c.same(r)
		}
		if !reflect.DeepEqual(without(r), standard) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, r, standard)
		}
	}
}

func addresses(r, standard *Report) {
	for i := range r.Policies[0].Failures {
		if r.Policies[0].Failures[i].SendingMTAIP.IsValid() {
			return
		}
		r.Policies[0].Failures[i].SendingMTAIP = standard.Policies[0].Failures[i].SendingMTAIP
	}
}

func policyString(want string, standard *Report) func(*Report) {
	return func(r *Report) {
		if slices.Equal(r.Policies[0].Strings, []string{want}) {
			r.Policies[0].Strings = standard.Policies[0].Strings
		}
	}
}

func TestUnknownWordsAreKeptAsTheyCame(t *testing.T) {
	p := readFile(t, "unknown-words").Policies[0]
	if p.Type != "Pigeon" || p.Failures[0].ResultType != "eaten-by-cat" || p.Failures[1].ResultType != "starttls-not-supported" {
		t.Errorf("%+v", p)
	}
}

func TestCountsInEveryForm(t *testing.T) {
	for text, want := range map[string]int64{
		`7`: 7, `"7"`: 7, `" 7 "`: 7, `7.0`: 7, `7.9`: 7, `7e2`: 700, `-7`: 0, `"-7"`: 0, `NaN`: 0, `Infinity`: 0, `-Infinity`: 0, `null`: 0, `true`: 0, `""`: 0,
		`[7]`: 0, `{"a":7}`: 0, `9223372036854775807`: 9223372036854775807, `9223372036854775808`: 0, `1e400`: 0, `"7 sessions"`: 0,
	} {
		r, err := Read(strings.NewReader(`{"policies":[{"summary":{"total-successful-session-count":`+text+`}}]}`), Options{})
		if err != nil || r.Policies[0].Successful != want {
			t.Errorf("%s: %+v, %v, want %d", text, r, err, want)
		}
	}
}

func TestDatesInEveryForm(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-01T00:00:00Z": "2026-11-01T00:00:00Z", "2026-11-01T02:00:00.5+02:00": "2026-11-01T00:00:00.5Z", "2026-11-01t00:00:00z": "2026-11-01T00:00:00Z",
		"2026-11-01T00:00:00": "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.25": "2026-11-01T00:00:00.25Z", "2026-11-01 00:00:00": "2026-11-01T00:00:00Z",
		"2026-11-01": "2026-11-01T00:00:00Z", "1793491200": "2026-11-01T00:00:00Z", "2026-11-01T24:00:00Z": "2026-11-02T00:00:00Z",
		"yesterday": "0001-01-01T00:00:00Z", "": "0001-01-01T00:00:00Z", "-1": "0001-01-01T00:00:00Z",
	} {
		r, err := Read(strings.NewReader(`{"date-range":{"start-datetime":"`+text+`"}}`), Options{})
		if err != nil || r.Begin.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, %v, want %s", text, r, err, want)
		}
	}
}

func TestStringsWithBrokenEscapes(t *testing.T) {
	for text, want := range map[string]string{
		`a\u00e9\n`: "aé", `\ud83d\ude00`: "😀", `\ud83d`: "\ufffd", `\ud83dx`: "\ufffdx", `\ude00`: "\ufffd", `\x`: `\x`, `\u12`: "\ufffd", `a` + "\xff\x00" + `b`: "a\ufffd\ufffdb",
		`\"\\\/`: `"\/`, "tab\there": "tab\ufffdhere",
	} {
		r, err := Read(strings.NewReader(`{"report-id":"`+text+`"}`), Options{})
		if err != nil || r.ReportID != want && text != `\u12` {
			t.Errorf("%q: %q, %v, want %q", text, r.ReportID, err, want)
		}
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	for _, text := range []string{"", " ", "hello", "[]", "[1]", "{}", `{"a":1}`, "null", `"policies"`, "<feedback/>", "\x1f\x8b\x08"} {
		if r, err := Read(strings.NewReader(text), Options{}); !errors.Is(err, ErrNoReport) {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
	var broken *SyntaxError
	for _, text := range []string{`{"policies":[`, `{"report-id":"a`, `{"report-id" 1}`, `{"report-id":"a" "b":1}`, `{a:1}`, `{"x":}`, `{"x":]}`, `{"x":[}]}`} {
		if r, err := Read(strings.NewReader(text), Options{}); !errors.As(err, &broken) {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
	away := errors.New("away")
	if _, err := Read(iotest.ErrReader(away), Options{}); !errors.Is(err, away) {
		t.Errorf("%v", err)
	}
}

func TestAReportCutOffAtAnyByteIsRefused(t *testing.T) {
	data, _ := os.ReadFile("testdata/standard.json")
	for n := range len(data) {
		if r, err := Read(bytes.NewReader(data[:n]), Options{}); err == nil {
			t.Fatalf("%d bytes: %+v", n, r)
		}
	}
}

func TestNoSizeGoesBeyondTheLimits(t *testing.T) {
	o := Options{Bytes: 1 << 20, TextBytes: 100, Values: 5, Policies: 3, Failures: 7, Warnings: 4, Depth: 8}
	many := func(s string) string { return strings.Repeat(s+",", 5000) }
	for name, c := range map[string]struct{ text, err string }{
		"policies": {`{"policies":[` + many(`{"policy":{"policy-domain":"a.example"}}`) + `]}`, ""},
		"failures": {`{"policies":[{"failure-details":[` + many(`{"failed-session-count":1}`) + `]}]}`, ""},
		"values":   {`{"policies":[{"policy":{"policy-string":[` + many(`"a"`) + `],"mx-host":[` + many(`"b"`) + `]}}]}`, ""},
		"text":     {`{"report-id":"` + strings.Repeat("ü", 5000) + `"}`, ""},
		"members":  {`{"report-id":"a",` + many(`"x":1`) + `}`, ""},
		"raw":      {`{"policies":[{"policy":{"policy-string":[{"a":"` + strings.Repeat("x", 5000) + `"}]}}]}`, ""},
		"depth":    {`{"report-id":"a","x":` + strings.Repeat("[", 100000) + `}`, "too deep"},
		"depth 2":  {`{"policies":` + strings.Repeat("[", 100000) + `}`, "too deep"},
		"depth 3":  {`{"policies":[{"policy":{"policy-string":` + strings.Repeat("[", 100000) + `}}]}`, "too deep"},
		"depth 4":  {`{"policies":[` + strings.Repeat(`{"policy":`, 10000) + `}}]}`, ""},
		"bytes":    {`{"report-id":"a",` + strings.Repeat(" ", 2<<20) + `}`, "more than 1048576 bytes"},
		"word":     {`{"report-id":` + strings.Repeat("x", 5000) + `}`, "too long"},
	} {
		r, err := Read(strings.NewReader(c.text), o)
		if err != nil {
			if c.err == "" && name != "depth 4" || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if c.err != "" {
			t.Errorf("%s: no error", name)
		}
		within(t, r, o)
		if name == "failures" && (len(r.Policies[0].Failures) != 7 || r.Warnings == nil) {
			t.Errorf("%d failures", len(r.Policies[0].Failures))
		}
	}
}

// Bounds of each thing are not enough where there may be many of each.
func TestAllThatIsKeptOfAReportIsBounded(t *testing.T) {
	texts := strings.Repeat(`"`+strings.Repeat("x", 4000)+`",`, 90)
	policy := `{"policy":{"policy-type":"sts","policy-domain":"a.example","policy-string":[` + texts + `],"mx-host":[` + texts + `]},` +
		`"failure-details":[{"result-type":"certificate-expired","failed-session-count":1,"additional-information":"` + strings.Repeat("x", 4000) + `"}]},`
	r, err := Read(strings.NewReader(`{"policies":[`+strings.Repeat(policy, 8)+`]}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, p := range r.Policies {
		kept += len(strings.Join(p.Strings, "")) + len(strings.Join(p.MXHosts, "")) + len(p.Failures[0].AdditionalInformation)
		if p.Domain != "a.example" || p.Type != "sts" || p.Failures[0].ResultType != "certificate-expired" || p.Failures[0].Sessions != 1 {
			t.Fatalf("what counts was left out: %+v", p)
		}
	}
	if warned := fmt.Sprint(r.Warnings); kept > 2<<20 || kept < 1<<20 || !strings.Contains(warned, "more than 2097152 bytes of text") {
		t.Errorf("%d bytes are kept; %s", kept, warned)
	}
}

func within(t *testing.T, r *Report, o Options) {
	t.Helper()
	o = o.withDefaults()
	failures := 0
	for _, p := range r.Policies {
		failures += len(p.Failures)
		if len(p.Strings) > o.Values || len(p.MXHosts) > o.Values || len(p.Domain) > max(o.TextBytes, 253) {
			t.Errorf("beyond the limits: %+v", p)
		}
	}
	if len(r.Policies) > o.Policies+1 || failures > o.Failures || len(r.Warnings) > o.Warnings+1 || len(r.ReportID) > o.TextBytes {
		t.Errorf("beyond the limits: %d policies, %d failures, %d warnings", len(r.Policies), failures, len(r.Warnings))
	}
}
