package dkim

import (
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/message"
)

func TestDiagnosisNamesTheTagInSubject(t *testing.T) {
	for _, c := range []changing{
		{name: "in brackets", change: substituting("Subject: ", "Subject: [list] "),
			want: `the signature verifies with Subject "Lunch on Friday": "[list]" was put before it in transit`},
		{name: "of several words", change: substituting("Subject: ", "Subject: *** SPAM? *** "), want: `"*** SPAM? ***" was put before it`},
		{name: "of no brackets", change: substituting("Subject: ", "Subject: EXTERNAL: "), want: `"EXTERNAL:" was put before it`},
		{name: "glued on", change: substituting("Subject: ", "Subject: [list]"), want: `"[list]" was put before it`},
		{name: "folded", change: substituting("Subject: ", "Subject: [list]\r\n "), want: `with Subject "Lunch on Friday": "[list]" was put before it`},
		{name: "simple", canon: simple, change: substituting("Subject: ", "Subject: [list] "), want: `with Subject "Lunch on Friday"`},
		{name: "at the end", change: substituting("Friday", "Friday [SEC=OFFICIAL]"), want: `"[SEC=OFFICIAL]" was put after it`},
	} {
		c.run(t)
	}
}

func TestDiagnosisNamesTheTagBehindReply(t *testing.T) {
	for _, key := range []Signer{testSigner(rsaKey()), testSigner(edKey())} {
		for subject, from := range map[string]string{"Re: Lunch": "Re: [list] Lunch", "Re: Fwd: Lunch": "Re: Fwd: [list] Lunch", "Re: Lunch?": "[list] Re: Lunch?"} {
			m := sign(t, "From: alice@example.com\r\nSubject: "+subject+"\r\n\r\nHi\r\n", key)
			got := diagnosed(t, key.Key, strings.Replace(m, "Subject: "+subject, "Subject: "+from, 1))
			if want := `with Subject "` + subject + `": "[list]" was put before it in transit`; !strings.Contains(got, want) {
				t.Errorf("%s\ngot  %s\nwant %s", from, got, want)
			}
		}
	}
}

func TestDiagnosisNamesTheTagWithinEncodedWords(t *testing.T) {
	m := sign(t, "From: alice@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n", testSigner(edKey()))
	m = strings.Replace(m, "=?utf-8?q?Gr", "=?utf-8?q?=5Blist=5D_Gr", 1)
	if got, want := diagnosed(t, edKey(), m), `with Subject "=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "[list]" was put before it`; !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDiagnosisFindsTheOriginalFrom(t *testing.T) {
	rewritten := "From: Alice via List <list@lists.example.net>\r\n"
	for _, c := range []changing{
		{name: "Reply-To added", change: substituting("From: Alice <alice@example.com>\r\n", rewritten+"Reply-To: Alice <alice@example.com>\r\n"),
			want: `with From "Alice <alice@example.com>", which stands in Reply-To now: From was rewritten in transit, and Reply-To added`},
		{name: "Reply-To was there", header: "Reply-To: Alice <alice@example.com>\r\n", change: substituting("From: Alice <alice@example.com>\r\n", rewritten),
			want: `which stands in Reply-To now: From was rewritten in transit`},
		{name: "X-Original-From", change: substituting("From: Alice <alice@example.com>\r\n", rewritten+"X-Original-From: Alice <alice@example.com>\r\n"),
			want: `with From "Alice <alice@example.com>", which stands in X-Original-From now`},
		{name: "address alone", change: substituting("From: Alice <alice@example.com>\r\n", rewritten+"Reply-To: alice@example.com\r\n"),
			want: `with From "Alice <alice@example.com>", which stands in Reply-To now`},
	} {
		c.run(t)
	}
}

func TestDiagnosisPutsChangesTogether(t *testing.T) {
	changing{
		name: "a list that does everything",
		change: func(m string) string {
			m = strings.Replace(m, "Subject: ", "Subject: [list] ", 1)
			m = strings.Replace(m, "From: Alice <alice@example.com>", "From: Alice via List <list@example.net>\r\nReply-To: Alice <alice@example.com>", 1)
			return m + "____\r\nThe list\r\n"
		},
		want: `the body verifies without its last 2 lines ("____", "The list"), added in transit; and the signature verifies with Subject "Lunch on Friday": ` +
			`"[list]" was put before it in transit; and with From "Alice <alice@example.com>", which stands in Reply-To now`,
	}.run(t)
}

func TestDiagnosisNamesFieldsThatWereAddedOrTaken(t *testing.T) {
	for _, c := range []changing{
		{name: "added", change: substituting("To: bob", "Cc: carol@example.org\r\nTo: bob"), want: "without the field Cc, which was added in transit"},
		{name: "second of its name", change: substituting("To: bob", "To: carol@example.org\r\nTo: bob"), want: "without the field To, which was added in transit"},
		{name: "taken", header: "To: bob@example.org\r\n", change: func(m string) string { return strings.Replace(m, "To: bob@example.org\r\n", "", 1) },
			want: "with the field To twice, one of which was taken out in transit"},
		{name: "encoded", header: "Cc: Jörg <j@example.org>\r\n", change: substituting("Jörg", "=?utf-8?q?J=C3=B6rg?="), want: "with its encoded words as UTF-8: they were encoded in transit"},
		{name: "folded anew", canon: simple, change: substituting("Lunch on", "Lunch\r\n on"), want: "with the field Subject on one line: it was folded anew in transit"},
		{name: "spaced anew", canon: simple, change: substituting("Subject: ", "Subject:  "), want: "with the field Subject on one line with single spaces"},
	} {
		c.run(t)
	}
	s := testSigner(edKey())
	s.Headers = []string{"from", "list-id", "sender", "subject"}
	m := sign(t, testMessage, s)
	m = strings.Replace(m, "To: ", "List-Id: <list.example.net>\r\nSender: list@example.net\r\nTo: ", 1)
	if got, want := diagnosed(t, edKey(), m), "without List-Id and Sender, added in transit"; !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDiagnosisTellsAWrongKeyFromAChangedHeader(t *testing.T) {
	m := sign(t, testMessage, testSigner(rsaKey()))
	other := mustKey(GenerateRSA(2048))
	if got, want := diagnosed(t, other, m), "the signature was not made with the key at s1._domainkey.example.com: the key was changed there"; !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := diagnosed(t, rsaKey(), strings.Replace(m, "Lunch", "Dinner", 1)), "the key is the one that signed, and the header was changed since"; !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	ed := strings.Replace(sign(t, testMessage, testSigner(edKey())), "Lunch", "Dinner", 1)
	if got, want := diagnosed(t, edKey(), ed), "the header was changed, or the signature was made with another key"; !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDiagnosisOfAHeaderSignedInAnotherForm(t *testing.T) {
	m := "From:  alice@example.com\r\nSubject: Lunch\r\n\r\nHi\r\n"
	signed := sign(t, m, testSigner(edKey()))
	// What is hashed for simple, under a c= that says relaxed.
	h := header(t, signed)
	s, err := ParseSignature(h[0].Value())
	if err != nil {
		t.Fatal(err)
	}
	wrong := *s
	wrong.Canonicalization.Header = Simple
	value, err := SignData(edKey(), wrong.AppendSigned(nil, h, 0))
	if err != nil {
		t.Fatal(err)
	}
	own := h[0].Value()
	field := message.NewField("DKIM-Signature", own[:s.bStart]+encode(value)+own[s.bEnd:])
	got := diagnosed(t, edKey(), field.Raw+m)
	if want := "the signature verifies with the header as simple, though c= says relaxed: the signer is at fault"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSignedHashIsFoundInAnRSASignatureOnly(t *testing.T) {
	key := &rsaKey().PublicKey
	sig, err := SignData(rsaKey(), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if hash, said := signedHash(key, sig); len(hash) != 32 || said != "" {
		t.Errorf("got %x, %s", hash, said)
	}
	for name, bad := range map[string][]byte{
		"short": sig[1:], "empty": nil, "damaged": append(sig[:len(sig)-1:len(sig)-1], sig[len(sig)-1]^1), "zero": make([]byte, len(sig)),
		"one": append(make([]byte, len(sig)-1), 1), "too large": []byte(strings.Repeat("\xff", len(sig))),
	} {
		if hash, said := signedHash(key, bad); hash != nil || said == "" {
			t.Errorf("%s: got %x, %q", name, hash, said)
		}
	}
}
