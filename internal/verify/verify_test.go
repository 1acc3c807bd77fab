package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// key signs what a test case asks to be signed. It is the same in every run.
var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, ed25519.SeedSize))

// Each file of testdata is a message, the DNS, and what must be found: the members of the Evaluation's JSON that matter.
//
//	-- zone --     a master file; each domain of "sign" has its key added, under the selector s1
//	-- client --   ip, helo, from; a line each
//	-- sign --     domains that sign the message, in this order
//	-- change --   "old => new", a line each: what happens to the message after it was signed
//	-- options --  a line each: diagnose, psl, trace, servfail NAME
//	-- message --
//	-- want --     JSON
//	-- header --   the Authentication-Results as written, if that matters
func TestEvaluations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			c := readCase(t, file)
			e, err := verify.New(c.options).Message(context.Background(), c.client, strings.NewReader(c.message))
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatalf("want: %v", err)
			}
			for _, difference := range missing("", want, got) {
				t.Error(difference)
			}
			field := e.AuthenticationResults("mx.example.org")
			if got := strings.ReplaceAll(field, "\r\n\t", "\n  ") + "\n"; c.header != "" && got != c.header {
				t.Errorf("Authentication-Results: got\n%swant\n%s", got, c.header)
			}
			if _, err := authres.Parse(field); err != nil {
				t.Errorf("Authentication-Results %q: %v", field, err)
			}
			if t.Failed() {
				t.Logf("%s", text)
			}
		})
	}
}

type testCase struct {
	options               verify.Options
	client                verify.Client
	message, want, header string
}

func readCase(t *testing.T, file string) testCase {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := map[string]string{}
	for _, f := range archive.Files {
		part[f.Name] = string(f.Data)
	}
	c := testCase{message: part["message"], want: part["want"], header: part["header"]}
	for line := range strings.Lines(part["client"]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "ip":
			c.client.IP = netip.MustParseAddr(value)
		case "helo":
			c.client.Helo = value
		case "from":
			c.client.MailFrom = value
		}
	}
	zone := part["zone"]
	for _, domain := range strings.Fields(part["sign"]) {
		zone += dkim.ZoneRecord("s1", domain, dkim.Record(key.Public())) + "\n"
		c.message = sign(t, c.message, domain)
	}
	for line := range strings.Lines(part["change"]) {
		old, changed, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " => ")
		if !strings.Contains(c.message, old) {
			t.Fatalf("%q is not in the message", old)
		}
		c.message = strings.Replace(c.message, old, strings.ReplaceAll(changed, `\n`, "\n"), 1)
	}
	z, err := dns.ParseZone(strings.NewReader(zone), file)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &failing{next: z, names: map[string]bool{}}
	c.options.Resolver = resolver
	for line := range strings.Lines(part["options"]) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name {
		case "diagnose":
			c.options.Diagnose = true
		case "trace":
			c.options.Trace = true
		case "psl":
			c.options.Method = "psl"
		case "servfail":
			resolver.names[value] = true
		}
	}
	return c
}

func sign(t testing.TB, text, domain string) string {
	t.Helper()
	var out bytes.Buffer
	signer := dkim.Signer{Domain: domain, Selector: "s1", Key: key, Now: time.Unix(1_700_000_000, 0),
		Canonicalization: dkim.Canonicalization{Header: dkim.Relaxed, Body: dkim.Relaxed}}
	if err := dkim.Sign(&out, strings.NewReader(text), signer); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// missing says where got is not what want asks for; members that want does not name do not matter.
func missing(path string, want, got any) []string {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: got %v, want an object", path, got)}
		}
		var differences []string
		for name, value := range want {
			differences = append(differences, missing(path+"."+name, value, got[name])...)
		}
		return differences
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return []string{fmt.Sprintf("%s: got %v, want %d elements", path, got, len(want))}
		}
		var differences []string
		for i := range want {
			differences = append(differences, missing(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])...)
		}
		return differences
	}
	if !reflect.DeepEqual(want, got) {
		return []string{fmt.Sprintf("%s: got %v, want %v", path, got, want)}
	}
	return nil
}

// failing is a resolver some names of which cannot be reached.
type failing struct {
	next  dns.Resolver
	names map[string]bool
}

func (f *failing) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if f.names[name] {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	return f.next.Lookup(ctx, name, typ)
}

const plain = "From: alice@example.com\r\nSubject: Hello\r\n\r\nHello, Bob.\r\n"

func zone(t testing.TB, text string) *dns.Zone {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(text), "zone")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var client = verify.Client{IP: netip.MustParseAddr("192.0.2.1"), Helo: "mail.example.com", MailFrom: "alice@example.com"}

func TestAResolverThatHangsEndsInTempErrorInTime(t *testing.T) {
	v := verify.New(verify.Options{Resolver: hanging{}, Timeout: 50 * time.Millisecond})
	signed := sign(t, plain, "example.com")
	start := time.Now()
	e, err := v.Message(context.Background(), client, strings.NewReader(signed))
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	for what, got := range map[string]string{
		"spf": e.SPF[0].Result, "helo": e.SPF[1].Result, "dkim": e.DKIM[0].Result, "dmarc": e.DMARC.Result, "iprev": e.IPRev.Result,
	} {
		if got != "temperror" {
			t.Errorf("%s: %s, want temperror", what, got)
		}
	}
}

type hanging struct{}

func (hanging) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	<-ctx.Done()
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: ctx.Err()}
}

func TestTheBudgetOfQueriesHoldsForAMessage(t *testing.T) {
	counted := &counting{next: zone(t, `example.com. TXT "v=spf1 a mx exists:%{i}.example.com -all"`)}
	v := verify.New(verify.Options{Resolver: counted, MaxQueries: 3})
	e, err := v.Message(context.Background(), client, strings.NewReader(sign(t, plain, "example.com")))
	if err != nil {
		t.Fatal(err)
	}
	if n := counted.n.Load(); n > 3 {
		t.Errorf("%d queries, want 3 at most", n)
	}
	if e.DMARC.Result == "pass" {
		t.Errorf("%+v", e.DMARC)
	}
}

func TestAMessageBeyondItsBytesIsNotVouchedFor(t *testing.T) {
	z := zone(t, `_dmarc.example.com. TXT "v=DMARC1; p=reject"`+"\n"+dkim.ZoneRecord("s1", "example.com", dkim.Record(key.Public())))
	signed := sign(t, plain, "example.com")
	for _, c := range []struct {
		limit  int64
		result string
	}{{int64(len(signed)) + 200, "pass"}, {300, "permerror"}} {
		e, err := verify.New(verify.Options{Resolver: z, MaxBytes: c.limit}).Message(context.Background(), client, strings.NewReader(signed))
		if err != nil {
			t.Fatal(err)
		}
		if e.DKIM[0].Result != c.result || (len(e.Limits) > 0) != (c.result != "pass") {
			t.Errorf("limit %d: dkim %s (%s), limits %v; want %s", c.limit, e.DKIM[0].Result, e.DKIM[0].Reason, e.Limits, c.result)
		}
	}
}

func TestAHeaderBeyondItsLimitsIsAResult(t *testing.T) {
	v := verify.New(verify.Options{Resolver: zone(t, ""), Limits: message.Limits{Fields: 10}})
	e, err := v.Message(context.Background(), client, strings.NewReader(strings.Repeat("A: 1\r\n", 20)+plain))
	if err != nil {
		t.Fatal(err)
	}
	if e.DMARC.Result != "permerror" || len(e.Limits) != 1 || !strings.Contains(e.DMARC.Reason, "more than 10 fields") {
		t.Errorf("dmarc %+v, limits %v", e.DMARC, e.Limits)
	}
}

func TestWhatIsNoMessageIsAnError(t *testing.T) {
	v := verify.New(verify.Options{Resolver: zone(t, "")})
	if _, err := v.Message(context.Background(), client, strings.NewReader("\x7fELF\x00\n")); !errors.Is(err, message.ErrNoHeader) {
		t.Errorf("got %v", err)
	}
}

func TestAPanicIsRaisedWhereItCanBeRecovered(t *testing.T) {
	for name, m := range map[string]string{"in SPF": plain, "in DKIM": sign(t, plain, "example.com")} {
		t.Run(name, func(t *testing.T) {
			c := client
			if name == "in DKIM" {
				c = verify.Client{}
			}
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "resolver of the test") {
					t.Errorf("recovered %v", r)
				}
			}()
			verify.New(verify.Options{Resolver: panicking{}}).Message(context.Background(), c, strings.NewReader(m))
			t.Error("it did not panic")
		})
	}
}

type panicking struct{}

func (panicking) Lookup(context.Context, string, dns.Type) (dns.Answer, error) {
	panic("the resolver of the test")
}

func TestCloseEndsWhatRuns(t *testing.T) {
	v := verify.New(verify.Options{Resolver: hanging{}})
	s := v.Begin(context.Background(), client)
	m, err := message.Read(strings.NewReader(sign(t, plain, "example.com")), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s.Header(m.Header)
	done := make(chan struct{})
	go func() { s.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("Close waits for look-ups that nobody needs")
	}
}

func FuzzMessage(f *testing.F) {
	z := zone(f, `
example.com. TXT "v=spf1 include:b.example ~all"
b.example. TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.example.com. TXT "v=DMARC1; p=reject"
`+dkim.ZoneRecord("s1", "example.com", dkim.Record(key.Public())))
	f.Add("alice@example.com", "mail.example.com", sign(f, plain, "example.com"))
	f.Add("", "[192.0.2.1]", "From: a@example.com, b@c.example\nAuthentication-Results: x; spf=pass\n\n")
	f.Add("a@b(.c", "x\x00y", "DKIM-Signature: v=1\nFrom: (((\n")
	f.Fuzz(func(t *testing.T, from, helo, text string) {
		counted := &counting{next: z}
		c := verify.Client{IP: client.IP, Helo: helo, MailFrom: from}
		e, err := verify.New(verify.Options{Resolver: counted, MaxQueries: 50, Diagnose: true}).Message(context.Background(), c, strings.NewReader(text))
		if err != nil {
			return
		}
		if n := counted.n.Load(); n > 50 {
			t.Errorf("%d queries", n)
		}
		field := e.AuthenticationResults("mx.example.org")
		parsed, err := authres.Parse(field)
		if err != nil || parsed.AuthservID != "mx.example.org" {
			t.Errorf("%q: %v", field, err)
		}
		for line := range strings.SplitSeq(field, "\r\n\t") {
			if strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("a line of %q", field)
			}
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
		if e.DMARC.Result == "pass" && len(e.Author.Domains) != 1 {
			t.Errorf("pass for %v", e.Author.Domains)
		}
	})
}
