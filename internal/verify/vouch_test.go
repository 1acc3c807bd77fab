package verify_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

const vouchZone = `
example.com.        TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.example.com. TXT "v=DMARC1; p=reject; adkim=s"
`

// A hop seals a message on its way, with what it found.
type hop struct{ sealer, results string }

// sealed is a message from example.com after some hops, of which the first added a footer before it sealed.
func sealed(t *testing.T, r *failing, hops ...hop) string {
	t.Helper()
	m := sign(t, plain, "example.com") + "-- \r\nHikers\r\n"
	for _, h := range hops {
		s := arc.Sealer{Domain: h.sealer, Selector: "s1", Key: key, AuthservID: "mx." + h.sealer}
		fields, err := arc.Seal(context.Background(), r.next, strings.NewReader(m), s, h.results)
		if err != nil {
			t.Fatal(err)
		}
		for i := len(fields) - 1; i >= 0; i-- {
			m = fields[i].Raw + m
		}
	}
	return m
}

func vouchResolver(t *testing.T) *failing {
	text := vouchZone
	for _, domain := range []string{"example.com", "list.example", "relay.example", "evil.example"} {
		text += dkim.ZoneRecord("s1", domain, dkim.Record(key.Public())) + "\n"
	}
	return &failing{next: zone(t, text), names: map[string]bool{}}
}

func TestTrustedSealersVouchForWhatTheySaw(t *testing.T) {
	const dmarcPass = "dmarc=pass (p=reject) header.from=example.com"
	for _, c := range []struct {
		name   string
		hops   []hop
		change string // added to the body when all have sealed
		fail   string // whose key cannot be looked up
		want   string
		by     string
	}{
		{name: "by DMARC", hops: []hop{{"list.example", dmarcPass}}, want: "pass", by: "list.example"},
		{name: "by an aligned signature", hops: []hop{{"list.example", "dkim=pass header.d=example.com"}}, want: "pass", by: "list.example"},
		{name: "by an aligned AUID", hops: []hop{{"list.example", "dkim=pass header.i=@example.com"}}, want: "pass", by: "list.example"},
		{name: "by SPF", hops: []hop{{"list.example", "spf=pass smtp.mailfrom=a@example.com"}}, want: "pass", by: "list.example"},
		{name: "by one behind another that is trusted", hops: []hop{{"list.example", dmarcPass}, {"relay.example", "dmarc=fail header.from=example.com"}}, want: "pass", by: "list.example"},
		{name: "a signature that is not aligned", hops: []hop{{"list.example", "dkim=pass header.d=sub.example.com"}}},
		{name: "another author", hops: []hop{{"list.example", "dmarc=pass header.from=example.net"}}},
		{name: "what failed", hops: []hop{{"list.example", "dmarc=fail header.from=example.com; dkim=fail header.d=example.com"}}},
		{name: "no results", hops: []hop{{"list.example", "none"}}},
		{name: "a stranger", hops: []hop{{"evil.example", dmarcPass}}},
		{name: "a stranger behind", hops: []hop{{"list.example", dmarcPass}, {"evil.example", dmarcPass}}},
		{name: "a stranger before", hops: []hop{{"evil.example", dmarcPass}, {"list.example", "dmarc=fail header.from=example.com"}}},
		{name: "a body that was changed since", hops: []hop{{"list.example", dmarcPass}}, change: "more\r\n"},
		{name: "a key that cannot be looked up", hops: []hop{{"list.example", dmarcPass}}, fail: "list.example", want: "temperror"},
		{name: "a stranger's key that cannot be looked up", hops: []hop{{"evil.example", dmarcPass}}, fail: "evil.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := vouchResolver(t)
			m := sealed(t, r, c.hops...) + c.change
			r.names["s1._domainkey."+c.fail] = true
			v := verify.New(verify.Options{Resolver: r, Sealers: []string{"list.example", "Relay.Example"}})
			e, err := v.Message(context.Background(), verify.Client{}, strings.NewReader(m))
			if err != nil {
				t.Fatal(err)
			}
			if e.ARC.Vouch != c.want || e.ARC.VouchedBy != c.by {
				t.Errorf("got %q by %q, want %q by %q; %+v", e.ARC.Vouch, e.ARC.VouchedBy, c.want, c.by, e.ARC)
			}
			if e.DMARC.Result != "fail" {
				t.Errorf("dmarc: got %s; what a sealer vouches for is not in DMARC's result", e.DMARC.Result)
			}
		})
	}
}

func TestNobodyIsTrustedUnlessConfigured(t *testing.T) {
	r := vouchResolver(t)
	m := sealed(t, r, hop{"list.example", "dmarc=pass header.from=example.com"})
	e, err := verify.New(verify.Options{Resolver: r}).Message(context.Background(), verify.Client{}, strings.NewReader(m))
	if err != nil || e.ARC.Result != "pass" || e.ARC.Vouch != "" {
		t.Errorf("got %+v, %v, want a chain that passes and vouches for nothing", e.ARC, err)
	}
}

func TestSessionSealsWhatItVerified(t *testing.T) {
	r := vouchResolver(t)
	m := sealed(t, r, hop{"list.example", "dmarc=pass header.from=example.com"})
	msg, err := message.Read(strings.NewReader(m), message.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	s := verify.New(verify.Options{Resolver: r}).Begin(context.Background(), verify.Client{})
	defer s.Close()
	sealer := arc.Sealer{Domain: "relay.example", Selector: "s1", Key: key, AuthservID: "mx.relay.example"}
	if err := s.Seal(sealer); err == nil {
		t.Error("a set was begun before the header was there")
	}
	s.Header(msg.Header)
	if err := s.Seal(sealer); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(s, msg.Body); err != nil {
		t.Fatal(err)
	}
	s.End()
	fields, err := s.Sealed("arc=pass; dmarc=fail header.from=example.com")
	if err != nil || len(fields) != 3 {
		t.Fatalf("got %d fields, %v, want 3", len(fields), err)
	}
	for i := len(fields) - 1; i >= 0; i-- {
		m = fields[i].Raw + m
	}
	chain, err := arc.Verify(context.Background(), r, strings.NewReader(m), arc.Options{})
	if err != nil || chain.Code != arc.Pass || chain.Instances != 2 || chain.Sealers[1] != "relay.example" {
		t.Errorf("got %+v, %v, want a chain of two that passes", chain, err)
	}
}

func TestAddressThatAForwarderRewroteIsToldInTheTrace(t *testing.T) {
	for from, want := range map[string]string{
		"SRS0=HHHH=TT=example.com=alice@fwd.example":                    "alice@example.com, forwarded by fwd.example",
		"srs0+HHHH=TT=example.com=a=b@fwd.example":                      "a=b@example.com, forwarded by fwd.example",
		"SRS1=GGGG=fwd.example==HHHH=TT=example.com=alice@fwd2.example": "alice@example.com, forwarded by fwd.example and fwd2.example",
		"SRS0=HHHH=TT=example.com@fwd.example":                          "",
		"SRS0=HHHH=TTT=example.com=alice@fwd.example":                   "",
		"SRS0==TT=example.com=alice@fwd.example":                        "",
		"SRS1=GGGG=fwd.example=alice@fwd2.example":                      "",
		"SRS1=GGGG@x":       "",
		"SRS0":              "",
		"SRS0@":             "",
		"alice@example.com": "",
		"":                  "",
	} {
		r := vouchResolver(t)
		v := verify.New(verify.Options{Resolver: r, Trace: true})
		e, err := v.Message(context.Background(), verify.Client{IP: client.IP, MailFrom: from}, strings.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if n := len(e.Trace); n > 0 {
			_, got, _ = strings.Cut(e.Trace[n-1], "rewritten by SRS: ")
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", from, got, want)
		}
	}
}
