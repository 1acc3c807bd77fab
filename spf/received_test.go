package spf

import (
	"context"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestReceivedSPFSaysEnoughToVerifyTheResult(t *testing.T) {
	q := Query{IP: netip.MustParseAddr("2001:db8::1"), Helo: "mail.example.net", MailFrom: "a@example.com", Receiver: "mx.example.org"}
	z := newZone("example.com TXT v=spf1 ip6:2001:db8::/32 -all")
	got := Check(context.Background(), z, q).ReceivedSPF(q)
	want := "pass (mx.example.org: domain of a@example.com designates\r\n" +
		" 2001:db8::1 as permitted sender) receiver=mx.example.org; identity=mailfrom;\r\n" +
		" client-ip=\"2001:db8::1\"; envelope-from=\"a@example.com\";\r\n" +
		" helo=mail.example.net; mechanism=\"ip6:2001:db8::/32\""
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReceivedSPFOfTheHeloIdentityAndOfAnError(t *testing.T) {
	q := Query{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mail.example.net"}
	z := newZone("mail.example.net TXT v=spf1 a:x")
	f, err := ParseReceivedSPF(Check(context.Background(), z, q).ReceivedSPF(q))
	if err != nil {
		t.Fatal(err)
	}
	want := Received{PermError, "unknown: the policy of mail.example.net could not be evaluated", []Pair{
		{"receiver", "unknown"}, {"identity", "helo"}, {"client-ip", "192.0.2.1"}, {"helo", "mail.example.net"},
		{"problem", `the record of mail.example.net, at "a:x": the domain has no dot before its last label`},
	}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v\nwant %+v", f, want)
	}
}

func TestMechanismIsDefaultWhereNoneMatched(t *testing.T) {
	q := Query{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "a@example.com"}
	for record, want := range map[string]string{"v=spf1": "default", "v=spf1 ~all": "all"} {
		f, err := ParseReceivedSPF(Check(context.Background(), newZone("example.com TXT "+record), q).ReceivedSPF(q))
		if err != nil || f.Get("mechanism") != want {
			t.Errorf("%s: got %q (%v), want %q", record, f.Get("mechanism"), err, want)
		}
	}
}

func TestNothingBreaksOutOfReceivedSPF(t *testing.T) {
	for _, evil := range []string{
		"a\r\nX-Evil: 1@example.com", "\"; client-ip=192.0.2.9; x=\"@example.com", ") pass (x@example.com", "(((@example.com", "\\@example.com",
		"a\\\"b@example.com", "\x00\x7f\xff@example.com", strings.Repeat("x\"(", 5000) + "@example.com", "x ; helo=y@example.com",
	} {
		q := Query{IP: netip.MustParseAddr("192.0.2.1"), Helo: evil, MailFrom: evil, Receiver: "mx.example.org"}
		checkField(t, Check(context.Background(), newZone("example.com TXT v=spf1 ?all"), q), q)
	}
}

// checkField holds the field of a result to being one field, of lines that are not too long, that says what was asked.
func checkField(t *testing.T, r Result, q Query) {
	t.Helper()
	field := r.ReceivedSPF(q)
	for i, line := range strings.Split(field, "\r\n") {
		if len(line) > 998-len(fieldName) || strings.Trim(line, " ") == "" || i > 0 && line[0] != ' ' || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("helo %q from %q: line %q of %q", q.Helo, q.MailFrom, line, field)
		}
	}
	f, err := ParseReceivedSPF(field)
	if err != nil {
		t.Fatalf("helo %q from %q: %q: %v", q.Helo, q.MailFrom, field, err)
	}
	for key, want := range map[string]string{"envelope-from": q.MailFrom, "helo": q.Helo, "receiver": q.Receiver} {
		if want = clean(want); f.Get(key) != want && q.Receiver != "" {
			t.Errorf("helo %q from %q: %s is %q, want %q, in %q", q.Helo, q.MailFrom, key, f.Get(key), want, field)
		}
	}
	if f.Result != r.Code || f.Get("client-ip") != q.IP.Unmap().String() || len(f.Pairs) > 7 {
		t.Errorf("helo %q from %q: got %+v", q.Helo, q.MailFrom, f)
	}
}

func TestReceivedSPFOfTheStandardsExamplesIsRead(t *testing.T) {
	f, err := ParseReceivedSPF(" pass (mybox.example.org: domain of\r\n myname@example.com designates 192.0.2.1 as permitted sender)\r\n" +
		"    receiver=mybox.example.org; client-ip=192.0.2.1;\r\n    mechanism=ip4:192.0.2.1; envelope-from=\"myname@example.com\";\r\n" +
		"    helo=foo.example.com;\r\n")
	want := Received{Pass, "mybox.example.org: domain of myname@example.com designates 192.0.2.1 as permitted sender", []Pair{
		{"receiver", "mybox.example.org"}, {"client-ip", "192.0.2.1"}, {"mechanism", "ip4:192.0.2.1"},
		{"envelope-from", "myname@example.com"}, {"helo", "foo.example.com"},
	}}
	if err != nil || !reflect.DeepEqual(f, want) {
		t.Errorf("got %+v, %v\nwant %+v", f, err, want)
	}
}

func TestReceivedSPFIsReadAsTheGrammarHasIt(t *testing.T) {
	for _, c := range []struct {
		field string
		want  *Received
	}{
		{"none", &Received{Result: None}},
		{"(a) FAIL (b (c) \\) d) (e) Helo (x) = (y) \"q\\\"(;\" (z) ; x=", &Received{Fail, "b (c) ) d", []Pair{{"helo", "q\"(;"}, {"x", ""}}}},
		{"softfail a=1;", &Received{SoftFail, "", []Pair{{"a", "1"}}}},
		{"", nil},
		{"passed", nil},
		{"pass (open", nil},
		{"pass a", nil},
		{"pass a=\"open", nil},
		{"pass a=1 b=2", nil},
		{"pass ;", nil},
		{"pass =x", nil},
		{"pass " + strings.Repeat("a=1;", maxPairs+1), nil},
		{"pass " + strings.Repeat(" ", maxField), nil},
		{"pass " + strings.Repeat("(", maxField/2), nil},
	} {
		got, err := ParseReceivedSPF(c.field)
		if c.want == nil && err == nil || c.want != nil && (err != nil || !reflect.DeepEqual(got, *c.want)) {
			t.Errorf("%.80q: got %+v, %v, want %+v", c.field, got, err, c.want)
		}
	}
}

func FuzzReceivedSPF(f *testing.F) {
	for _, field := range []string{
		"pass (x) receiver=a; client-ip=192.0.2.1;", "fail (a (b) \\)) helo=\"x\\\"y\" ; a.b=", "none", "permerror problem=\"a\r\n b\"",
		" neutral\r\n\t(c)\r\n k = v ; k=w", "softfail a=\"\x80\t\"",
	} {
		f.Add(field, "mail.example.net", "a@example.com")
	}
	f.Fuzz(func(t *testing.T, field, helo, from string) {
		if r, err := ParseReceivedSPF(field); err == nil {
			printed := r.String()
			again, err := ParseReceivedSPF(printed)
			if err != nil && len(printed) <= maxField {
				t.Fatalf("%q is printed as %q: %v", field, printed, err)
			}
			if err == nil && (again.String() != printed || again.Result != r.Result || len(again.Pairs) != len(r.Pairs)) {
				t.Fatalf("%q is printed as %q and then %q", field, printed, again.String())
			}
		}
		q := Query{IP: netip.MustParseAddr("192.0.2.1"), Helo: helo, MailFrom: from, Receiver: "mx.example.org"}
		void := resolverFunc(func(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
			return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
		})
		checkField(t, Check(context.Background(), void, q), q)
	})
}
