package arc_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

const plain = "From: alice@example.com\r\nSubject: Hello\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nHello, Bob.\r\n"

// key is the same in every run, so that a failure can be seen again.
var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

func sealer(domain string) arc.Sealer {
	return arc.Sealer{Domain: domain, Selector: "s", Key: key, AuthservID: "mx." + domain, Now: time.Unix(1_800_000_000, 0)}
}

// zone publishes the key for each domain.
func zone(t testing.TB, domains ...string) *dns.Zone {
	t.Helper()
	var text strings.Builder
	for _, d := range domains {
		fmt.Fprintln(&text, dkim.ZoneRecord("s", d, dkim.Record(key.Public())))
	}
	z, err := dns.ParseZone(strings.NewReader(text.String()), "keys")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// seal adds a set on top of a message.
func seal(t testing.TB, r dns.Resolver, message, domain string) string {
	t.Helper()
	fields, err := arc.Seal(context.Background(), r, strings.NewReader(message), sealer(domain), "spf=pass smtp.mailfrom=example.com")
	if err != nil {
		t.Fatal(err)
	}
	for i := len(fields) - 1; i >= 0; i-- {
		message = fields[i].Raw + message
	}
	return message
}

func verify(t testing.TB, r dns.Resolver, message string) arc.Result {
	t.Helper()
	result, err := arc.Verify(context.Background(), r, strings.NewReader(message), arc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestAChainGrowsAndVerifies(t *testing.T) {
	domains := []string{"one.example", "two.example", "three.example"}
	z := zone(t, domains...)
	m := plain
	if r := verify(t, z, m); r.Code != arc.None || r.Instances != 0 {
		t.Errorf("without a chain: %+v", r)
	}
	for i, d := range domains {
		m = seal(t, z, m, d)
		r := verify(t, z, m)
		if r.Code != arc.Pass || r.Instances != i+1 || r.Sealers[i] != d || r.OldestPass != 0 {
			t.Errorf("after %s: %+v", d, r)
		}
		if want := "mx." + d + "; spf=pass smtp.mailfrom=example.com"; r.AuthResults[i] != want {
			t.Errorf("authentication results %q, want %q", r.AuthResults[i], want)
		}
	}
}

func TestWhatWasChangedBreaksTheChain(t *testing.T) {
	z := zone(t, "one.example", "two.example")
	m := seal(t, z, seal(t, z, plain, "one.example"), "two.example")
	for name, changed := range map[string]string{
		"body":                        m + "A footer.\r\n",
		"subject":                     strings.Replace(m, "Subject: Hello", "Subject: [list] Hello", 1),
		"a second From":               strings.Replace(m, "From: ", "From: eve@evil.example\r\nFrom: ", 1),
		"authentication results":      strings.Replace(m, "i=1; mx.one.example; spf=pass", "i=1; mx.one.example; spf=fail", 1),
		"results of the newest":       strings.Replace(m, "i=2; mx.two.example; spf=pass", "i=2; mx.two.example; spf=fail", 1),
		"cv":                          strings.Replace(m, "cv=pass", "cv=none", 1),
		"signature of the older seal": breakLast(m, "ARC-Seal:"),
		"key of the newest":           strings.ReplaceAll(m, "d=two.example", "d=three.example"),
	} {
		if r := verify(t, z, changed); r.Code != arc.Fail || r.Err == nil {
			t.Errorf("%s changed: %s, %v", name, r.Code, r.Err)
		}
	}
}

// breakLast changes the b= of the last field of a name.
func breakLast(m, name string) string {
	i := strings.LastIndex(m, name)
	at := i + strings.Index(m[i:], "b=") + 2
	c := byte('A')
	if m[at] == c {
		c = 'B'
	}
	return m[:at] + string(c) + m[at+1:]
}

func TestOlderMessageSignaturesTellHowFarTheMessageIsUnchanged(t *testing.T) {
	z := zone(t, "one.example", "two.example")
	before := seal(t, z, plain, "one.example")
	changed := strings.Replace(before, "Subject: Hello", "Subject: [list] Hello", 1)

	m, err := message.Read(strings.NewReader(changed), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	body := dkim.NewBody()
	sealing, err := arc.NewSealing(sealer("two.example"), m.Header, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(body, m.Body); err != nil {
		t.Fatal(err)
	}
	body.Close()
	fields, err := sealing.Fields(verify(t, z, before), "arc=pass")
	if err != nil {
		t.Fatal(err)
	}
	if r := verify(t, z, fields[0].Raw+fields[1].Raw+fields[2].Raw+changed); r.Code != arc.Pass || r.OldestPass != 2 {
		t.Errorf("a list that changed the subject and sealed that: %+v, want pass with 2 as the oldest", r)
	}
}

func TestBrokenStructureIsFail(t *testing.T) {
	z := zone(t, "one.example", "two.example", "three.example")
	one := seal(t, z, plain, "one.example")
	two := seal(t, z, one, "two.example")
	three := seal(t, z, two, "three.example")
	field := func(m, name string) string { // the topmost of a name
		i := strings.Index(m, name+":")
		rest := m[i:]
		for end := 0; ; {
			n := strings.Index(rest[end:], "\r\n")
			end += n + 2
			if rest[end] != ' ' && rest[end] != '\t' {
				return rest[:end]
			}
		}
	}
	second := strings.TrimSuffix(two, one)
	for name, m := range map[string]string{
		"a gap":                     strings.Replace(three, second, "", 1),
		"a duplicate":               field(one, "ARC-Seal") + one,
		"a set without its seal":    strings.Replace(one, field(one, "ARC-Seal"), "", 1),
		"a set without its results": strings.Replace(one, field(one, "ARC-Authentication-Results"), "", 1),
		"an instance above 50":      strings.ReplaceAll(strings.ReplaceAll(one, "i=1;", "i=51;"), "cv=none", "cv=pass"),
		"instance 0":                strings.ReplaceAll(one, "i=1;", "i=0;"),
		"cv=pass at i=1":            strings.Replace(one, "cv=none", "cv=pass", 1),
		"cv=none at i=2":            strings.Replace(two, "cv=pass", "cv=none", 1),
		"a seal with h=":            strings.Replace(one, "cv=none;", "cv=none; h=from;", 1),
		"a signature over a seal":   strings.Replace(one, "h=from:", "h=arc-seal:from:", 1),
		"tags that are none":        "ARC-Seal: nonsense\r\n" + one,
	} {
		asked := &counting{next: z}
		r := verify(t, asked, m)
		if r.Code != arc.Fail || r.Err == nil {
			t.Errorf("%s: %s, %v", name, r.Code, r.Err)
		}
		if asked.n > 0 {
			t.Errorf("%s: %d DNS queries for a chain that cannot pass", name, asked.n)
		}
	}
}

type counting struct {
	next dns.Resolver
	n    int
}

func (c *counting) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	c.n++
	return c.next.Lookup(ctx, name, typ)
}

func TestAFailedChainIsNotExtendedAsAValidOne(t *testing.T) {
	z := zone(t, "one.example", "two.example", "three.example")
	broken := strings.Replace(seal(t, z, plain, "one.example"), "Hello, Bob", "Hello, Eve", 1)
	sealed := seal(t, z, broken, "two.example")
	if !strings.Contains(sealed, "cv=fail; d=two.example; i=2") {
		t.Fatalf("the seal over a broken chain:\n%s", sealed)
	}
	r := verify(t, z, sealed)
	if r.Code != arc.Fail || !r.Ended {
		t.Errorf("got %+v", r)
	}
	if again := seal(t, z, sealed, "three.example"); again != sealed {
		t.Errorf("a set was added to a chain that ended in cv=fail:\n%s", again)
	}
}

func TestAKeyThatCannotBeFetchedIsTempError(t *testing.T) {
	z := zone(t, "one.example")
	m := seal(t, z, plain, "one.example")
	if r := verify(t, failing{}, m); r.Code != arc.TempError || !dns.IsTemporary(r.Err) {
		t.Errorf("got %+v", r)
	}
	if r := verify(t, failing{}, m+"x\r\n"); r.Code != arc.Fail {
		t.Errorf("with another body: %+v, want fail: no key would mend it", r)
	}
	if r := verify(t, zone(t), m); r.Code != arc.Fail {
		t.Errorf("without a key: %+v", r)
	}
	if _, err := arc.Seal(context.Background(), failing{}, strings.NewReader(m), sealer("one.example"), "spf=pass"); !errors.Is(err, arc.ErrUnknown) {
		t.Errorf("sealing what is not known: %v", err)
	}
}

type failing struct{}

func (failing) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
}

func TestFiftySetsAreTheMost(t *testing.T) {
	z := zone(t, "one.example")
	m := plain
	for range 50 {
		m = seal(t, z, m, "one.example")
	}
	asked := &counting{next: z}
	if r := verify(t, asked, m); r.Code != arc.Pass || r.Instances != 50 || asked.n != 1 {
		t.Errorf("got %s, %d instances, %v, after %d queries", r.Code, r.Instances, r.Err, asked.n)
	}
	if more := seal(t, z, m, "one.example"); more != m {
		t.Error("a fifty-first set was added")
	}
}

func TestSealTakesTheResultsOfItsAuthservID(t *testing.T) {
	z := zone(t, "one.example")
	m := "Authentication-Results: mx.one.example; spf=pass smtp.mailfrom=a@example.com;\r\n\tdkim=none;\r\n" +
		"Authentication-Results: other.example; spf=fail\r\n" +
		"Authentication-Results: (a; b) MX.one.example 1; dmarc=pass\r\n" +
		"Authentication-Results: mx.one.example; none\r\n" + plain
	fields, err := arc.Seal(context.Background(), z, strings.NewReader(m), sealer("one.example"), "")
	if err != nil {
		t.Fatal(err)
	}
	want := "ARC-Authentication-Results: i=1; mx.one.example; spf=pass smtp.mailfrom=a@example.com;\r\n\tdkim=none;\r\n\tdmarc=pass\r\n"
	if got := fields[2].Raw; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if _, err := arc.Seal(context.Background(), z, strings.NewReader(plain), sealer("one.example"), ""); err == nil {
		t.Error("a message without results was sealed")
	}
}

func TestCommentsMayStandAroundTheInstance(t *testing.T) {
	z := zone(t, "one.example")
	m := strings.Replace(plain, "From:", "X: y\r\nFrom:", 1)
	for _, head := range []string{" i=1;", " (a; b (c) \\)) i (x) = (y) 1 (z);", "\ti = 1\r\n ;"} {
		fields := seal(t, z, m, "one.example")
		changed := strings.Replace(fields, "Results: i=1;", "Results:"+head, 1)
		r := verify(t, z, changed)
		// What was sealed is the text, so the seal alone can break.
		if r.Instances != 1 || len(r.AuthResults) != 1 || r.AuthResults[0] != "mx.one.example; spf=pass smtp.mailfrom=example.com" {
			t.Errorf("%q: %+v", head, r)
		}
	}
	for _, head := range []string{" (i=1;", " I=1;", " i=1 x;", " i;", " i=(1);", " i=-1;", " 1;"} {
		changed := strings.Replace(seal(t, z, m, "one.example"), "Results: i=1;", "Results:"+head, 1)
		if r := verify(t, z, changed); r.Code != arc.Fail || len(r.AuthResults) != 0 {
			t.Errorf("%q: %+v", head, r)
		}
	}
}

func FuzzVerify(f *testing.F) {
	z := zone(f, "one.example", "two.example")
	one := seal(f, z, plain, "one.example")
	f.Add(one)
	f.Add(seal(f, z, one, "two.example"))
	f.Add("ARC-Seal: i=1\r\nARC-Message-Signature: i=1; h=\r\nARC-Authentication-Results: i=1\r\n\r\n")
	f.Fuzz(func(t *testing.T, m string) {
		asked := &counting{next: z}
		r, err := arc.Verify(context.Background(), dns.Limit(z, 200), strings.NewReader(m), arc.Options{})
		if err != nil {
			return
		}
		if asked.n > 100 || r.Instances > 50 {
			t.Errorf("%d queries for %d instances", asked.n, r.Instances)
		}
		if (r.Code == arc.Pass) != (r.Err == nil && r.Instances > 0) {
			t.Errorf("%+v", r)
		}
	})
}

func FuzzSealThenVerify(f *testing.F) {
	z := zone(f, "one.example")
	f.Add("Subject: x\r\n", "body", "spf=pass")
	f.Add("Subject: x\r\n", "body", "spf=pass\r\nX: y\n\r\r\n \x00")
	f.Add("A: \x00\xff\r\n b\r\nFrom : y\r\n", "\r\n \t\r\n", "spf=pass;\r\n\tdkim=none (a)")
	f.Fuzz(func(t *testing.T, header, body, results string) {
		m := header + "From: a@example.com\r\n\r\n" + body
		fields, err := arc.Seal(context.Background(), z, strings.NewReader(m), sealer("one.example"), results)
		if err != nil || len(fields) == 0 {
			return
		}
		sealed := fields[0].Raw + fields[1].Raw + fields[2].Raw + m
		before, _ := arc.Verify(context.Background(), z, strings.NewReader(m), arc.Options{})
		after, err := arc.Verify(context.Background(), z, strings.NewReader(sealed), arc.Options{})
		if err == nil && before.Code == arc.None && after.Code != arc.Pass {
			t.Errorf("%q\nis sealed as\n%q\nwhich is %+v", m, sealed, after)
		}
		checkFields(t, fields)
	})
}
