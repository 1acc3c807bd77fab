package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func failure(id string) store.Report {
	return store.Report{Kind: store.Failure, Reporter: "Example Inc.", ReportID: id, Domain: "example.com", Begin: noon, End: noon,
		Content: [32]byte{id[0], 1}, Warnings: []string{"odd: Subject: secret"},
		Document: json.RawMessage(`{"kind":"failure","source_ip":"192.0.2.1","auth_failure":"dkim","original_header":"Subject: secret","original_mail_from":"secret@example.com"}`),
		Failure: &store.FailedMessage{Arrived: noon, SourceIP: netip.MustParseAddr("192.0.2.1"), AuthorDomain: "Example.com", AuthFailure: "dkim",
			Alignment: "none", DeliveryResult: "reject"}}
}

func failureRaw(text string, at time.Time, r ...store.Report) store.Arrival {
	a := store.Arrival{Raw: raw(text), Reports: r, Refusals: []string{"secret"}}
	a.Raw.At, a.Raw.Name = at, "secret.eml"
	return a
}

func failuresKept(t *testing.T, open Place) {
	s := open(t)
	arrive(t, s, failureRaw("f1", noon, failure("1")), failureRaw("f2", noon.Add(24*time.Hour), failure("2")))
	all := ask(t, func(f store.FailureFilter) ([]store.FailureInfo, error) { return s.Failures(t.Context(), f) }, store.FailureFilter{Domain: "example.com"})
	want := store.FailureInfo{Report: all[1].Report, At: noon, ReportedDomain: "example.com", FailedMessage: *failure("1").Failure, Document: failure("1").Document}
	want.AuthorDomain = "example.com"
	if len(all) != 2 || !reflect.DeepEqual(all[1], want) {
		t.Errorf("got  %+v\nwant %+v", all, want)
	}
	for _, f := range []store.FailureFilter{{To: noon}, {From: noon.Add(24 * time.Hour)}, {Limit: 1}} {
		if some := ask(t, func(f store.FailureFilter) ([]store.FailureInfo, error) { return s.Failures(t.Context(), f) }, f); len(some) != 1 {
			t.Errorf("%+v: %d", f, len(some))
		}
	}
	if _, err := s.Reread(t.Context(), failureRaw("f1", noon, failure("1"))); err != nil {
		t.Fatal(err)
	}
	if again := ask(t, func(f store.FailureFilter) ([]store.FailureInfo, error) { return s.Failures(t.Context(), f) }, store.FailureFilter{}); !reflect.DeepEqual(again, all) {
		t.Errorf("read again: %+v", again)
	}
}

// leaks looks for what tells of a person in everything that can be asked for.
func leaks(t *testing.T, s store.Store) (found []string) {
	t.Helper()
	for _, r := range every(t, s.Raws(t.Context(), store.RawFilter{})) {
		if r.Kept {
			found = append(found, "bytes")
		}
		found = append(found, r.Name, strings.Join(r.Refusals, ""))
	}
	for _, r := range reports(t, s, store.ReportFilter{}) {
		whole, err := s.Report(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, string(whole.Document), strings.Join(whole.Warnings, ""))
	}
	return found
}

func failuresRedacted(t *testing.T, open Place) {
	s := open(t)
	var many []store.Arrival
	for n := range 250 {
		r := failure(fmt.Sprintf("%c%d", '0'+n%10, n))
		r.Content[2] = byte(n)
		many = append(many, failureRaw(fmt.Sprint("f", n), noon, r))
	}
	arrive(t, s, many...)
	for done := false; !done; {
		var err error
		if done, err = s.RedactFailures(t.Context(), "example.com", time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	// The same in other bytes does not bring it back.
	r := failure("00")
	r.Content[2] = 0
	r.ReportID = "00"
	arrive(t, s, failureRaw("f0 in another wrapping", noon, r))
	for _, text := range leaks(t, s) {
		if strings.Contains(text, "secret") || text == "bytes" {
			t.Errorf("there is still %q", text)
			break
		}
	}
	all := ask(t, func(f store.FailureFilter) ([]store.FailureInfo, error) { return s.Failures(t.Context(), f) }, store.FailureFilter{})
	if len(all) != 250 || !all[0].Redacted || all[0].AuthFailure != "dkim" || !strings.Contains(string(all[0].Document), `"auth_failure":"dkim"`) {
		t.Errorf("%d are left, the first %+v", len(all), all[0])
	}
}

func reportsPruned(t *testing.T, open Place) {
	s := open(t)
	day := 24 * time.Hour
	old := aggregate("1", row("192.0.2.1", 5))
	old.Begin, old.End = noon.AddDate(0, 0, -100), noon.AddDate(0, 0, -100)
	first, junk, both := raw("one"), raw("junk"), raw("both")
	first.At, junk.At = noon.AddDate(0, 0, -100), noon.AddDate(0, 0, -100)
	arrive(t, s, store.Arrival{Raw: first, Reports: []store.Report{old}}, store.Arrival{Raw: junk},
		store.Arrival{Raw: raw("two"), Reports: []store.Report{aggregate("2", row("192.0.2.2", 7))}},
		failureRaw("old failure", noon.AddDate(0, 0, -100), failure("1")), failureRaw("failure", noon, failure("2")),
		store.Arrival{Raw: both, Reports: []store.Report{failure("3"), aggregate("3", row("192.0.2.3", 9))}})
	state := func() string {
		text := fmt.Sprint(messages(t, s, store.Question{}), " messages;")
		for _, r := range reports(t, s, store.ReportFilter{Kind: store.Aggregate}) {
			text += fmt.Sprintf(" %s:%d%t", r.ReportID, len(every(t, s.ReportRows(t.Context(), r.ID))), r.Kept)
		}
		for _, r := range every(t, s.Raws(t.Context(), store.RawFilter{})) {
			text += fmt.Sprintf(" %d%t", r.Size, r.Kept)
		}
		return text + fmt.Sprint(" ", len(ask(t, func(f store.FailureFilter) ([]store.FailureInfo, error) { return s.Failures(t.Context(), f) }, store.FailureFilter{})))
	}
	for _, c := range []struct {
		name string
		r    store.Retention
		now  time.Time
		want string
	}{
		{"nothing", store.Retention{}, noon.AddDate(90, 0, 0), "21 messages; 3:1true 2:1true 1:1true 3true 4true 3true 11true 7true 4true 3"},
		{"rows", store.Retention{ReportRows: 50 * day}, noon, "21 messages; 3:1true 2:1true 1:0false 3true 4true 3true 11true 7true 4true 3"},
		{"failures", store.Retention{Failures: store.DefaultFailures}, noon, "21 messages; 3:1true 2:1true 1:0false 3true 4true 3true 7true 4true 2"},
		{"raws", store.Retention{Raws: 50 * day}, noon, "21 messages; 3:1true 2:1true 1:0false 3false 3true 7true 4true 2"},
		{"failures beside others", store.Retention{Failures: day}, noon.AddDate(0, 0, 2), "21 messages; 3:1true 2:1true 1:0false 3false 3true 4false 0"},
		{"all", store.Retention{ReportRows: day, Raws: day}, noon.AddDate(0, 0, 90), "21 messages; 3:0false 2:0false 1:0false 3false 3false 4false 0"},
	} {
		prune(t, s, c.r, c.now)
		if got := state(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
	arrive(t, s, store.Arrival{Raw: first, Reports: []store.Report{old}}, store.Arrival{Raw: raw("in other bytes"), Reports: []store.Report{old}})
	if n := messages(t, s, store.Question{}); n != 21 {
		t.Errorf("what came again was counted again: %d messages, want 21", n)
	}
	if _, err := s.OpenRaw(t.Context(), first.Hash); !errors.Is(err, store.ErrNoRaw) {
		t.Errorf("bytes that were deleted: %v", err)
	}
}

func reportsPrunedInParts(t *testing.T, open Place) {
	s := open(t)
	var all []store.Arrival
	for n := range 450 {
		all = append(all, store.Arrival{Raw: raw(fmt.Sprint(n)), Reports: []store.Report{aggregate(fmt.Sprint(n), row("192.0.2.1", 1))}})
	}
	arrive(t, s, all...)
	if rounds := prune(t, s, store.Retention{ReportRows: time.Hour, Raws: time.Hour}, noon.AddDate(0, 0, 9)); rounds < 3 {
		t.Errorf("all went in %d transactions, in which others wait", rounds)
	}
	if got := every(t, s.Raws(t.Context(), store.RawFilter{Kept: true})); len(got) != 0 {
		t.Errorf("%d are left", len(got))
	}
}

func tlsReports(t *testing.T, open Place) {
	s := open(t)
	tls := func(failed int64) store.Arrival {
		return store.Arrival{Raw: raw("tls"), Reports: []store.Report{{Kind: store.TLS, Reporter: "Example Inc.", ReportID: "1", Domain: "example.com",
			Begin: noon, End: noon, Content: [32]byte{1}, Document: json.RawMessage(`{"kind":"tls"}`), TLS: []store.TLSPolicy{
				{Domain: "Example.com", Type: "sts", Successful: 100, Failed: failed, Failures: []store.TLSFailure{
					{Result: "certificate-expired", Sessions: 3, SendingIP: "192.0.2.1", ReceivingMX: "MX.example.com", Information: "odd"},
					{Result: "certificate-expired", Sessions: 2, SendingIP: "192.0.2.2", ReceivingMX: "mx.example.com"}}},
				{Domain: "example.org", Type: "no-policy-found", Successful: 7}}}}}
	}
	day := noon.Truncate(24 * time.Hour)
	want := func(extra ...store.TLSDay) []store.TLSDay {
		return append(extra, store.TLSDay{Day: day, PolicyType: "sts", Result: "success", Sessions: 100},
			store.TLSDay{Day: day, PolicyType: "sts", MX: "mx.example.com", Result: "certificate-expired", Sessions: 5})
	}
	holds := func(what string, want []store.TLSDay) {
		t.Helper()
		got, err := s.TLSDays(t.Context(), store.Question{Domains: []string{"example.com"}})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", what, err, got, want)
		}
	}
	arrive(t, s, tls(9))
	holds("added", want(store.TLSDay{Day: day, PolicyType: "sts", Sessions: 4}))
	for range 2 {
		if _, err := s.Reread(t.Context(), tls(5)); err != nil {
			t.Fatal(err)
		}
		holds("read again", want())
	}
	got, err := s.TLSFailures(t.Context(), store.Question{Domains: []string{"example.com"}, Verified: true, Reporter: "Example Inc."}, 1)
	if err != nil || len(got) != 1 || got[0].Sessions != 3 || got[0].Information != "odd" || got[0].SendingIP != "192.0.2.1" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := s.Reread(t.Context(), store.Arrival{Raw: raw("tls")}); err != nil {
		t.Fatal(err)
	}
	holds("no longer", nil)
}

func marks(t *testing.T, open Place) {
	s := open(t)
	m := store.SourceMark{Domain: "example.com", Source: "192.0.2.0/24", Class: "forwarder", Reason: "our list", Author: "a", At: noon}
	set := func(m store.SourceMark) {
		t.Helper()
		if err := s.SetMark(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	set(m)
	m.Class = "yours"
	set(m)
	other := store.SourceMark{Source: "service-1", Class: "unknown", At: noon}
	set(other)
	list := func(domain string) []store.SourceMark {
		return ask(t, func(d string) ([]store.SourceMark, error) { return s.Marks(t.Context(), d) }, domain)
	}
	if got := list(""); !reflect.DeepEqual(got, []store.SourceMark{other, m}) {
		t.Errorf("got %+v", got)
	}
	if err := s.RemoveMark(t.Context(), "", "service-1"); err != nil {
		t.Error(err)
	}
	if err := s.RemoveMark(t.Context(), "", "service-1"); !errors.Is(err, store.ErrNoMark) {
		t.Errorf("a second time: %v", err)
	}
	if got := list("example.com"); !reflect.DeepEqual(got, []store.SourceMark{m}) {
		t.Errorf("got %+v", got)
	}
	if err := s.SetMark(t.Context(), store.SourceMark{Domain: "example.com"}); err == nil {
		t.Error("a mark without a source was taken")
	}
}

func addresses(t *testing.T, open Place) {
	s := open(t)
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{aggregate("1", row("192.0.2.1", 5), row("2001:db8::1", 7), store.Row{Count: 3})}})
	before := func(at time.Time, limit int) []netip.Addr {
		got, err := s.AddressesBefore(t.Context(), at, limit)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := before(time.Time{}, 10); len(got) != 2 || len(before(time.Time{}, 1)) != 1 {
		t.Errorf("never looked at: %v", got)
	}
	a := store.Address{IP: v4, PTR: "mx.example.com", Confirmed: true, ASN: 4_200_000_000, ASName: "EXAMPLE", Country: "NL", Service: "service-1", LookedAt: noon}
	if err := s.PutAddresses(t.Context(), []store.Address{a, {IP: netip.MustParseAddr("198.51.100.1"), LookedAt: noon}}); err != nil {
		t.Fatal(err)
	}
	// What is known is not lost when the source is seen again.
	arrive(t, open(t), store.Arrival{Raw: raw("two"), Reports: []store.Report{aggregate("2", row("192.0.2.1", 5))}})
	got, err := s.Addresses(t.Context(), []netip.Addr{v4, v6})
	if err != nil || !reflect.DeepEqual(got, []store.Address{a}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got := before(time.Time{}, 10); !reflect.DeepEqual(got, []netip.Addr{v6}) {
		t.Errorf("never looked at: %v", got)
	}
	if got := before(noon.Add(time.Second), 10); len(got) != 3 || got[0] != v6 {
		t.Errorf("not looked at lately: %v", got)
	}
	var many []netip.Addr
	for n := range 1200 {
		many = append(many, netip.AddrFrom4([4]byte{192, 0, byte(2 + n>>8), byte(n)}))
	}
	if got, err := s.Addresses(t.Context(), many); err != nil || len(got) != 1 {
		t.Errorf("of many: %v, %v", got, err)
	}
}
