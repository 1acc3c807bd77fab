package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/netip"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// rule is what RFC 8460 4.4 says of a member.
type rule struct {
	required bool
	check    func(v any) error
}

func object4(members map[string]rule) func(any) error {
	return func(v any) error {
		o, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%v is no object", v)
		}
		for name, value := range o {
			m, ok := members[name]
			if !ok {
				return fmt.Errorf("a member %q, which the RFC has not", name)
			}
			if err := m.check(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		for name, m := range members {
			if _, ok := o[name]; m.required && !ok {
				return fmt.Errorf("no %s", name)
			}
		}
		return nil
	}
}

func list4(item func(any) error) func(any) error {
	return func(v any) error {
		l, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%v is no list", v)
		}
		for _, v := range l {
			if err := item(v); err != nil {
				return err
			}
		}
		return nil
	}
}

func text4(ok func(string) bool) func(any) error {
	return func(v any) error {
		if s, isText := v.(string); !isText || !ok(s) {
			return fmt.Errorf("%v does not do", v)
		}
		return nil
	}
}

func count4(v any) error {
	n, ok := v.(json.Number)
	if !ok || !regexp.MustCompile(`^[0-9]+$`).MatchString(n.String()) {
		return fmt.Errorf("%v is no count", v)
	}
	return nil
}

var (
	anyText  = text4(func(s string) bool { return s != "" })
	date4    = text4(func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil })
	ip4      = text4(func(s string) bool { _, err := netip.ParseAddr(s); return err == nil })
	domain4  = text4(regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)*$`).MatchString)
	address4 = text4(func(s string) bool { a, err := mail.ParseAddress(s); return err == nil && a.Address == s })
	one      = func(of []string) func(any) error { return text4(func(s string) bool { return slices.Contains(of, s) }) }
	schema   = object4(map[string]rule{
		"organization-name": {true, anyText}, "contact-info": {true, address4}, "report-id": {true, anyText},
		"date-range": {true, object4(map[string]rule{"start-datetime": {true, date4}, "end-datetime": {true, date4}})},
		"policies": {true, list4(object4(map[string]rule{
			"policy": {true, object4(map[string]rule{"policy-type": {true, one([]string{"tlsa", "sts", "no-policy-found"})},
				"policy-string": {false, list4(anyText)}, "policy-domain": {true, domain4}, "mx-host": {false, list4(anyText)}})},
			"summary": {true, object4(map[string]rule{"total-successful-session-count": {true, count4}, "total-failure-session-count": {true, count4}})},
			"failure-details": {false, list4(object4(map[string]rule{
				"result-type": {true, one([]string{"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted",
					"validation-failure", "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"})},
				"sending-mta-ip": {false, ip4}, "receiving-mx-hostname": {false, anyText}, "receiving-mx-helo": {false, anyText}, "receiving-ip": {false, ip4},
				"failed-session-count": {true, count4}, "additional-information": {false, anyText}, "failure-reason-code": {false, anyText}}))},
		}))},
	})
)

func valid(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	return schema(v)
}

func TestWhatIsWrittenConformsToRFC8460AndReadsBackEqual(t *testing.T) {
	written := 0
	for _, name := range inputs(t) {
		r := readFile(t, name)
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			continue
		}
		written++
		if err := valid(b.Bytes()); err != nil {
			t.Errorf("%s: %v in %s", name, err, b.Bytes())
		}
		back, err := Read(&b, Options{})
		if err != nil || !reflect.DeepEqual(without(back), without(r)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v\n%v", name, back, r, err)
		}
	}
	if written < 9 {
		t.Errorf("only %d could be written", written)
	}
}

func TestTheSchemaOfTheTestRefusesWhatIsNotOfTheRFC(t *testing.T) {
	var b bytes.Buffer
	if err := readFile(t, "standard").Write(&b); err != nil {
		t.Fatal(err)
	}
	for old, wrong := range map[string]string{`"sts"`: `"STS"`, `"mx-host"`: `"mx-host-pattern"`, `"2026-11-01T00:00:00Z"`: `"2026-11-01"`, `5326`: `"5326"`, `"report-id"`: `"id"`} {
		if !bytes.Contains(b.Bytes(), []byte(old)) || valid(bytes.Replace(b.Bytes(), []byte(old), []byte(wrong), 1)) == nil {
			t.Errorf("%s in place of %s is valid", wrong, old)
		}
	}
}

func TestWhatRFC8460RequiresIsRequired(t *testing.T) {
	for says, change := range map[string]func(*Report){
		"organization name": func(r *Report) { r.OrganizationName = "" },
		"contact":           func(r *Report) { r.ContactInfo = "" },
		"report id":         func(r *Report) { r.ReportID = "" },
		"range":             func(r *Report) { r.End = r.Begin.Add(-1) },
		"policies":          func(r *Report) { r.Policies = nil },
		"policy-type":       func(r *Report) { r.Policies[0].Type = "" },
		"domain":            func(r *Report) { r.Policies[0].Domain = "" },
		"negative":          func(r *Report) { r.Policies[0].Successful = -1 },
		"result-type":       func(r *Report) { r.Policies[0].Failures[0].ResultType = "x" },
	} {
		r := readFile(t, "standard")
		change(r)
		if err := r.Write(io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

var parcel = Mail{From: "tlsrpt@sender.example", To: "tls@example.com", Submitter: "Sender.example", MessageID: "1@sender.example", Date: time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)}

func TestTheMailIsThatOfRFC8460(t *testing.T) {
	r := readFile(t, "standard")
	var b bytes.Buffer
	if err := r.WriteMail(&b, parcel); err != nil {
		t.Fatal(err)
	}
	raw := b.String()
	m, err := mail.ReadMessage(&b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("TLS-Report-Domain") != "example.com" || m.Header.Get("TLS-Report-Submitter") != "sender.example" ||
		!regexp.MustCompile(`^Report Domain: example\.com Submitter: sender\.example Report-ID: <[^<>@ ]+@sender\.example>$`).MatchString(m.Header.Get("Subject")) {
		t.Errorf("%q", m.Header)
	}
	media, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || media != "multipart/report" || params["report-type"] != "tlsrpt" {
		t.Fatalf("%s %v %v", media, params, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	if p, err := parts.NextPart(); err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%v, %v", p, err)
	}
	p, err := parts.NextPart()
	if err != nil || p.Header.Get("Content-Type") != "application/tlsrpt+gzip" || p.FileName() != "sender.example!example.com!1793491200!1793577599.json.gz" {
		t.Fatalf("%v, %v, %q", p, err, p.FileName())
	}
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, p))
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(z, Options{})
	if err != nil || !reflect.DeepEqual(without(back), without(r)) {
		t.Errorf("%+v, %v", back, err)
	}

	cmd := exec.Command("python3", "-c", `
import email, email.policy, gzip, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
p = list(m.iter_parts())
d = json.loads(gzip.decompress(p[1].get_content()))
print(m.get_content_type(), m.get_param("report-type"), m["Subject"], p[1].get_filename(), d["report-id"], [str(x) for y in m.walk() for x in y.defects])`)
	cmd.Stdin = strings.NewReader(raw)
	out, err := cmd.Output()
	if want := "multipart/report tlsrpt " + r.Subject("sender.example") + " " + r.Filename("sender.example", "") + " " + r.ReportID + " []\n"; err != nil || string(out) != want {
		t.Errorf("python: %q, %v, want %q", out, err, want)
	}
}

func TestNoValueEndsItsLineInTheMail(t *testing.T) {
	r := readFile(t, "standard")
	r.ReportID = "x>\r\nEvil: yes\r\n\r\n<"
	var b bytes.Buffer
	if err := r.WriteMail(&b, parcel); err != nil || strings.Contains(b.String(), "\nEvil") {
		t.Errorf("%v, %s", err, b.String())
	}
	for name, m := range map[string]Mail{
		"from":      {From: "a@b.example\r\nEvil: yes", To: parcel.To, Submitter: parcel.Submitter, MessageID: parcel.MessageID, Date: parcel.Date},
		"to":        {From: parcel.From, To: "a@b.example>\r\nEvil: yes", Submitter: parcel.Submitter, MessageID: parcel.MessageID, Date: parcel.Date},
		"submitter": {From: parcel.From, To: parcel.To, Submitter: "a.example\r\nEvil: yes", MessageID: parcel.MessageID, Date: parcel.Date},
		"id":        {From: parcel.From, To: parcel.To, Submitter: parcel.Submitter, MessageID: "a@b\r\nEvil:yes", Date: parcel.Date},
	} {
		if err := r.WriteMail(io.Discard, m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := readFile(t, "standard").Filename("sender.example", "a!/..b"); got != "sender.example!example.com!1793491200!1793577599!ab.json.gz" {
		t.Error(got)
	}
}
