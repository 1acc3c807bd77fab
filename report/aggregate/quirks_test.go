package aggregate

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// now is later than every report of the tests.
var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

const (
	metadataXML = `<report_metadata><org_name>Example</org_name><email>dmarc@example.net</email><report_id>17</report_id>` +
		`<date_range><begin>1795478400</begin><end>1795564799</end></date_range></report_metadata>`
	policyXML = `<policy_published><domain>example.com</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>none</sp><pct>100</pct></policy_published>`
	recordXML = `<record><row><source_ip>192.0.2.1</source_ip><count>3</count><policy_evaluated><disposition>none</disposition>` +
		`<dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>` +
		`<identifiers><header_from>example.com</header_from></identifiers>` +
		`<auth_results><dkim><domain>example.com</domain><selector>s1</selector><result>pass</result></dkim>` +
		`<spf><domain>example.com</domain><scope>mfrom</scope><result>fail</result></spf></auth_results></record>`
	reportXML = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<feedback><version>1.0</version>` + metadataXML + policyXML + recordXML + `</feedback>`
)

// plain is how reportXML is read.
func plain() *Report {
	return &Report{
		Feedback: Feedback{
			Version: "1.0", OrgName: "Example", Email: "dmarc@example.net", ReportID: "17",
			Begin: time.Unix(1795478400, 0).UTC(), End: time.Unix(1795564799, 0).UTC(),
			Policy: Policy{Domain: "example.com", P: "reject", SP: "none", ADKIM: "r", ASPF: "r", Pct: "100"},
		},
		Records: []Record{{
			SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 3, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: "example.com",
			Auth: Auth{
				DKIM: []AuthDKIM{{Domain: "example.com", Selector: "s1", Result: "pass"}},
				SPF:  []AuthSPF{{Domain: "example.com", Scope: "mfrom", Result: "fail"}},
			},
		}},
	}
}

// with is the report with one piece of it replaced.
func with(old, new string) string {
	if !strings.Contains(reportXML, old) {
		panic("the report does not hold " + old)
	}
	return strings.Replace(reportXML, old, new, 1)
}

func read(t *testing.T, doc string) *Report {
	t.Helper()
	report, err := Read(strings.NewReader(doc), Options{Now: now})
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return report
}

func told(warnings []Warning) []string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.String())
	}
	return all
}

// A quirk is a document that differs from reportXML, and how its reading differs from plain.
type quirk struct {
	name, doc string
	change    func(*Report)
	warnings  []string
}

func checkQuirks(t *testing.T, quirks []quirk) {
	t.Helper()
	for _, q := range quirks {
		report, err := Read(strings.NewReader(q.doc), Options{Now: now})
		if err != nil {
			t.Errorf("%s: %v\n%s", q.name, err, q.doc)
			continue
		}
		want := plain()
		if q.change != nil {
			q.change(want)
		}
		warnings := told(report.Warnings)
		report.Warnings = nil
		for i := range report.Records { // an empty list is as good as none
			rec := &report.Records[i]
			if len(rec.Auth.DKIM) == 0 {
				rec.Auth.DKIM = nil
			}
			if len(rec.Auth.SPF) == 0 {
				rec.Auth.SPF = nil
			}
		}
		if !reflect.DeepEqual(report, want) {
			t.Errorf("%s:\n%s\ngot  %+v\nwant %+v", q.name, q.doc, report, want)
		}
		if !slices.Equal(warnings, q.warnings) {
			t.Errorf("%s:\n%s\nwarnings %q\nwant     %q", q.name, q.doc, warnings, q.warnings)
		}
	}
}

func two(r *Report) { r.Records = append(r.Records, r.Records[0]) }

func namespace(ns string) func(*Report) { return func(r *Report) { r.Namespace = ns } }

func TestAReportByTheBookHasNoWarnings(t *testing.T) {
	checkQuirks(t, []quirk{{name: "RFC 7489", doc: reportXML}, {
		name:   "RFC 9990",
		doc:    strings.NewReplacer("<feedback>", `<feedback xmlns="`+Namespace9990+`">`, "<pct>100</pct>", "").Replace(reportXML),
		change: func(r *Report) { r.Namespace, r.Policy.Pct = Namespace9990, "" },
	}})
}

// Line 6 of the list of what really arrives.
func TestAnyNamespaceOrNoneIsRead(t *testing.T) {
	prefixed := strings.NewReplacer("<feedback>", `<ns1:feedback xmlns:ns1="`+Namespace7489+`">`, "</feedback>", "</ns1:feedback>")
	everything := strings.NewReplacer("<?", "<?", "</", "</x:", "<", "<x:")
	checkQuirks(t, []quirk{
		{"a schema before the feedback",
			with("<feedback>", `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://dmarc.org/dmarc-xml/0.1">`+
				`<xs:element name="feedback"/><xs:complexType name="x"><xs:all/></xs:complexType></xs:schema>`+"\n<feedback>"),
			nil, []string{"xs:schema before the feedback: passed over"}},
		{"a prefixed feedback with unprefixed children", prefixed.Replace(reportXML), namespace(Namespace7489), nil},
		{"prefixes everywhere",
			strings.Replace(everything.Replace(reportXML[strings.Index(reportXML, "<feedback"):]), "<x:feedback>", `<x:feedback xmlns:x="`+Namespace7489+`">`, 1),
			namespace(Namespace7489), nil},
		{"a prefix that is not declared", strings.NewReplacer("<count>", "<d:count>", "</count>", "</d:count>").Replace(reportXML), nil,
			[]string{"record 1: the prefix d is not declared: taken for the report's own"}},
		{"the namespace of RFC 9990 with version 1.0 and the elements of RFC 7489", with("<feedback>", `<feedback xmlns="`+Namespace9990+`">`),
			namespace(Namespace9990), nil},
		{"a namespace of nobody's", with("<feedback>", `<feedback xmlns="urn:example:reports">`), namespace("urn:example:reports"),
			[]string{`the namespace "urn:example:reports" is no standard's`}},
		{"a child that leaves the namespace", strings.NewReplacer("<feedback>", `<feedback xmlns="`+Namespace9990+`">`, "<row>", `<row xmlns="">`).Replace(reportXML),
			namespace(Namespace9990), nil},
		{"elements of RFC 9990 without its namespace", strings.NewReplacer("<pct>100</pct>", "<np>reject</np><testing>n</testing><discovery_method>treewalk</discovery_method>",
			"</date_range>", "</date_range><generator>made up 1.0</generator>").Replace(reportXML),
			func(r *Report) {
				r.Policy.Pct, r.Policy.NP, r.Policy.Testing, r.Policy.DiscoveryMethod = "", "reject", "n", "treewalk"
				r.Generator = "made up 1.0"
			},
			[]string{"generator: an element of RFC 9990, without its namespace", "policy_published/np: an element of RFC 9990, without its namespace",
				"policy_published/testing: an element of RFC 9990, without its namespace", "policy_published/discovery_method: an element of RFC 9990, without its namespace"}},
		{"an element of another namespace within a row", with("<count>", `<x:count xmlns:x="urn:example:x">9</x:count><count>`), nil,
			[]string{`record 1: row: an element of another namespace, "x:count", which does not belong there: left out`}},
	})
}

// Line 6 too.
func TestAnyEncodingIsRead(t *testing.T) {
	name := func(r *Report) { r.OrgName = "Pošta Žižkov €" }
	accented := func(encoding string) string {
		return strings.NewReplacer("<org_name>Example", "<org_name>Pošta Žižkov €", ` encoding="UTF-8"`, encoding).Replace(reportXML)
	}
	cp1252, err := charmap.Windows1252.NewEncoder().String(accented(` encoding='Windows-1252'`))
	if err != nil {
		t.Fatal(err)
	}
	utf16bytes := func(text string, first, second int) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(text)) {
			two := [2]byte{byte(u >> 8), byte(u)}
			b = append(b, two[first], two[second])
		}
		return string(b)
	}
	checkQuirks(t, []quirk{
		{"windows-1252, declared", cp1252, name, nil},
		{"UTF-8 with a byte order mark", "\ufeff" + accented(` encoding="utf-8"`), name, nil},
		{"UTF-16, big endian", utf16bytes("\ufeff"+accented(` encoding="utf-16"`), 0, 1), name, nil},
		{"UTF-16, little endian", utf16bytes("\ufeff"+accented(``), 1, 0), name, nil},
		{"UTF-16 without a mark", utf16bytes(accented(` encoding="utf-16"`), 1, 0), name, nil},
		{"declared UTF-16, but it is not", accented(` encoding="utf-16"`), name,
			[]string{`the encoding "utf-16" is not the document's, or not known: read as UTF-8`}},
		{"an encoding that nobody knows", accented(` encoding="x-made-up"`), name,
			[]string{`the encoding "x-made-up" is not the document's, or not known: read as UTF-8`}},
	})
}

// Line 7.
func TestBrokenXMLIsRead(t *testing.T) {
	org := func(name string) func(*Report) { return func(r *Report) { r.OrgName = name } }
	orgXML := func(text string) string { return with("<org_name>Example<", "<org_name>"+text+"<") }
	checkQuirks(t, []quirk{
		{"invalid UTF-8", orgXML("Soci\xe9t\xe9 Example"), org("Société Example"), []string{"org_name: not UTF-8: read as windows-1252"}},
		{"an address in angle brackets", with("<email>dmarc@example.net", "<email><dmarc@example.net>"), nil,
			[]string{`email: a bare "<": kept as text`, `email "<dmarc@example.net>": read without the brackets`}},
		{"a bare < before a space", orgXML("1 < 2"), org("1 < 2"), []string{`org_name: a bare "<": kept as text`}},
		{"a bare < before a name", orgXML("a <b c"), org("a <b c"), []string{`org_name: a bare "<": kept as text`}},
		{"a bare < before a number", orgXML("<3"), org("<3"), []string{`org_name: a bare "<": kept as text`}},
		{"markup in a text", orgXML("the <b>best</b><br/>"), org("the <b>best</b><br/>"), []string{
			`org_name: an element within text, "<b>": kept as text`, `org_name: an element within text, "</b>": kept as text`,
			`org_name: an element within text, "<br/>": kept as text`}},
		{"a bare &", orgXML("A&B & C"), org("A&B & C"), []string{`org_name: a bare "&": kept as text (2 times in all)`}},
		{"an entity that XML does not have", orgXML("A&nbsp;B &lt;C&gt; &#68;&#x45;"), org("A&nbsp;B <C> DE"), []string{`org_name: a bare "&": kept as text`}},
		{"CDATA and comments", orgXML("A <!-- no --><![CDATA[<B> & ]]>C"), org("A <B> & C"), nil},
		{"text between elements", with("</sp>", "</sp>11"), nil, []string{`policy_published: text between its elements, "11": left out`}},
		{"text after the end", reportXML + "\nEOF", nil, []string{"something after the end of the feedback: passed over"}},
		{"text before the beginning", "\n  x " + reportXML, nil, []string{`text before the feedback: passed over`}},
		{"a control character", orgXML("Exam\x01\x00ple"), nil, []string{"org_name: a character that XML cannot hold: left out"}},
		{"an end tag too many", with("</count>", "</count></counts>"), nil, []string{`record 1: an end of "counts", which has not begun: passed over`}},
		{"an end tag that is missing", with("</policy_evaluated>", ""), nil,
			[]string{"record 1: policy_evaluated does not end: taken to end where what it is in does, or the next begins"}},
		{"an end tag of a record that is missing", strings.Replace(reportXML, recordXML, strings.TrimSuffix(recordXML, "</record>")+recordXML, 1), two,
			[]string{"record 1: record does not end: taken to end where what it is in does, or the next begins"}},
		{"an unknown element that does not end", with("<report_metadata>", "<x:y><report_metadata>"), nil,
			[]string{"the prefix x is not declared: taken for the report's own", `feedback: an element that does not belong there, "x:y": left out`,
				"x:y does not end: taken to end where what it is in does, or the next begins"}},
		{"an element around the records", strings.NewReplacer("<record>", "<records><record>", "</record>", "</record></records>").Replace(reportXML), nil,
			[]string{`feedback: an element that does not belong there, "records": left out`, "records does not end: taken to end where what it is in does, or the next begins",
				`an end of "records", which has not begun: passed over`}},
		{"an end tag of a row that is missing", with("</row>", ""), nil,
			[]string{"record 1: row does not end: taken to end where what it is in does, or the next begins"}},
		{"an end tag of a value that is missing", with("</count>", ""), nil,
			[]string{"record 1: count does not end: taken to end where what it is in does, or the next begins"}},
		{"attributes and empty elements", strings.NewReplacer("<email>", `<email lang="en">`, "<row>", "<row a='1>2' >", "</date_range>", "</date_range><error/>").Replace(reportXML), nil, nil},
		{"line ends of Windows", strings.NewReplacer("><", ">\r\n\t<", "Example", "A\r\nB").Replace(reportXML), org("A\nB"), nil},
		{"names in capitals", with("<count>3</count>", "<Count>3</Count>"), nil, []string{`record 1: count is called "Count"`}},
		{"an element that no standard knows", with("<count>", "<colour><red>1</red>2</colour><count>"), nil,
			[]string{`record 1: row: an element that does not belong there, "colour": left out`}},
	})
}

// Line 8.
func TestReasonsAreReadAsFarAsTheySayAnything(t *testing.T) {
	reasonXML := func(reason string) string { return with("</policy_evaluated>", reason+"</policy_evaluated>") }
	reasons := func(all ...Reason) func(*Report) { return func(r *Report) { r.Records[0].Reasons = all } }
	checkQuirks(t, []quirk{
		{"two", reasonXML("<reason><type>other</type><comment>x</comment></reason><reason><type>local_policy</type></reason>"),
			reasons(Reason{"other", "x"}, Reason{"local_policy", ""}), nil},
		{"the type as text", reasonXML("<reason>sampled_out</reason>"), reasons(Reason{"sampled_out", ""}),
			[]string{`record 1: reason: text where an element belongs, "sampled_out": read as the type`}},
		{"a sentence as text", reasonXML("<reason>we &amp; they\nlike it</reason>"), reasons(Reason{"", "we & they\nlike it"}),
			[]string{`record 1: reason: text where an element belongs, "we & they\nlike it": read as the comment`, "record 1: no reason/type"}},
		{"empty", reasonXML("<reason/>"), nil, []string{"record 1: no type and no comment in a reason: left out"}},
		{"empty type and comment", reasonXML("<reason><type></type><comment/></reason>"), nil,
			[]string{"record 1: reason/type is empty", "record 1: no type and no comment in a reason: left out"}},
		{"a type that nobody knows", reasonXML("<reason><type>Because</type></reason>"), reasons(Reason{"Because", ""}),
			[]string{`record 1: reason/type "Because": no value that a standard knows: kept as it came`}},
	})
}

// Line 9.
func TestMetadataIsReadAsItComes(t *testing.T) {
	period := func(begin, end int64) func(*Report) {
		return func(r *Report) { r.Begin, r.End = time.Unix(begin, 0).UTC(), time.Unix(end, 0).UTC() }
	}
	dates := func(begin, end string) string {
		return with("<begin>1795478400</begin><end>1795564799</end>", "<begin>"+begin+"</begin><end>"+end+"</end>")
	}
	checkQuirks(t, []quirk{
		{"an empty org_name", with("<org_name>Example</org_name>", "<org_name></org_name>"), func(r *Report) { r.OrgName = "" }, []string{"no org_name"}},
		{"begin is end", dates("1795478400", "1795478400"), period(1795478400, 1795478400), []string{"date_range: begins when it ends"}},
		{"end before begin", dates("1795478400", "1795478300"), period(1795478400, 1795478300), []string{"date_range: ends before it begins"}},
		{"fractions", dates("1337270400.0", "1337356799.9"), period(1337270400, 1337356799),
			[]string{`date_range/begin "1337270400.0": a fraction: cut off`, `date_range/end "1337356799.9": a fraction: cut off`}},
		{"space", dates("1559520000", "1559606399 "), period(1559520000, 1559606399), []string{"date_range/end: space around the value: removed"}},
		{"weeks", dates("1793664000", "1795478399"), period(1793664000, 1795478399), []string{"date_range: covers 20 days"}},
		{"the future", dates("1795564800", "1795651199"), period(1795564800, 1795651199), []string{"date_range: ends in the future"}},
		{"a date", dates("2026-11-24T00:00:00Z", "2026-11-24 23:59:59"), period(1795478400, 1795564799),
			[]string{`date_range/begin "2026-11-24T00:00:00Z": not in seconds since 1970`, `date_range/end "2026-11-24 23:59:59": not in seconds since 1970`}},
		{"milliseconds", dates("1795478400000", "1795564799"), nil, []string{`date_range/begin "1795478400000": not in seconds since 1970`}},
		{"no times", dates("soon", ""), func(r *Report) { r.Begin, r.End = time.Time{}, time.Time{} },
			[]string{`date_range/begin "soon": no time: left out`, "date_range/end is empty", "no date_range/begin"}},
		{"version 0", with("<version>1.0", "<version>0"), func(r *Report) { r.Version = "0" }, []string{`version "0" is no standard's`}},
		{"version 0.1", with("<version>1.0", "<version>0.1"), func(r *Report) { r.Version = "0.1" }, []string{`version "0.1" is no standard's`}},
		{"no version", with("<version>1.0</version>", ""), func(r *Report) { r.Version = "" }, []string{"no version"}},
		{"errors", with("</date_range>", "</date_range><error>one</error><error>two</error>"), func(r *Report) { r.Errors = []string{"one", "two"} }, nil},
		{"metadata and policy after the records", with(metadataXML+policyXML+recordXML, recordXML+policyXML+metadataXML), nil, nil},
		{"metadata in two parts", strings.Replace(reportXML, "</report_metadata>", "</report_metadata><report_metadata><org_name>Second</org_name><extra_contact_info>x</extra_contact_info></report_metadata>", 1),
			func(r *Report) { r.ExtraContact = "x" }, []string{"report_metadata a second time: only what the first left open is taken"}},
		{"a value twice", with("<count>3</count>", "<count>3</count><count>4</count>"), nil, []string{"record 1: count a second time: left out"}},
	})
}

// Line 11.
func TestARecordNeedsASource(t *testing.T) {
	bad := func(ip string) string { return strings.Replace(recordXML, "<source_ip>192.0.2.1</source_ip>", ip, 1) }
	among := func(ip string) string { return with(recordXML, recordXML+bad(ip)+recordXML) }
	source := func(ip string) func(*Report) {
		return func(r *Report) { r.Records[0].SourceIP = netip.MustParseAddr(ip) }
	}
	checkQuirks(t, []quirk{
		{"none", among(""), two, []string{"record 2: no source_ip: left out"}},
		{"an empty one", among("<source_ip/>"), two, []string{"record 2: no source_ip: left out"}},
		{"a redacted one", among("<source_ip>X.X.X.X</source_ip>"), two, []string{`record 2: source_ip "X.X.X.X" is no address: left out`}},
		{"no row", with(recordXML, recordXML+"<record/>"), nil, []string{"record 2: no identifiers", "record 2: no auth_results", "record 2: no row: left out"}},
		{"no records at all", with(recordXML, ""), func(r *Report) { r.Records = nil }, []string{"no record"}},
		{"IPv4 in IPv6 form", with(recordXML, bad("<source_ip>::ffff:192.0.2.9</source_ip>")), source("192.0.2.9"),
			[]string{`record 1: source_ip "::ffff:192.0.2.9": read as the IPv4 address that it stands for`}},
		{"zeros in front", with(recordXML, bad("<source_ip>192.000.002.010</source_ip>")), source("192.0.2.10"),
			[]string{`record 1: source_ip "192.000.002.010": read as decimal numbers`}},
		{"in brackets", with(recordXML, bad("<source_ip>[2001:DB8::1]</source_ip>")), source("2001:db8::1"),
			[]string{`record 1: source_ip "[2001:DB8::1]": read without the brackets`}},
		{"IPv6", with(recordXML, bad("<source_ip>2001:0db8:0:0:0:0:0:1</source_ip>")), source("2001:db8::1"), nil},
	})
}

// Line 12.
func TestOnlyPassIsAPass(t *testing.T) {
	type words struct{ disposition, dkim, spf, auth string }
	for _, c := range []struct {
		in, out  words
		passes   bool
		warnings int
	}{
		{words{"None", "Pass", "FAIL", "Pass"}, words{"none", "pass", "fail", "pass"}, true, 4},
		{words{"none", "hardfail", "fail", "hardfail"}, words{"none", "hardfail", "fail", "hardfail"}, false, 2},
		{words{"none", "unknown", "Unknown", "unknown"}, words{"none", "unknown", "Unknown", "unknown"}, false, 3},
		{words{"softfail", "fail", "none", "softfail"}, words{"softfail", "fail", "none", "softfail"}, false, 3},
		{words{"", "", "", ""}, words{}, false, 4},
		{words{"pass", "fail", "fail", "pass"}, words{"pass", "fail", "fail", "pass"}, false, 0},
		{words{"none", "passed", "PASS!", "bestguesspass"}, words{"none", "passed", "PASS!", "bestguesspass"}, false, 3},
		{words{"none", "quarantine", "true", "1"}, words{"none", "quarantine", "true", "1"}, false, 3},
		{words{"none", " pass ", "fail", "pass"}, words{"none", "pass", "fail", "pass"}, true, 1},
		{words{"none", "p&#97;ss", "fail", "pass"}, words{"none", "pass", "fail", "pass"}, true, 0},
		{words{"none", "ⓟass", "fail", "paſſ"}, words{"none", "ⓟass", "fail", "paſſ"}, false, 2},
	} {
		doc := strings.NewReplacer("<disposition>none", "<disposition>"+c.in.disposition, "<dkim>pass", "<dkim>"+c.in.dkim,
			"<spf>fail", "<spf>"+c.in.spf, "<selector>s1</selector><result>pass", "<selector>s1</selector><result>"+c.in.auth).Replace(reportXML)
		report := read(t, doc)
		rec := report.Records[0]
		if got := (words{rec.Disposition, rec.DKIM, rec.SPF, rec.Auth.DKIM[0].Result}); got != c.out || rec.Passes() != c.passes || len(report.Warnings) != c.warnings {
			t.Errorf("%+v: got %+v, passes %v, %q\nwant %+v, %v, %d warnings", c.in, got, rec.Passes(), told(report.Warnings), c.out, c.passes, c.warnings)
		}
	}
}

// Line 13.
func TestRecordsAreReadWithWhatTheyHave(t *testing.T) {
	first := func(change func(*Record)) func(*Report) { return func(r *Report) { change(&r.Records[0]) } }
	checkQuirks(t, []quirk{
		{"no dkim in policy_evaluated", with("<dkim>pass</dkim>", ""), first(func(r *Record) { r.DKIM = "" }), []string{"record 1: no policy_evaluated/dkim"}},
		{"a domain that stands for none", with("<spf><domain>example.com", "<spf><domain>not.evaluated"), first(func(r *Record) { r.Auth.SPF[0].Domain = "not.evaluated" }),
			[]string{`record 1: auth_results/spf/domain "not.evaluated": stands for no domain: kept as it came`}},
		{"empty auth_results", reportXML[:strings.Index(reportXML, "<auth_results>")] + "<auth_results></auth_results></record></feedback>",
			first(func(r *Record) { r.Auth = Auth{} }), []string{"record 1: auth_results is empty"}},
		{"an empty dkim in auth_results", with("<auth_results>", "<auth_results><dkim/>"), nil, []string{"record 1: no domain and no result in auth_results/dkim: left out"}},
		{"helo without a domain", with("<spf><domain>example.com</domain><scope>mfrom", "<spf><scope>helo"),
			first(func(r *Record) { r.Auth.SPF[0].Domain, r.Auth.SPF[0].Scope = "", "helo" }), []string{"record 1: no auth_results/spf/domain"}},
		{"identities", strings.NewReplacer("identifiers>", "identities>").Replace(reportXML), nil, []string{`record 1: identifiers is called "identities"`}},
		{"several signatures", with("<auth_results>", "<auth_results><dkim><domain>A.Example.</domain><result>neutral</result><human_result>x</human_result></dkim>"),
			first(func(r *Record) {
				r.Auth.DKIM = slices.Insert(r.Auth.DKIM, 0, AuthDKIM{Domain: "a.example", Result: "neutral", HumanResult: "x"})
			}), nil},
		{"an empty sp", with("<sp>none</sp>", "<sp></sp>"), func(r *Report) { r.Policy.SP = "" }, []string{"policy_published/sp is empty"}},
		{"an address for a domain", with("</header_from>", "</header_from><envelope_from>Bob@Example.ORG</envelope_from>"), first(func(r *Record) { r.EnvelopeFrom = "example.org" }),
			[]string{"record 1: envelope_from: an address where a domain belongs: only its domain is kept"}},
		{"a domain in U-labels", with("<header_from>example.com", "<header_from>Bücher.example"), first(func(r *Record) { r.HeaderFrom = "xn--bcher-kva.example" }), nil},
		{"no domain name at all", with("<header_from>example.com", "<header_from>a b"), first(func(r *Record) { r.HeaderFrom = "a b" }), nil},
	})
}

// Line 14.
func TestCountsAreOfMessages(t *testing.T) {
	for in, want := range map[string]struct {
		count   int64
		warning string
	}{
		"<count>1</count>":                    {1, ""},
		"<count>+7</count>":                   {7, ""},
		"<count>0007</count>":                 {7, ""},
		"<count>1099511627776</count>":        {1 << 40, ""},
		"<count>0</count>":                    {0, "record 1: count is 0: counts nothing"},
		"<count>12.0</count>":                 {12, `record 1: count "12.0": a fraction: cut off`},
		"<count>-5</count>":                   {0, `record 1: count "-5": no number of messages: read as 0`},
		"<count>1099511627777</count>":        {0, `record 1: count "1099511627777": no number of messages: read as 0`},
		"<count>9223372036854775808</count>":  {0, `record 1: count "9223372036854775808": no number of messages: read as 0`},
		"<count>99999999999999999999</count>": {0, `record 1: count "99999999999999999999": no number of messages: read as 0`},
		"<count>0x10</count>":                 {0, `record 1: count "0x10": no number of messages: read as 0`},
		"<count>1e3</count>":                  {0, `record 1: count "1e3": no number of messages: read as 0`},
		"<count></count>":                     {0, "record 1: count is empty"},
		"":                                    {0, "record 1: no count"},
		"<count>\n 18 \n</count>":             {18, "record 1: count: space around the value: removed"},
	} {
		report := read(t, with("<count>3</count>", in))
		if got := strings.Join(told(report.Warnings), "; "); report.Records[0].Count != want.count || got != want.warning {
			t.Errorf("%q: %d, %q; want %d, %q", in, report.Records[0].Count, got, want.count, want.warning)
		}
	}
}

// Line 14 too: a hundred rows of count 1 are a hundred messages, and a report may have as many records as it likes.
func TestOnlyTheOptionsBoundTheNumberOfRecords(t *testing.T) {
	const n = 100
	doc := with(recordXML, strings.Repeat(strings.Replace(recordXML, "<count>3", "<count>1", 1), n))
	total := int64(0)
	for _, rec := range read(t, doc).Records {
		total += rec.Count
	}
	if total != n {
		t.Errorf("%d messages of %d", total, n)
	}
	report, err := Read(strings.NewReader(doc), Options{Now: now, MaxRecords: n})
	if err != nil || len(report.Records) != n {
		t.Errorf("with a bound that is kept: %d records, %v", len(report.Records), err)
	}
	report, err = Read(strings.NewReader(doc), Options{Now: now, MaxRecords: n - 1})
	if !errors.Is(err, ErrTooLarge) || len(report.Records) != n-1 {
		t.Errorf("with a bound that is not: %d records, %v", len(report.Records), err)
	}
}

func TestWarningsOfAKindAreOne(t *testing.T) {
	const n = 5000
	doc := with(recordXML, strings.Repeat(strings.Replace(recordXML, "<dkim>pass", "<dkim>hardfail", 1), n))
	got := told(read(t, doc).Warnings)
	want := []string{fmt.Sprintf(`record 1: policy_evaluated/dkim "hardfail": no value that a standard knows: kept as it came (%d times in all)`, n)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(recordXML, "<dkim>pass", fmt.Sprintf("<dkim>x%d", i), 1))
	}
	got = told(read(t, with(recordXML, b.String())).Warnings)
	if len(got) != 101 || got[100] != fmt.Sprintf("record 101: further kinds of warnings: not kept (%d times in all)", n-100) {
		t.Errorf("%d warnings, the last %q", len(got), got[len(got)-1])
	}
}

func TestReadingStopsAtTheErrorOfTheSource(t *testing.T) {
	broken := errors.New("wrong checksum")
	_, err := Read(io.MultiReader(strings.NewReader(reportXML), failingReader{broken}), Options{Now: now})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }
