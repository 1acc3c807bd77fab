package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-mail/gatepost/internal/raced"
	wrapping "github.com/gatepost-mail/gatepost/test/wrap"
)

const (
	letter   = "Content-Type: text/plain; charset=utf-8\r\n\r\nDear Sir or Madam,\r\nattached please find our report.\r\n"
	htmlPage = "Content-Type: text/html\r\n\r\n<html><body><p>A report.</p></body></html>\r\n"
)

// wrappings are what the command "wrapped" knows, by name.
var wrappings = map[string]func(name string, b []byte) []byte{
	"gzip":      func(name string, b []byte) []byte { return wrapping.Gzip(name, b) },
	"crlf":      func(_ string, b []byte) []byte { return append(b, "\r\n"...) },
	"garbage":   func(_ string, b []byte) []byte { return append(b, "\x1f\x8b\x00 and more"...) },
	"zip":       wrapping.Zip,
	"tar":       wrapping.Tar,
	"base64":    func(_ string, b []byte) []byte { return wrapping.Base64(b) },
	"oneline":   func(_ string, b []byte) []byte { return bytes.ReplaceAll(wrapping.Base64(b), []byte("\r\n"), nil) },
	"uuencode":  wrapping.UU,
	"tnef":      wrapping.TNEF,
	"msg":       wrapping.Outlook,
	"forwarded": func(_ string, b []byte) []byte { return wrapping.Multipart("mixed", letter, wrapping.Forwarded(b)) },
	"between": func(_ string, b []byte) []byte {
		return wrapping.Multipart("mixed", htmlPage, wrapping.Part("", b), letter)
	},
	"mbox": func(_ string, b []byte) []byte { return wrapping.Mbox(b, b) },
	"mail": func(_ string, b []byte) []byte { return wrapping.Mail("", b) },
	"lf":   func(_ string, b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) },
	"half": func(_ string, b []byte) []byte { return b[:len(b)/2] },
	"latin1": func(_ string, b []byte) []byte {
		var out []byte
		for _, r := range string(b) {
			out = append(out, byte(r))
		}
		return out
	},
}

// wrapped HOW,… IN OUT: a file gets wrapped as reports come, in this order. "part:FIELDS" makes a message with the content as its second
// part under these header fields, "whole:FIELDS" one that is nothing but the content; fields are parted by "|".
func wrapped(ts *testscript.TestScript, neg bool, args []string) {
	b := []byte(ts.ReadFile(args[1]))
	name := filepath.Base(args[1])
	for _, how := range strings.Split(args[0], ",") {
		how, fields, ok := strings.Cut(how, ":")
		fields = strings.ReplaceAll(fields, "|", "\r\n") + "\r\n"
		switch {
		case ok && how == "part":
			b = wrapping.Multipart("mixed", letter, wrapping.Part(fields, b))
		case ok && how == "whole":
			b = wrapping.Mail(fields, b)
		case ok && how == "subject":
			b = append([]byte("Subject: "+fields), b...)
		case wrappings[how] == nil:
			ts.Fatalf("no such wrapping: %s", how)
		default:
			b = wrappings[how](name, b)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b, 0o600))
}

func TestAggregateJSONHasTheMembersThatScriptsRelyOn(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "contract", "aggregate.json"))
	if err != nil {
		t.Fatal(err)
	}
	out, errs, status := run(t, "", "reports", "parse", "--json", filepath.Join("testdata", "contract", "aggregate.xml"))
	if status != StatusFine || errs != "" {
		t.Fatalf("exit status %d\n%s", status, errs)
	}
	got := shape(t, out)
	for member, kind := range shape(t, string(want)) {
		if got[member] != kind {
			t.Errorf("%s is %q, want %q", member, got[member], kind)
		}
	}
	var document struct {
		Begin, End string
		Records    []struct {
			SourceIP string `json:"source_ip"`
			Count    int
		}
		Policy struct {
			Pct     int
			Testing bool
		}
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || document.Begin != "2026-11-01T00:00:00Z" || document.End != "2026-11-01T23:59:59Z" ||
		len(document.Records) != 1 || document.Records[0].SourceIP != "192.0.2.1" || document.Records[0].Count != 12 || document.Policy.Pct != 100 {
		t.Errorf("%v: %+v", err, document)
	}
}

// A report of 200,000 records goes through a pipe in no more memory than any command may take, and most of that is Go's own.
func TestRecordsAreNotHeld(t *testing.T) {
	raced.Skip(t)
	const rows = 200_000
	path := filepath.Join(t.TempDir(), "r.xml.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	io.WriteString(z, "<feedback><report_metadata><org_name>a</org_name><report_id>1</report_id></report_metadata>\n"+
		"<policy_published><domain>example.com</domain><p>none</p></policy_published>\n")
	for i := range rows {
		fmt.Fprintf(z, "<record><row><source_ip>192.%d.%d.%d</source_ip><count>1</count><policy_evaluated><disposition>none</disposition><dkim>fail</dkim>"+
			"<spf>fail</spf></policy_evaluated></row><identifiers><header_from>example.com</header_from></identifiers><auth_results/></record>\n",
			i>>16&0xff, i>>8&0xff, i&0xff)
	}
	io.WriteString(z, "</feedback>\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	gatepost := program(t)
	for _, flag := range []string{"--json=true", "--json=false"} {
		cmd := exec.Command(gatepost, "reports", "parse", flag, path)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if flag == "--json=true" && bytes.Count(out, []byte(`"source_ip"`)) != rows {
			t.Errorf("%d records", bytes.Count(out, []byte(`"source_ip"`)))
		}
		if peak, most := peakMemory(cmd.ProcessState), max(maxMemory, ownPeak()); peak > most {
			t.Errorf("%s: it took %d MiB", flag, peak>>20)
		}
	}
}
