package dkim

import (
	"context"
	"crypto"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

// diagnosed verifies a message that fails and gives what is said of its only signature.
func diagnosed(t testing.TB, key crypto.Signer, m string) string {
	t.Helper()
	results := verify(t, testZone(key), m, Options{Diagnose: true})
	if len(results) != 1 || results[0].Code != Fail {
		t.Fatalf("%q\ngot %+v, want one result that is fail", m, results)
	}
	return results[0].Diagnosis
}

// changing is a message that is signed, then changed, then diagnosed.
type changing struct {
	name   string
	header string // added to testHeader
	body   string
	canon  Canonicalization
	change func(string) string
	want   string
}

const testHeader = "From: Alice <alice@example.com>\r\nTo: bob@example.org\r\nSubject: Lunch on Friday\r\n"

func (c changing) run(t *testing.T) {
	t.Helper()
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		s := testSigner(key)
		s.Canonicalization = c.canon
		body := c.body
		if body == "" {
			body = "Shall we?\r\n\r\nAlice\r\n"
		}
		m := c.change(sign(t, testHeader+c.header+"\r\n"+body, s))
		if got := diagnosed(t, key, m); !strings.Contains(got, c.want) {
			t.Errorf("%s, %T\ngot  %s\nwant %s", c.name, key, got, c.want)
		}
	}
}

func appending(text string) func(string) string { return func(m string) string { return m + text } }

func substituting(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

// inBody changes what follows the header.
func inBody(pairs ...string) func(string) string {
	return func(m string) string {
		header, body, _ := strings.Cut(m, "\r\n\r\n")
		return header + "\r\n\r\n" + strings.NewReplacer(pairs...).Replace(body)
	}
}

var (
	simple  = Canonicalization{Simple, Simple}
	relaxed = Canonicalization{Relaxed, Relaxed}
)

func TestDiagnosisNamesTheFooter(t *testing.T) {
	footer := "\r\n-- \r\nThe list\r\nhttps://lists.example.net/\r\nTo leave, write to us\r\n"
	for _, c := range []changing{
		{name: "relaxed", change: appending(footer),
			want: `without its last 5 lines ("--", "The list", "https://lists.example.net/", …), added in transit; the header is as it was signed`},
		{name: "simple", canon: simple, change: appending(footer), want: `without its last 5 lines ("--", "The list"`},
		{name: "one line", change: appending("Scanned by Example\x07\r\n"), want: `without its last 1 line ("Scanned by Example\a")`},
		{name: "no line end at the end", body: "Hello", change: appending("\r\nfoot"), want: `without its last 1 line ("foot")`},
		{name: "as long as is looked at", change: appending(strings.Repeat("foot\r\n", 500)), want: "without its last 500 lines"},
		{name: "longer", change: appending(strings.Repeat("foot\r\n", 501)), want: "the body was changed; not by a footer of up to 500 lines"},
		{name: "of empty lines in between", change: appending("\r\n\r\n\r\nfoot\r\n\r\n\r\n"), want: `without its last 4 lines ("foot")`},
	} {
		c.run(t)
	}
}

const parts = "--b1\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b1\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\r\n--b1--\r\n"

func TestDiagnosisNamesTheFooterInAPart(t *testing.T) {
	for _, c := range []changing{
		{name: "in the last part", body: parts, change: substituting("--b1--", "<p>The list</p>\r\n--b1--"),
			want: `without the 1 line ("<p>The list</p>") before the boundary "--b1--", added in transit`},
		{name: "in the first part", body: parts, change: substituting("Hello\r\n--b1", "Hello\r\n__\r\nThe list\r\n--b1"),
			want: `without the 2 lines ("__", "The list") before the boundary "--b1"`},
		{name: "a part of its own", body: parts, change: substituting("--b1--", "--b1\r\nContent-Type: text/plain\r\n\r\nThe list\r\n--b1--"),
			want: `without the 4 lines ("--b1", "Content-Type: text/plain", "The list") before the boundary "--b1--"`},
	} {
		c.run(t)
	}
}

func TestDiagnosisSeesThatAListWrappedTheMessage(t *testing.T) {
	wrap := func(m string) string {
		m = strings.Replace(m, "Content-Type: text/plain; charset=utf-8\r\n", "Content-Type: multipart/mixed;\r\n boundary=b\r\n", 1)
		m = strings.Replace(m, "Content-Transfer-Encoding: 8bit\r\n", "", 1)
		m = strings.Replace(m, "Subject: ", "Subject: [list] ", 1)
		header, body, _ := strings.Cut(m, "\r\n\r\n")
		return header + "\r\n\r\n--b\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n\r\n" + body +
			"\r\n--b\r\nContent-Type: text/plain\r\n\r\nThe list\r\n--b--\r\n"
	}
	changing{name: "wrapped", header: "Content-Type: text/plain; charset=utf-8\r\n", change: wrap,
		want: `the body verifies as the first part alone: it was wrapped in a multipart message in transit`}.run(t)
	changing{name: "its header", header: "Content-Type: text/plain; charset=utf-8\r\n", change: wrap,
		want: `and the signature verifies with Subject "Lunch on Friday": "[list]" was put before it in transit; and with the content fields of the first part`}.run(t)
}

func TestDiagnosisNamesTheBanner(t *testing.T) {
	long := strings.Repeat("A line of text that says little.\r\n", 1000)
	for _, c := range []changing{
		{name: "a line", change: inBody("Shall", "CAUTION: this came from outside.\r\nShall"),
			want: `without the 1 line ("CAUTION: this came from outside.") at its top, added in transit`},
		{name: "a paragraph", body: long, change: func(m string) string {
			return strings.Replace(m, "\r\n\r\n", "\r\n\r\nCAUTION\r\nfrom outside\r\n\r\n", 1)
		}, want: `without the 3 lines ("CAUTION", "from outside") at its top`},
		{name: "in the first part", body: parts, change: substituting("plain\r\n\r\nHello", "plain\r\n\r\nCAUTION\r\n\r\nHello"),
			want: `without the 2 lines ("CAUTION") at its top`},
		{name: "simple", canon: simple, change: inBody("Shall", "CAUTION\r\n\r\nShall"), want: `without the 2 lines ("CAUTION") at its top`},
	} {
		c.run(t)
	}
}

func TestDiagnosisFindsChangedBytes(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for _, c := range []changing{
		{name: "CR CR LF", change: inBody("\r\n", "\r\r\n"), want: "with CRLF for each CR CR LF"},
		{name: "bare CR", change: inBody("?\r\n", "?\r"), want: "with each bare CR as a line end"},
		{name: "CR added", change: inBody("Shall", "\rShall"), want: "without its bare CRs"},
		{name: "white space at line ends", canon: simple, change: inBody("Alice", "Alice \t"), want: "without the white space at the ends of lines"},
		{name: "signature line", canon: simple, body: "Hello\r\n-- \r\nAlice\r\n", change: inBody("-- \r\n", "--\r\n"), want: `with "-- " for each line "--"`},
		{name: "dots doubled", body: "Hello\r\n.hidden\r\n", change: inBody("\r\n.", "\r\n.."), want: "with one dot less"},
		{name: "dots halved", body: "Hello\r\n..hidden\r\n", change: inBody("\r\n..", "\r\n."), want: "with one more dot"},
		{name: "mailbox", body: "Hello\r\nFrom here on\r\n", change: inBody("\r\nFrom ", "\r\n>From "), want: `with "From " for ">From "`},
		{name: "long lines folded", body: long, change: inBody(long, long[:998]+"\r\n "+long[998:1990]+"\r\n "+long[1990:]), want: "were folded in transit"},
		{name: "long lines broken", body: long, change: inBody(long, long[:990]+"\r\n"+long[990:1980]+"\r\n"+long[1980:]), want: "were broken in transit"},
		{name: "long lines with a mark", body: long, change: inBody(long, long[:989]+"!\r\n "+long[989:]), want: "were broken with a \"!\""},
		{name: "empty line on top", body: "\r\nHello\r\n", change: inBody("\r\nHello", "Hello"), want: "with an empty line on top"},
	} {
		c.run(t)
	}
}

func TestDiagnosisDecodesTheBody(t *testing.T) {
	changing{name: "quoted-printable", header: "Content-Transfer-Encoding: 8bit\r\n", body: "Grüße = gut\r\n",
		change: substituting("Encoding: 8bit", "Encoding: quoted-printable", "Grüße = gut", "Gr=C3=BC=C3=9Fe =3D gut"),
		want:   `the body verifies decoded: it was encoded as quoted-printable in transit; and the signature verifies with Content-Transfer-Encoding "8bit"`}.run(t)
	changing{name: "base64", header: "Content-Transfer-Encoding: 8bit\r\n", body: "Grüße\r\n",
		change: substituting("Encoding: 8bit", "Encoding: base64", "Grüße\r\n", "R3LDvMOfZQ0K\r\n"),
		want:   `it was encoded as base64 in transit; and the signature verifies with Content-Transfer-Encoding "8bit"`}.run(t)
}

func TestDiagnosisOfBodiesThatAreGoneOrCut(t *testing.T) {
	changing{name: "gone", change: func(m string) string { return m[:strings.Index(m, "\r\n\r\n")+4] },
		want: "the body is empty, and was not when it was signed"}.run(t)
	changing{name: "came later", body: "\r\n", change: appending("Hello\r\n"), want: "the signature is over an empty body"}.run(t)
	changing{name: "nothing fits", change: inBody("Shall", "Will"), want: "the body was changed; not by a footer of up to 500 lines"}.run(t)

	s := testSigner(rsaKey())
	s.BodyLength = true
	m := sign(t, testMessage, s)
	if got := diagnosed(t, rsaKey(), m[:len(m)-8]); !strings.Contains(got, "the body was cut short in transit: 20 octets of it were signed, and 14 arrived") {
		t.Error(got)
	}
}

func TestDiagnosisOfASignerThatNamesTheWrongForm(t *testing.T) {
	for _, c := range []struct{ m, from, to, want string }{
		{strings.Replace(testMessage, "Shall we?", "Shall  we? ", 1), "c=relaxed/relaxed", "c=relaxed/simple",
			"the body verifies as relaxed, though c= says simple: the signer is at fault, or white space was added in transit"},
		{strings.Replace(testMessage, "Shall we?", "Shall we?\r\n"+strings.Repeat("x\r\n", 3), 1), "bh=", "l=5; bh=",
			"the body verifies as a whole, all its 31 octets, though l= says 5: the signer is at fault"},
	} {
		if got := diagnosed(t, rsaKey(), resign(t, rsaKey(), c.m, replace(c.from, c.to))); !strings.Contains(got, c.want) {
			t.Errorf("%s for %s\ngot  %s\nwant %s", c.to, c.from, got, c.want)
		}
	}
}

func TestDiagnosisIsOffUnlessAsked(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey())) + "foot\r\n"
	if r := verify(t, testZone(edKey()), m, Options{}); r[0].Diagnosis != "" {
		t.Errorf("got %s", r[0].Diagnosis)
	}
}

func TestDiagnosisOfABodyBeyondWhatIsKept(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey())) + strings.Repeat("foot\r\n", 100)
	r := verify(t, testZone(edKey()), m, Options{Diagnose: true, DiagnoseBytes: 100})
	if want := "its first 100 octets alone are kept to find out how, and it has 620; the header is as it was signed"; !strings.Contains(r[0].Diagnosis, want) {
		t.Errorf("got  %s\nwant %s", r[0].Diagnosis, want)
	}
}

func TestDiagnosisWithoutAKeyIsOfTheBodyAlone(t *testing.T) {
	m := sign(t, testMessage, testSigner(edKey())) + "foot\r\n"
	z := &zone{txt: map[string]string{"s1._domainkey.example.com": "!servfail"}}
	r := verify(t, z, m, Options{Diagnose: true})
	if want := `the body verifies without its last 1 line ("foot"), added in transit`; r[0].Diagnosis != want {
		t.Errorf("got  %s\nwant %s", r[0].Diagnosis, want)
	}
}

// spent runs a verification with diagnosis and tells what of the budget is left.
func spent(t testing.TB, m string, o Options) (octets, verifications int) {
	t.Helper()
	msg, err := message.Read(strings.NewReader(m), message.Limits{})
	if err != nil {
		return 0, 0
	}
	o.Diagnose, o.Now = true, now
	z := testZone(edKey())
	v := NewVerifier(context.Background(), z, msg.Header, o)
	defer v.Close()
	io.Copy(v, msg.Body)
	for _, r := range v.Results() {
		if r.Code == Fail && r.Diagnosis == "" {
			t.Errorf("nothing is said of %+v", r)
		}
		if len(r.Diagnosis) > 4000 || strings.ContainsAny(r.Diagnosis, "\r\n\x00\x1b") {
			t.Errorf("the diagnosis %q", r.Diagnosis)
		}
	}
	if v.budget == nil {
		return 0, 0
	}
	return diagnosisRounds*v.o.DiagnoseBytes - v.budget.octets, diagnosisVerifications - v.budget.verifications
}

func TestDiagnosisIsBounded(t *testing.T) {
	var signers []Signer
	for i := range 10 {
		s := testSigner(edKey())
		s.Canonicalization = []Canonicalization{simple, relaxed}[i%2]
		s.Headers = append(slices.Repeat([]string{"cc"}, 500), "from", "subject", "reply-to")
		signers = append(signers, s)
	}
	body := func(line string) string {
		return sign(t, testHeader+"\r\n"+strings.Repeat(line, (1<<20-1000)/len(line)), signers...)
	}
	for name, m := range map[string]string{
		"boundaries": strings.Replace(body("--b\r\n\r\n"), "--b\r\n", "--c\r\n", 1),
		"lines":      strings.Replace(body("x\r\n"), "\r\n\r\nx\r\n", "\r\n\r\ny\r\n", 1),
		"one line":   body("x") + "x",
		"fields":     strings.Replace(sign(t, strings.Repeat("Cc: =?utf-8?q?x?=\r\n", 1900)+testHeader+"\r\n", signers...), "Lunch", "Launch", 1),
		"a subject":  strings.Replace(sign(t, "Reply-To: x\r\nFrom: a@example.com\r\nSubject: "+strings.Repeat("[x] ", 200<<10)+"\r\n\r\n", signers...), "[x]", "[y]", 1),
	} {
		start := time.Now()
		octets, verifications := spent(t, m, Options{})
		if octets > diagnosisRounds<<20 || verifications > diagnosisVerifications {
			t.Errorf("%s: %d octets hashed, %d verifications", name, octets, verifications)
		}
		t.Logf("%s: %d octets hashed, %d verifications, %v", name, octets, verifications, time.Since(start))
	}
}

func TestDiagnosisThatCouldNotTryEverythingSaysSo(t *testing.T) {
	signed := sign(t, testMessage, testSigner(edKey()))
	for _, word := range []string{"Lunch", "Shall"} { // in the header, in the body
		m := strings.Replace(signed, word, "changed", 1)
		_, body, _ := strings.Cut(m, "\r\n\r\n")
		v := NewVerifier(context.Background(), testZone(edKey()), header(t, m), Options{Diagnose: true, Now: now})
		v.budget = &budget{octets: 10, verifications: 1}
		io.WriteString(v, body)
		if got := v.Results()[0].Diagnosis; !strings.Contains(got, "would take too long to find out") {
			t.Errorf("%s changed: %s", word, got)
		}
	}
}

func TestFooterSearchCostsAboutOneHashOfTheBody(t *testing.T) {
	m := sign(t, testHeader+"\r\n"+strings.Repeat("A line of text that says little.\r\n", 20000), testSigner(edKey())) + strings.Repeat("foot\r\n", 300)
	if octets, _ := spent(t, m, Options{}); octets > 2*len(m) {
		t.Errorf("%d octets were hashed to find a footer in %d", octets, len(m))
	}
}

func FuzzDiagnose(f *testing.F) {
	f.Add("Subject: [list] x\r\n", "body", "Subject", "foot")
	f.Add("Reply-To: a\r\nContent-Type: text/plain\r\n", parts, "Reply-To", "--b1--\r\n--\r\n")
	f.Add("Content-Transfer-Encoding: base64\r\n", "=\r\n..\r\n>From \r\r\n", "From: =?utf-8?q?=00?= via x", "!\r\n ")
	f.Fuzz(func(t *testing.T, header, body, from, to string) {
		m := header + "From: a@example.com\r\n\r\n" + body
		var signed strings.Builder
		if Sign(&signed, strings.NewReader(m), testSigner(edKey())) != nil {
			return
		}
		changed := signed.String() + to
		if from != "" {
			changed = strings.Replace(changed, from, to, 3)
		}
		octets, verifications := spent(t, changed, Options{DiagnoseBytes: 1 << 12})
		if octets > diagnosisRounds<<12 || verifications > diagnosisVerifications {
			t.Errorf("%d octets hashed, %d verifications", octets, verifications)
		}
	})
}
