package cli

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A reading of the file by somebody who has nothing but its schema.
type parquetRow struct {
	Day       int32      `parquet:"day,date"`
	Domain    string     `parquet:"domain"`
	Begin     *time.Time `parquet:"begin,timestamp(microsecond)"`
	SourceIP  string     `parquet:"source_ip"`
	Messages  int64      `parquet:"messages"`
	Passed    bool       `parquet:"passed"`
	Reporter  string     `parquet:"reporter"`
	ReportID  string     `parquet:"report_id"`
	AuthDKIM  []authRow  `parquet:"auth_dkim,list"`
	Verified  bool       `parquet:"verified"`
	Envelope  string     `parquet:"envelope_from"`
	Conflicts bool       `parquet:"conflicting"`
}

type authRow struct {
	Domain   string `parquet:"domain"`
	Selector string `parquet:"selector"`
	Result   string `parquet:"result"`
}

const exportedXML = `<feedback><version>1.0</version><report_metadata><org_name>Org</org_name><email>a@org.example</email><report_id>r1</report_id>
<date_range><begin>1793491200</begin><end>1793577599</end></date_range></report_metadata>
<policy_published><domain>example.com</domain><p>reject</p></policy_published>
<record><row><source_ip>192.0.2.1</source_ip><count>12</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.com</header_from></identifiers><auth_results><dkim><domain>example.com</domain><selector>s1</selector><result>pass</result></dkim>
<dkim><domain>example.net</domain><selector>s2</selector><result>fail</result></dkim></auth_results></record>
<record><row><source_ip>2001:db8::1</source_ip><count>3</count><policy_evaluated><disposition>reject</disposition><dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.com</header_from></identifiers><auth_results><spf><domain>example.com</domain><result>softfail</result></spf></auth_results></record>
</feedback>`

func TestAParquetFileHasTimesNumbersAndLists(t *testing.T) {
	dir := t.TempDir()
	db, out := filepath.Join(dir, "g.db"), filepath.Join(dir, "out.parquet")
	if _, errs, status := run(t, exportedXML, "reports", "import", "--create", "--store", db, "-"); status != StatusFine {
		t.Fatal(errs)
	}
	if _, errs, status := run(t, "", "reports", "export", "--store", db, "--format", "parquet", "--output", out); status != StatusFine {
		t.Fatal(errs)
	}
	rows, err := parquet.ReadFile[parquetRow](out)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	want := []parquetRow{
		{Day: 20758, Domain: "example.com", Begin: &begin, SourceIP: "192.0.2.1", Messages: 12, Passed: true, Reporter: "Org", ReportID: "r1",
			AuthDKIM: []authRow{{"example.com", "s1", "pass"}, {"example.net", "s2", "fail"}}, Verified: true},
		{Day: 20758, Domain: "example.com", Begin: &begin, SourceIP: "2001:db8::1", Messages: 3, Reporter: "Org", ReportID: "r1",
			AuthDKIM: []authRow{}, Verified: true},
	}
	for i := range rows {
		if rows[i].Begin != nil {
			utc := rows[i].Begin.UTC()
			rows[i].Begin = &utc
		}
	}
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("got  %+v\nwant %+v", rows, want)
	}
}

// The schema is a contract: queries that others wrote go on working.
func TestTheSchemaOfParquetFilesStaysAsItIs(t *testing.T) {
	var text strings.Builder
	for _, s := range []*parquet.Schema{parquet.SchemaOf(exportedRecord{}), parquet.SchemaOf(exportedFailure{}), parquet.SchemaOf(exportedTLS{})} {
		text.WriteString(s.String() + "\n")
	}
	path := filepath.Join("testdata", "contract", "parquet.txt")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("got\n%s\nwant what %s holds\n%s", text.String(), path, want)
	}
}

func TestWhatAStrangerWroteIsNoFormula(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'=1", "\r=1": "'=1", " =1": "'=1", "＝1": "'＝1", "\x00=1": `\x00=1`,
		"a\tb": `a\x09b`, "\x1b[31m": `\x1b[31m`, "example.com": "example.com", "": "", "a=b": "a=b",
	} {
		if got := string(foreign(text)); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := string(own(-5)); got != "-5" {
		t.Errorf("a number of our own: %q", got)
	}
}

func TestAnExportThatIsCutLeavesTheOldFileAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := replaceFile(path, func(w io.Writer) error {
		io.WriteString(w, "half")
		return broken
	})
	text, _ := os.ReadFile(path)
	entries, _ := os.ReadDir(dir)
	if !errors.Is(err, broken) || string(text) != "old" || len(entries) != 1 {
		t.Errorf("%v: %q, %d files", err, text, len(entries))
	}
}

// What an older version could read stays, unless it is said otherwise.
func TestWhatThisVersionReadsLessOfStaysAsItWas(t *testing.T) {
	db := filepath.Join(t.TempDir(), "g.db")
	s, err := store.Open(t.Context(), db, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	raw := "what this version reads no report in"
	row := func(yield func(store.Row, error) bool) { yield(store.Row{Count: 7, HeaderFrom: "example.com"}, nil) }
	open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(raw)), nil }
	_, err = s.AddArrivals(t.Context(), []store.Arrival{{
		Raw: store.Raw{Hash: hashOf(raw), Size: int64(len(raw)), Name: "old", Open: open, At: time.Now()},
		Reports: []store.Report{{Kind: store.Aggregate, Reporter: "Org", ReportID: "1", Domain: "example.com", Document: []byte(`{"kind":"aggregate"}`),
			Begin: time.Now().Add(-time.Hour), End: time.Now(), Rows: row}},
	}})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status Status
		says   string
		left   int
	}{
		{[]string{"--all"}, StatusFails, "stays as it is", 1},
		{[]string{"--all", "--force"}, StatusFine, "1 report removed", 0},
	} {
		out, errs, status := run(t, "", append([]string{"reports", "reparse", "--store", db}, c.args...)...)
		if status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("%v: exit status %d\n%s%s", c.args, status, out, errs)
		}
		list, _, _ := run(t, "", "reports", "list", "--store", db, "--json")
		if n := strings.Count(list, "\n"); n != c.left {
			t.Errorf("%v: %d are left, want %d", c.args, n, c.left)
		}
	}
}

func hashOf(text string) store.Hash { return sha256.Sum256([]byte(text)) }
