package failure

import (
	"bytes"
	"encoding/json"
	"net/mail"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var toOwner = Mail{To: "ruf@example.com"}

func write(t testing.TB, r *Report, m Mail) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenReadsBackEqual(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.eml")
	written := 0
	for _, file := range files {
		r := readFile(t, strings.TrimSuffix(filepath.Base(file), ".eml"))
		if r.Check(toOwner) != nil {
			continue
		}
		written++
		back, err := Read(bytes.NewReader(write(t, r, toOwner)), Options{})
		if err != nil || !reflect.DeepEqual(without(back), without(r)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\n%v", file, back, r, err)
		}
		if err == nil && len(r.Warnings) == 0 && len(back.Warnings) > 0 {
			t.Errorf("%s: %q", file, back.Warnings)
		}
	}
	if written < 8 {
		t.Errorf("only %d could be written", written)
	}
}

func TestAMessageThatMailDoesNotCarryIsEncodedAndReadsBackEqual(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for name, change := range map[string]func(*Report){
		"long line in the header": func(r *Report) { r.OriginalHeader += "X-Long: " + long + "\r\n" },
		"8-bit header":            func(r *Report) { r.OriginalHeader += "X-Eight: \xe9\xff=\r\n" },
		"CR in the header":        func(r *Report) { r.OriginalHeader += "X-CR: a\rb \r\n" },
		"long line in the body":   func(r *Report) { r.OriginalBody = []byte(long) },
		"NUL in the body":         func(r *Report) { r.OriginalBody = []byte("a\x00b\r\n") },
		"8-bit body":              func(r *Report) { r.OriginalBody = []byte("\xe9\r\n--b1\r\n.\r\n") },
		"empty lines":             func(r *Report) { r.OriginalBody = []byte("\r\n\r\n\r\n") },
	} {
		r := readFile(t, "whole-message")
		if strings.Contains(name, "header") {
			r.OriginalBody = nil
		}
		change(r)
		mail := write(t, r, toOwner)
		for line := range bytes.SplitSeq(mail, []byte("\r\n")) {
			if len(line) > 998 || bytes.ContainsAny(line, "\x00\r\n") {
				t.Errorf("%s: the mail has the line %.80q", name, line)
			}
		}
		back, err := Read(bytes.NewReader(mail), Options{})
		if err != nil || !reflect.DeepEqual(without(back), without(r)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\n%v", name, back, r, err)
		}
	}
}

func TestWhatTheStandardsRequireIsRequired(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Report)
		says   string
	}{
		"Identity-Alignment": {func(r *Report) { r.IdentityAlignment = nil }, "no Identity-Alignment"},
		"alignment twice":    {func(r *Report) { r.IdentityAlignment = []string{"spf", "spf"} }, "Identity-Alignment"},
		"alignment and none": {func(r *Report) { r.IdentityAlignment = []string{"none", "spf"} }, "Identity-Alignment"},
		"DKIM-Domain":        {func(r *Report) { r.DKIM.Domain = "" }, "DKIM-Domain, -Identity and -Selector"},
		"DKIM-Identity":      {func(r *Report) { r.DKIM.Identity = "" }, "DKIM-Domain, -Identity and -Selector"},
		"DKIM-Selector":      {func(r *Report) { r.DKIM.Selector = "" }, "DKIM-Domain, -Identity and -Selector"},
		"SPF-DNS":            {func(r *Report) { r.SPF.DNS = nil }, "SPF-DNS"},
		"Auth-Failure":       {func(r *Report) { r.AuthFailure = "" }, "Auth-Failure"},
		"results":            {func(r *Report) { r.AuthenticationResults = nil }, "Authentication-Results"},
		"Delivery-Result":    {func(r *Report) { r.DeliveryResult = "bounced" }, "Delivery-Result"},
		"Reported-Domain":    {func(r *Report) { r.ReportedDomains = nil }, "reported domains"},
		"header":             {func(r *Report) { r.OriginalHeader = "" }, "original header"},
		"no header":          {func(r *Report) { r.OriginalHeader = "a\r\n\r\nb" }, "original header"},
		"Feedback-Type":      {func(r *Report) { r.FeedbackType = "" }, "Feedback-Type"},
		"User-Agent":         {func(r *Report) { r.UserAgent = "" }, "User-Agent"},
		"reporter":           {func(r *Report) { r.ReporterEmail = "a@example.com\r\nBcc: b@example.com" }, "reporter's address"},
		"id":                 {func(r *Report) { r.ReportID = "a@b>\r\nX: y" }, "report's id"},
		"extra":              {func(r *Report) { r.Extra = []Field{{"X: y\r\nZ", "z"}} }, "name of a field"},
		"date":               {func(r *Report) { r.Date = time.Time{} }, "no date"},
	} {
		r := readFile(t, "plain")
		c.change(r)
		var b bytes.Buffer
		if err := r.Write(&b, toOwner); err == nil || !strings.Contains(err.Error(), c.says) || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written", name, err, b.Len())
		}
	}
	r := readFile(t, "plain")
	r.DKIM, r.SPF = DKIM{}, SPF{}
	if err := r.Check(Mail{To: "ruf@example.com", NoAlignedSignature: true, NoAlignedSPF: true}); err != nil {
		t.Errorf("a message without signature and SPF record: %v", err)
	}
	if err := r.Check(Mail{To: "ruf@example.com\r\nBcc: x@example.com"}); err == nil {
		t.Error("an address with a line end was taken")
	}
}

func TestNoValueEndsItsLine(t *testing.T) {
	const evil = "x\r\nEvil: yes\r\n\r\n--=_\nEvil: yes\rEvil: yes"
	r := readFile(t, "plain")
	r.Reporter, r.UserAgent, r.Version, r.ReportingMTA, r.OriginalEnvelopeID, r.OriginalMailFrom = evil, evil, evil, evil, evil, evil
	r.OriginalRcptTo, r.ReportedURIs, r.AuthenticationResults = []string{evil}, []string{evil}, []string{evil}
	r.DKIM.Identity, r.DKIM.Selector, r.DKIM.SelectorDNS, r.DKIM.ADSPDNS = evil, evil, evil, evil
	r.SPF.DNS = []SPFRecord{{"txt", "example.com", evil}, {"", "", evil}, {evil, evil, evil}}
	r.Extra = []Field{{"X-Extra", evil}}
	r.Subject = evil
	for line := range strings.SplitSeq(string(write(t, r, toOwner)), "\r\n") {
		if strings.HasPrefix(line, "Evil") || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%q", line)
		}
	}
}

// python reads a mail as Python's email package does, as a peer that is not ours.
const python = `
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
p = list(m.iter_parts())
f = p[1].get_payload()[0] if p[1].is_multipart() else email.message_from_string(p[1].get_content())
print(json.dumps({
  "type": m.get_content_type(), "report": m.get_param("report-type"), "from": m["From"].addresses[0].addr_spec,
  "name": m["From"].addresses[0].display_name, "subject": str(m["Subject"]), "date": m["Date"].datetime.isoformat(),
  "parts": [x.get_content_type() for x in p], "text": p[0].get_content(),
  "fields": {k: " ".join(str(v).split()) for k, v in f.items()},
  "defects": [str(d) for x in m.walk() for d in x.defects], "original": p[2].as_string(),
}))`

func TestPythonReadsWhatIsWritten(t *testing.T) {
	for _, name := range []string{"plain", "whole-message"} {
		r := readFile(t, name)
		r.Reporter = "Empfänger, Inc."
		cmd := exec.Command("python3", "-c", python)
		cmd.Stdin = bytes.NewReader(write(t, r, toOwner))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Type, Report, From, Name, Subject, Date, Text, Original string
			Parts, Defects                                          []string
			Fields                                                  map[string]string
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		third := map[string]string{"plain": "text/rfc822-headers", "whole-message": "message/rfc822"}[name]
		if got.Type != "multipart/report" || got.Report != "feedback-report" || got.From != "dmarc@receiver.example" || got.Name != r.Reporter ||
			got.Subject != "FW: Grüße aus Basel" || got.Date != "2026-11-02T08:15:02+00:00" || len(got.Defects) > 0 ||
			!reflect.DeepEqual(got.Parts, []string{"text/plain", "message/feedback-report", third}) ||
			!strings.Contains(got.Text, "received from IP 192.0.2.7 on Mon, 02 Nov 2026 08:15:00 +0000.") ||
			!strings.Contains(got.Original, "Message-ID: <1f2e.private@example.com>") {
			t.Errorf("%s: %s", name, out)
		}
		for field, want := range map[string]string{
			"Feedback-Type": "auth-failure", "Auth-Failure": "dmarc", "Identity-Alignment": "dkim, spf", "DKIM-Domain": "example.com",
			"DKIM-Identity": "@example.com", "DKIM-Selector": "s1", "SPF-DNS": `txt : example.com : "v=spf1 -all"`, "Source-IP": "192.0.2.7",
			"Reported-Domain": "example.com", "Original-Mail-From": "<bounce+17@news.example.net>", "Version": "1",
		} {
			if got.Fields[field] != want {
				t.Errorf("%s: %s is %q, want %q", name, field, got.Fields[field], want)
			}
		}
	}
}

func TestTheStandardLibraryReadsTheHeader(t *testing.T) {
	m, err := mail.ReadMessage(bytes.NewReader(write(t, readFile(t, "plain"), toOwner)))
	if err != nil || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("To") != "<ruf@example.com>" {
		t.Errorf("%v, %v", m, err)
	}
}
