package unwrap

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatepost-mail/gatepost/test/wrap"
)

const (
	report  = "<?xml version=\"1.0\"?>\n<feedback><report_metadata><org_name>Example Inc.</org_name></report_metadata></feedback>\n"
	tlsJSON = "{\n  \"organization-name\": \"Example Inc.\", \"report-id\": \"17\"\n}\n"
)

// walk gives all parts, in words: "XML path", "refused path: why", "other path: what".
func walk(t testing.TB, r io.Reader, l Limits) (words []string, bodies map[string]string, notes []string) {
	t.Helper()
	bodies = map[string]string{}
	err := Each(r, l, func(p Part) error {
		switch {
		case p.Refused != nil:
			words = append(words, "refused "+p.Path+": "+p.Refused.Error())
		case p.Kind == Other:
			words = append(words, "other "+p.Path+": "+p.What)
		default:
			body, err := io.ReadAll(p.Body.Open())
			if err != nil {
				t.Fatal(err)
			}
			kind := map[Kind]string{XML: "XML", JSON: "JSON", Mail: "mail"}[p.Kind]
			if p.Guessed {
				kind += "?"
			}
			bodies[kind] = string(body)
			words = append(words, kind+" "+p.Path)
		}
		notes = append(notes, p.Notes...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return words, bodies, notes
}

const (
	greeting = "Content-Type: text/plain; charset=utf-8\r\n\r\nDear Sir or Madam,\r\nattached please find our report.\r\n"
	html     = "Content-Type: text/html\r\n\r\n<html><body><p>A report &amp; no more.</p></body></html>\r\n"
	picture  = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk\r\n"
)

func TestAReportIsFoundByItsBytes(t *testing.T) {
	xml := []byte(report)
	gz := wrap.Gzip("", xml)
	pkzip := wrap.Zip("mx.example.net!example.com!1!2.xml", xml)
	broken := wrap.Base64(gz)
	broken = append(broken[:20:20], append([]byte("!\r\n *"), broken[20:]...)...)
	part := func(fields string, content []byte) []byte {
		return wrap.Multipart("mixed", greeting, wrap.Part(fields, content))
	}
	for name, c := range map[string]struct {
		in   []byte
		want string // among the parts
		note string
	}{
		"plain":                           {xml, "XML ", ""},
		"with a byte order mark":          {[]byte("\xef\xbb\xbf\r\n" + report), "XML ", ""},
		"UTF-16":                          {utf16Text(report), "XML ", ""},
		"gzip":                            {wrap.Gzip("r.xml", xml), "XML r.xml", ""},
		"gzip with CRLF behind it":        {append(bytes.Clone(gz), "\r\n"...), "XML content", "bytes after the end of the gzip: left out"},
		"gzip with garbage behind it":     {append(bytes.Clone(gz), "\x1f\x8b\xff\xff\x00garbage"...), "XML content", "bytes after the end of the gzip: left out"},
		"gzip in two members":             {append(wrap.Gzip("", xml[:20]), wrap.Gzip("", xml[20:])...), "XML content", ""},
		"gzip twice over":                 {wrap.Gzip("r.xml.gz", wrap.Gzip("", xml)), "XML r.xml.gz/r.xml", ""},
		"CRLF before gzip":                {append([]byte("\r\n"), gz...), "XML content", ""},
		"zlib":                            {wrap.Zlib(xml), "XML content", ""},
		"deflate":                         {wrap.Zlib(xml)[2:], "XML content", ""},
		"zip":                             {pkzip, "XML mx.example.net!example.com!1!2.xml", ""},
		"zip with a directory":            {wrap.Zip("../../etc/r.xml", xml), "XML r.xml", ""},
		"zip with bytes behind it":        {append(bytes.Clone(pkzip), "\r\n"...), "XML mx.example.net!example.com!1!2.xml", ""},
		"zip of gzip":                     {wrap.Zip("r.xml.gz", gz), "XML r.xml.gz/r.xml", ""},
		"tar":                             {wrap.Tar("r.xml", xml), "XML r.xml", ""},
		"tar in gzip":                     {wrap.Gzip("r.tar", wrap.Tar("r.xml", xml)), "XML r.tar/r.xml", ""},
		"bzip2":                           {bzip2Report(t), "XML content", ""},
		"base64":                          {wrap.Base64(gz), "XML content", ""},
		"base64 in one line":              {[]byte(base64.StdEncoding.EncodeToString(gz)), "XML content", ""},
		"base64 of XML":                   {wrap.Base64(xml), "XML ", ""},
		"uuencode":                        {wrap.UU("r.xml.gz", gz), "XML r.xml.gz/r.xml", ""},
		"JSON":                            {wrap.Gzip("r.json", []byte(tlsJSON)), "JSON r.json", ""},
		"TNEF":                            {wrap.TNEF("mx.example.net!example.com.xml.gz", gz), "XML mx.example.net!example.com.xml.gz/mx.example.net!example.com.xml", ""},
		"msg":                             {wrap.Outlook("r.xml.gz", gz), "XML r.xml.gz/r.xml", ""},
		"a large msg":                     {wrap.Outlook("r.xml", append(xml, make([]byte, 1<<20)...)), "XML r.xml", ""},
		"the whole message is a zip":      {wrap.Mail("Content-Type: application/zip; name=\"r.zip\"\r\n", pkzip), "XML 1/r.zip/mx.example.net!example.com!1!2.xml", ""},
		"gzip called zip":                 {part("Content-Type: application/zip; name=r.zip\r\n", gz), "XML 2/r.zip/content", ""},
		"zip called gzip":                 {part("Content-Type: application/gzip; name=r.xml.gz\r\n", pkzip), "XML 2/r.xml.gz/mx.example.net!example.com!1!2.xml", ""},
		"application/x-gzip":              {part("Content-Type: application/x-gzip; name=\"r.xml.gz\"\r\n", gz), "XML 2/r.xml.gz/r.xml", ""},
		"octet-stream, a name unquoted":   {part("Content-Type: application/octet-stream; name=a b!c.xml.gz\r\n", gz), "XML 2/a b!c.xml.gz/a b!c.xml", ""},
		"a name in pieces":                {part("Content-Type: application/gzip;\r\n\tname*0=\"mx.example.net!r.xm\";\r\n\tname*1=\"l.gz\"\r\n", gz), "XML 2/mx.example.net!r.xml.gz/mx.example.net!r.xml", ""},
		"a name in another character set": {part("Content-Type: application/gzip; name*=utf-8'de'r%C3%BC.xml.gz\r\n", gz), "XML 2/rü.xml.gz/rü.xml", ""},
		"a name as an encoded word":       {part("Content-Type: application/gzip; name=\"=?utf-8?B?ci54bWwuZ3o=?=\"\r\n", gz), "XML 2/r.xml.gz/r.xml", ""},
		"ContentType":                     {part("ContentType: application/gzip; name=r.xml.gz\r\n", gz), "XML 2/r.xml.gz/r.xml", ""},
		"a disposition that ends in ;":    {part("Content-Type: application/gzip\r\nContent-Disposition: attachment; filename=\"r.xml.gz\";\r\n", gz), "XML 2/r.xml.gz/r.xml", ""},
		"no header at all":                {wrap.Multipart("mixed", greeting, "\r\n"+string(wrap.Base64(gz))), "XML 2/content", ""},
		"no encoding given":               {wrap.Multipart("mixed", greeting, "Content-Type: application/gzip\r\n\r\n"+string(wrap.Base64(gz))), "XML 2/content", ""},
		"base64 that is none":             {wrap.Multipart("mixed", "Content-Type: text/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n"+report), "XML 1", "not in base64 as it says: read as it is"},
		"eight bits":                      {wrap.Multipart("mixed", greeting, "Content-Type: application/gzip\r\nContent-Transfer-Encoding: binary\r\n\r\n"+string(gz)), "XML 2/content", ""},
		"stray characters in base64":      {wrap.Multipart("mixed", "Content-Transfer-Encoding: base64\r\n\r\n"+string(broken)), "XML 1/content", "stray characters in base64: left out"},
		"a text below base64":             {wrap.Mail("", gz)[:], "XML 1/content", ""},
		"a mailing list's words":          {append(wrap.Mail("", xml), "\r\n_______________\r\nA list, and how to leave it: <https://example.org>\r\n"...), "XML 1", "text after the end of the base64: left out"},
		"in message/rfc822":               {wrap.Multipart("mixed", greeting, wrap.Forwarded(part("", gz))), "XML 2/2/content", ""},
		"in message/rfc822 in base64":     {wrap.Multipart("mixed", wrap.Part("Content-Type: message/rfc822\r\n", part("", gz))), "XML 1/2/content", ""},
		"in .msg in a mail":               {part("Content-Type: application/vnd.ms-outlook; name=m.msg\r\n", wrap.Outlook("r.xml.gz", gz)), "XML 2/m.msg/r.xml.gz/r.xml", ""},
		"in TNEF in a mail":               {part("Content-Type: application/ms-tnef; name=winmail.dat\r\n", wrap.TNEF("r.xml.gz", gz)), "XML 2/winmail.dat/r.xml.gz/r.xml", ""},
		"a mail in a .eml in a zip":       {wrap.Zip("m.eml", part("", gz)), "XML m.eml/2/content", ""},
		"HTML before and after":           {wrap.Multipart("mixed", html, wrap.Part("", gz), html, picture), "XML 2/content", ""},
		"nested multiparts":               {wrap.Multipart("mixed", nestedPart(greeting, html), wrap.Part("", gz)), "XML 2/content", ""},
		"XML in a text part":              {wrap.Multipart("mixed", "Content-Type: text/plain\r\n\r\n"+report), "XML 1", ""},
		"XML below a text":                {wrap.Multipart("mixed", "Content-Type: text/plain\r\n\r\nA report:\r\n\r\n"+report), "XML 1", ""},
		"XML in quoted-printable":         {[]byte(wrap.TopFields + "Content-Type: text/xml\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.ReplaceAll(report, "=", "=3D")), "XML 1", ""},
		"XML in another character set":    {[]byte(wrap.TopFields + "Content-Type: text/xml; charset=utf-16\r\n\r\n" + report), "XML 1", ""},
		"bare LF":                         {bytes.ReplaceAll(part("", gz), []byte("\r\n"), []byte("\n")), "XML 2/content", ""},
		"no final boundary":               {bytes.TrimSuffix(part("", gz), []byte("\r\n--=_1--\r\n")), "XML 2/content", "a multipart without its end: read to the end of what is there"},
		"no boundary parameter":           {bytes.Replace(part("", gz), []byte(`boundary="=_1"`), nil, 1), "XML 2/content", "a multipart that does not say its boundary: its first line is taken for it"},
		"a multipart that is none":        {[]byte(wrap.TopFields + "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + report), "XML 1", ""},
		"mbox":                            {wrap.Mbox(part("", gz), wrap.Mail("", gz)), "XML message 2/1/content", ""},
		"a subject in base64":             {append([]byte("Subject: =?utf-8?B?UmVwb3J0IERvbWFpbjogZXhhbXBsZS5jb207IFN1Ym1pdHRlcjogWDs=?=\r\n"), part("", gz)...), "XML 2/content", ""},
		"a subject of another form":       {append([]byte("Subject: {example.com}  Submitter: {X}\r\n"), part("", gz)...), "XML 2/content", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for way, r := range map[string]io.Reader{"file": bytes.NewReader(c.in), "pipe": iotest.OneByteReader(bytes.NewReader(c.in))} {
				words, bodies, notes := walk(t, r, Limits{})
				if !slices.Contains(words, c.want) {
					t.Errorf("%s: got %q, want %q", way, words, c.want)
				}
				for _, word := range words {
					if strings.HasPrefix(word, "refused") {
						t.Errorf("%s: %s", way, word)
					}
				}
				if body := bodies["XML"]; body != "" && !bytes.Contains(fold([]byte(body)), fold([]byte(report))) && name != "UTF-16" {
					t.Errorf("%s: got %q", way, body)
				}
				if c.note != "" != (len(notes) > 0) || c.note != "" && !slices.Contains(notes, c.note) {
					t.Errorf("%s: got the notes %q, want %q", way, notes, c.note)
				}
			}
		})
	}
}

// fold undoes what lines go through in mail.
func fold(b []byte) []byte {
	return bytes.TrimSpace(bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("=3D"), []byte("=")))
}

func utf16Text(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, c := range []byte(s) {
		b = append(b, c, 0)
	}
	return b
}

func nestedPart(parts ...string) string {
	m := string(wrap.Multipart("alternative", parts...))
	return strings.ReplaceAll(strings.TrimPrefix(m, wrap.TopFields), "=_1", "=_1_2") // which begins as the outer one does
}

const bzip2Base64 = "QlpoOTFBWSZTWR5ePf8AAAhfgAAQUAHgB4IgAAC/r91AIABqGpogemkaNDT1DQ0EqjNQ0YmgADT1DEuEN8oMRDaTwQ5WOuRObgd8" +
	"fQoITBBBVQGwA807GHRMVDnBBdypXkyTFafLCDi2QiOG0kWPDhOvf4u5IpwoSA8vHv+A"

// bzip2Report is the report as bzip2 compressed it: Go does not write that.
func bzip2Report(t *testing.T) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(bzip2Base64)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsNoReportIsSaidInWords(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want []string
	}{
		"nothing":           {nil, []string{"other : nothing"}},
		"the word unused":   {wrap.Gzip("r.xml", []byte("unused\n")), []string{`other r.xml: the text "unused"`}},
		"a mail":            {wrap.Multipart("mixed", greeting, html, picture), []string{"other 1: a text of 54 bytes", "other 2: an HTML text of 58 bytes", "other 3: an image"}},
		"an empty zip":      {[]byte("PK\x05\x06" + strings.Repeat("\x00", 18)), []string{"other : a zip with nothing in it"}},
		"xz":                {[]byte("\xfd7zXZ\x00\x00\x04"), []string{"refused : xz compression is not read; zip, gzip, bzip2 and tar are"}},
		"a gzip cut off":    {wrap.Gzip("", []byte(report))[:60], []string{"refused content: the gzip is cut off"}},
		"a zip cut off":     {wrap.Zip("r.xml", []byte(report))[:90], []string{"refused : the zip has no directory at its end: it is cut off or damaged"}},
		"an encrypted zip":  {encryptedZip(), []string{"refused r.xml: encrypted with a password that is not known"}},
		"a TNEF cut off":    {wrap.TNEF("r.xml", []byte(report))[:150], []string{"refused : the TNEF is cut off"}},
		"a msg cut off":     {wrap.Outlook("r.xml", []byte(report))[:700], []string{"refused : the compound file (.msg) is damaged"}},
		"bytes":             {[]byte("\x00\x01\x02\x03\x04\x05\xfe"), []string{"other : 7 bytes of a kind that is not known"}},
		"an encrypted mail": {wrap.Multipart("encrypted", greeting), []string{"refused : encrypted (multipart/encrypted) with a key that is not ours"}},
	} {
		if words, _, _ := walk(t, bytes.NewReader(c.in), Limits{}); !slices.Equal(words, c.want) {
			t.Errorf("%s: got  %q\nwant %q", name, words, c.want)
		}
	}
}

func encryptedZip() []byte {
	b := wrap.Zip("r.xml", []byte(report))
	b[6] |= 1
	b[bytes.Index(b, []byte("PK\x01\x02"))+8] |= 1
	return b
}

const (
	machine  = "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nUser-Agent: x/1\r\nVersion: 1\r\n"
	returned = "Content-Type: message/rfc822\r\n\r\nFrom: a@example.com\r\nTo: b@example.net\r\nSubject: x\r\n\r\nbody\r\n"
)

func TestAFailureReportIsGivenWhole(t *testing.T) {
	spoofed := wrap.Forwarded(wrap.Mail("", wrap.Gzip("", []byte(report))))
	for name, c := range map[string]struct {
		in   []byte
		want []string
	}{
		"by its type":                  {wrap.Multipart("report; report-type=feedback-report", greeting, machine, returned), []string{"other 1: a text of 54 bytes", "other 3: a message that was returned", "mail "}},
		"by its part":                  {wrap.Multipart("mixed", greeting, machine), []string{"other 1: a text of 54 bytes", "mail "}},
		"forwarded":                    {wrap.Multipart("mixed", wrap.Forwarded(wrap.Multipart("report; report-type=feedback-report", machine))), []string{"mail 1"}},
		"by what it reads like":        {[]byte(wrap.TopFields + "\r\nA message claiming to be from you has failed the checks.\r\n\r\nSource-IP: 192.0.2.1\r\n"), []string{"other 1: a text of 82 bytes", "mail? "}},
		"with an attachment":           {wrap.Multipart("report; report-type=\"feedback-report\"", machine, wrap.Part("", wrap.Gzip("", []byte(report)))), []string{"XML 2/content", "mail "}},
		"not what it returns":          {wrap.Multipart("report; report-type=feedback-report", machine, spoofed), []string{"other 2: a message that was returned", "mail "}},
		"nor what a bounce brings":     {wrap.Multipart("report; report-type=delivery-status", greeting, spoofed), []string{"other 1: a text of 54 bytes", "other 2: a message that was returned"}},
		"an aggregate report is none":  {wrap.Mail("", []byte(report)), []string{"XML 1"}},
		"a greeting of one word of it": {[]byte(wrap.TopFields + "\r\nThe Source-IP: is in the attachment.\r\n"), []string{"other 1: a text of 38 bytes"}},
	} {
		words, bodies, _ := walk(t, bytes.NewReader(c.in), Limits{})
		if !slices.Equal(words, c.want) {
			t.Errorf("%s: got  %q\nwant %q", name, words, c.want)
		}
		if body := bodies["mail"]; body != "" && name != "forwarded" && body != string(c.in) {
			t.Errorf("%s: the mail is not what came: %q", name, body)
		}
	}
}

func TestErrorsOfReadingAreNotThoseOfAReport(t *testing.T) {
	away := errors.New("the disk went away")
	for name, in := range map[string][]byte{
		"XML": []byte(report), "gzip": wrap.Gzip("", []byte(report)), "zip": wrap.Zip("r.xml", []byte(report)), "mail": wrap.Mail("", []byte(report)),
		"tar": wrap.Tar("r.xml", []byte(report)), "msg": wrap.Outlook("r.xml", []byte(report)),
	} {
		for n := range len(in) {
			r := io.MultiReader(bytes.NewReader(in[:n]), iotest.ErrReader(away))
			err := Each(r, Limits{}, func(p Part) error {
				if p.Refused != nil {
					t.Errorf("%s after %d bytes: refused: %v", name, n, p.Refused)
				}
				return nil
			})
			if !errors.Is(err, away) && n < len(in)-20 { // gzip and zlib may have read all they need
				t.Errorf("%s after %d bytes: %v", name, n, err)
			}
		}
	}
	stop := fmt.Errorf("enough")
	if err := Each(strings.NewReader(report), Limits{}, func(Part) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want what was returned", err)
	}
}
