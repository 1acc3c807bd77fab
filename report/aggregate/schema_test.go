package aggregate

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fullFeedback and fullRecords say everything that a report can say.
func fullFeedback() Feedback {
	return Feedback{
		OrgName: `Example & "Söhne" <x>`, Email: "dmarc@example.net", ExtraContact: "https://example.net/?a=1&b=2", ReportID: "2026-11-24_example.com@example.net",
		Begin: time.Unix(1795478400, 0).UTC(), End: time.Unix(1795564799, 0).UTC(), Errors: []string{"rua is no URI"}, Generator: "Gatepost 1.0",
		Policy:     Policy{Domain: "example.com", P: "reject", SP: "quarantine", NP: "reject", ADKIM: "s", ASPF: "r", FO: "1:d", Testing: "n", DiscoveryMethod: "treewalk"},
		Extensions: []Extension{{Namespace: "urn:example:ext", Name: "arc-override", XML: `<e:arc-override xmlns:e="urn:example:ext">never</e:arc-override>`}},
	}
}

func fullRecords() []Record {
	return []Record{
		{SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 1 << 40, Disposition: "pass", DKIM: "pass", SPF: "fail", HeaderFrom: "example.com",
			EnvelopeFrom: "bounces.example.com", EnvelopeTo: "example.net", Auth: Auth{
				DKIM: []AuthDKIM{{"example.com", "s1", "pass", "2048 bits"}, {"esp.example.org", "", "permerror", ""}},
				SPF:  []AuthSPF{{"bounces.example.com", "mfrom", "softfail", "~all"}}},
			Extensions: []Extension{{Namespace: "urn:example:ext", Name: "a", XML: `<a xmlns="urn:example:ext"><b c="&lt;d&quot;">e &amp; f</b></a>`}}},
		{SourceIP: netip.MustParseAddr("2001:db8::1"), Count: 1, Disposition: "quarantine", DKIM: "fail", SPF: "fail", HeaderFrom: "news.example.com",
			Reasons: []Reason{{"policy_test_mode", ""}, {"other", "a\nb ]]> \r c"}, {"trusted_forwarder", "x"}, {"mailing_list", ""}, {"local_policy", "y"}},
			Auth:    Auth{SPF: []AuthSPF{{"mx.example.org", "", "temperror", ""}}}},
		{SourceIP: netip.MustParseAddr("192.0.2.3"), Count: 2, Disposition: "reject", DKIM: "fail", SPF: "fail", HeaderFrom: "example.com",
			Auth: Auth{DKIM: []AuthDKIM{{"example.com", "s1", "none", ""}, {"example.com", "s1", "fail", ""}, {"example.com", "s1", "policy", ""},
				{"example.com", "s1", "neutral", ""}, {"example.com", "s1", "temperror", ""}}, SPF: []AuthSPF{{"example.com", "helo", "none", ""}}}},
	}
}

func write(t testing.TB, s Standard, f Feedback, records []Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, f, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// validate asks xmllint whether a document is as a schema has it.
func validate(t *testing.T, schema string, doc []byte) {
	t.Helper()
	cmd := exec.Command("xmllint", "--nonet", "--noout", "--schema", schema, "-")
	cmd.Stdin = bytes.NewReader(doc)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("xmllint (of libxml2-utils): %v\n%s\n%s", err, out, doc)
	}
}

func TestWhatIsWrittenByRFC9990IsValid(t *testing.T) {
	const schema = "testdata/rfc9990.xsd"
	validate(t, schema, write(t, RFC9990, fullFeedback(), fullRecords()))
	small := fullRecords()[1:2]
	small[0].Auth, small[0].Reasons = Auth{}, nil
	validate(t, schema, write(t, RFC9990, Feedback{OrgName: "x", Email: "x", ReportID: "x", Begin: time.Unix(1, 0), End: time.Unix(1, 0),
		Policy: Policy{Domain: "example.com", P: "none"}}, small))
}

// mended is RFC 7489's schema so that a validator takes it. As published it refers to its types by names without a namespace while they
// are in the target namespace, which no reporter's elements are in either; and the pattern of addresses is broken over lines, whose
// breaks become part of it.
func mended(t *testing.T) string {
	t.Helper()
	published, err := os.ReadFile("testdata/rfc7489.xsd")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(published), ` targetNamespace="http://dmarc.org/dmarc-xml/0.1"`, "", 1)
	pattern := regexp.MustCompile(`(?s)<xs:pattern value="[^"]*"/>`)
	if text == string(published) || !pattern.MatchString(text) {
		t.Fatal("testdata/rfc7489.xsd is not as it was published")
	}
	text = pattern.ReplaceAllStringFunc(text, func(s string) string {
		value := strings.TrimSuffix(strings.TrimPrefix(s, `<xs:pattern value="`), `"/>`)
		return `<xs:pattern value="` + strings.Join(strings.Fields(value), "") + `"/>`
	})
	path := filepath.Join(t.TempDir(), "rfc7489.xsd")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatIsWrittenByRFC7489IsValid(t *testing.T) {
	schema := mended(t)
	validate(t, schema, write(t, RFC7489, fullFeedback(), fullRecords()))
	f := fullFeedback()
	f.Errors = []string{"one", "two"}
	f.Policy = Policy{Domain: "example.com", P: "none"}
	validate(t, schema, write(t, RFC7489, f, fullRecords()[1:]))
}
