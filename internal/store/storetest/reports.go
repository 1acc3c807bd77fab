package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// raw is something that arrived at noon of the day after the reports'.
func raw(text string) store.Raw {
	return store.Raw{Hash: sha256.Sum256([]byte(text)), Size: int64(len(text)), Name: "r.xml", Input: "file", At: noon,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func row(ip string, count int64) store.Row {
	return store.Row{SourceIP: netip.MustParseAddr(ip), Count: count, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: "example.com",
		EnvelopeFrom: "bounces.example.net", Reasons: []store.Reason{{Type: "mailing_list", Comment: "a list"}},
		AuthDKIM: []store.AuthDKIM{{Domain: "example.com", Selector: "s1", Result: "pass"}},
		AuthSPF:  []store.AuthSPF{{Domain: "bounces.example.net", Scope: "mfrom", Result: "pass"}}}
}

// aggregate is a report of the day before noon's.
func aggregate(id string, rows ...store.Row) store.Report {
	return store.Report{Kind: store.Aggregate, Reporter: "Example Inc.", Email: "dmarc@example.net", ReportID: id, Domain: "example.com",
		Begin: noon.Add(-36 * time.Hour), End: noon.Add(-12*time.Hour - time.Second), Content: sha256.Sum256([]byte(id)), Part: "r.xml",
		Warnings: []string{"record 3: no source_ip: left out"},
		Document: json.RawMessage(`{"kind":"aggregate","policy":{"domain":"example.com","p":"reject"}}`), Rows: Rows(rows...)}
}

func arrive(t *testing.T, s store.Store, all ...store.Arrival) []store.Added {
	t.Helper()
	added, err := s.AddArrivals(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// ask runs a question that must be answered.
func ask[Q, A any](t *testing.T, question func(Q) (A, error), q Q) A {
	t.Helper()
	a, err := question(q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func reports(t *testing.T, s store.Store, f store.ReportFilter) []store.ReportInfo {
	t.Helper()
	found, err := s.Reports(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// ids is the reports found, shortly: "1 2".
func ids(found []store.ReportInfo) string {
	var all []string
	for _, r := range found {
		all = append(all, r.ReportID)
	}
	return strings.Join(all, " ")
}

func messages(t *testing.T, s store.Store, q store.Question) (sum int64) {
	t.Helper()
	days, err := s.ReportDays(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range days {
		sum += d.Messages
	}
	return sum
}

func every[T any](t *testing.T, all iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for v, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func reportOnce(t *testing.T, open Place) {
	s := open(t)
	r := aggregate("1", row("192.0.2.1", 5), row("2001:db8::1", 7))
	for i, want := range []store.Added{{Reports: []string{"new"}}, {Known: true, Reports: []string{"known"}}, {Known: true, Reports: []string{"known"}}} {
		if got := arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{r}})[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("time %d: got %+v, want %+v", i+1, got, want)
		}
	}
	s = open(t)
	other := store.Arrival{Raw: raw("another wrapping"), Reports: []store.Report{r, r}}
	if got := arrive(t, s, other, other); !reflect.DeepEqual(got, []store.Added{{Reports: []string{"known", "known"}},
		{Known: true, Reports: []string{"known", "known"}}}) {
		t.Errorf("in another wrapping: got %+v", got)
	}
	if n := messages(t, s, store.Question{}); n != 12 {
		t.Errorf("%d messages, want 12", n)
	}
	raws := every(t, s.Raws(t.Context(), store.RawFilter{}))
	if len(raws) != 2 || raws[0].Times != 3 || raws[1].Times != 2 || raws[1].Reports != 1 {
		t.Errorf("got %+v", raws)
	}
	info, err := s.Report(t.Context(), reports(t, s, store.ReportFilter{})[0].ID)
	if err != nil || !slices.Equal(info.Raws, []store.Hash{raw("one").Hash, raw("another wrapping").Hash}) {
		t.Errorf("got %+v, %v", info, err)
	}
}

// Each part of a report's identity makes another report.
func reportIdentity(t *testing.T, open Place) {
	s := open(t)
	n := 0
	for name, change := range map[string]func(*store.Report){
		"nothing": func(*store.Report) {}, "reporter": func(r *store.Report) { r.Reporter = "Another" },
		"id": func(r *store.Report) { r.ReportID = "2" }, "domain": func(r *store.Report) { r.Domain = "example.org" },
		"begin": func(r *store.Report) { r.Begin = r.Begin.Add(time.Second) }, "end": func(r *store.Report) { r.End = r.End.Add(time.Second) },
	} {
		r := aggregate("1", row("192.0.2.1", 1))
		change(&r)
		n++
		if got := arrive(t, s, store.Arrival{Raw: raw(name), Reports: []store.Report{r}})[0]; got.Known || got.Reports[0] != store.ReportNew {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	r := aggregate("1", row("192.0.2.1", 1))
	r.Domain = "EXAMPLE.com"
	if got := arrive(t, s, store.Arrival{Raw: raw("capitals"), Reports: []store.Report{r}})[0]; got.Reports[0] != store.ReportKnown {
		t.Errorf("a domain in capitals: got %+v", got)
	}
	if got := messages(t, s, store.Question{}); got != int64(n) {
		t.Errorf("%d messages, want %d", got, n)
	}
}

func reportConflict(t *testing.T, open Place) {
	s := open(t)
	first, second := aggregate("1", row("192.0.2.1", 5)), aggregate("1", row("192.0.2.2", 7))
	second.Content[0]++
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{first, aggregate("2")}})
	if got := arrive(t, s, store.Arrival{Raw: raw("two"), Reports: []store.Report{second}})[0].Reports[0]; got != store.ReportConflicting {
		t.Errorf("got %q", got)
	}
	if got := ids(reports(t, s, store.ReportFilter{Conflicting: true})); got != "1 1" {
		t.Errorf("marked are %q, want both", got)
	}
	if n := messages(t, s, store.Question{}); n != 12 {
		t.Errorf("%d messages, want both counted: 12", n)
	}
	if _, err := s.Reread(t.Context(), store.Arrival{Raw: raw("two"), Refusals: []string{"cut off"}}); err != nil {
		t.Fatal(err)
	}
	if got := reports(t, s, store.ReportFilter{Conflicting: true}); len(got) != 0 {
		t.Errorf("the one that is left is marked: %+v", got)
	}
}

func reportRefused(t *testing.T, open Place) {
	s := open(t)
	arrive(t, s,
		store.Arrival{Raw: raw("junk"), Refusals: []string{"r.xml: cut off after 4 bytes\x00\xff"}},
		store.Arrival{Raw: raw("in part"), Refusals: []string{"2/r.xml: no XML"}, Reports: []store.Report{aggregate("1")}},
		store.Arrival{Raw: raw("nothing")}, store.Arrival{Raw: raw("good"), Reports: []store.Report{aggregate("2")}})
	var got []string
	for _, r := range every(t, s.Raws(t.Context(), store.RawFilter{Refused: true})) {
		from, err := s.OpenRaw(t.Context(), r.Hash)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(from)
		if err := errors.Join(err, from.Close()); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s: %q", text, r.Refusals))
	}
	if want := []string{`junk: ["r.xml: cut off after 4 bytes��"]`, `nothing: ["there is no report in it"]`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(every(t, s.Raws(t.Context(), store.RawFilter{Refusals: true}))); n != 3 {
		t.Errorf("%d have refusals, want 3", n)
	}
	all := every(t, s.Raws(t.Context(), store.RawFilter{Refusals: true, Latest: true}))
	if len(all) != 3 || all[0].Refusals[0] != "there is no report in it" || all[2].Refusals[0] != "r.xml: cut off after 4 bytes��" {
		t.Errorf("the latest first are %+v", all)
	}
	if got := every(t, s.Raws(t.Context(), store.RawFilter{Refusals: true, Latest: true, Before: all[1].ID, Limit: 5})); len(got) != 1 || got[0].ID != all[2].ID {
		t.Errorf("before the second is %+v", got)
	}
}

func reportAtomic(t *testing.T, open Place) {
	s := open(t)
	broken := aggregate("2")
	broken.Rows = func(yield func(store.Row, error) bool) {
		for range 3000 {
			if !yield(row("192.0.2.9", 1), nil) {
				return
			}
		}
		yield(store.Row{}, io.ErrUnexpectedEOF)
	}
	good := store.Arrival{Raw: raw("good"), Reports: []store.Report{aggregate("1", row("192.0.2.1", 5))}}
	lost, other := raw("lost"), raw("other")
	lost.Open = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	other.Open = raw("other bytes").Open
	kind, document := aggregate("3"), aggregate("3")
	kind.Kind, document.Document = "odd", json.RawMessage("{")
	for name, a := range map[string]store.Arrival{
		"rows that break off": {Raw: raw("bad"), Reports: []store.Report{broken}}, "bytes that cannot be had": {Raw: lost},
		"other bytes than those of the hash": {Raw: other}, "an unknown kind": {Raw: raw("bad"), Reports: []store.Report{kind}},
		"a document that is no JSON": {Raw: raw("bad"), Reports: []store.Report{document}},
	} {
		if got, err := s.AddArrivals(t.Context(), []store.Arrival{good, a}); err == nil || got != nil {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if n := messages(t, s, store.Question{}); n != 0 || len(reports(t, s, store.ReportFilter{})) != 0 || len(every(t, s.Raws(t.Context(), store.RawFilter{}))) != 0 {
		t.Errorf("something was written: %d messages", n)
	}
	if ips, err := s.AddressesBefore(t.Context(), time.Time{}, 10); err != nil || len(ips) != 0 {
		t.Errorf("something was written: %v, %v", ips, err)
	}
	arrive(t, s, good)
	if d := ask(t, func(ip string) (store.SourceDetail, error) {
		return s.Source(t.Context(), store.Question{}, netip.MustParseAddr(ip))
	}, "192.0.2.1"); len(d.HeaderFrom) != 1 || d.HeaderFrom[0].Name != "example.com" || d.Messages != 5 {
		t.Errorf("what was learnt from a transaction that failed was believed: %+v", d)
	}
}

func reportWhole(t *testing.T, open Place) {
	s := open(t)
	rows := []store.Row{row("192.0.2.1", 5), row("::ffff:192.0.2.2", 0), {Count: 3, Disposition: "odd"}}
	for range 5000 { // several chunks
		rows = append(rows, row("2001:db8::1", 1))
	}
	rows[4999].EnvelopeTo = "example.org"
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{aggregate("1", rows...)}})
	rows[1].SourceIP = netip.MustParseAddr("192.0.2.2")
	info := reports(t, s, store.ReportFilter{})[0]
	if got := every(t, s.ReportRows(t.Context(), info.ID)); !reflect.DeepEqual(got, rows) {
		t.Errorf("got %d rows, want %d, the first %+v", len(got), len(rows), got[0])
	}
	for range 50 { // more than there are connections
		for range s.ReportRows(t.Context(), info.ID) {
			break
		}
	}
	got, err := s.Report(t.Context(), info.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := store.ReportInfo{ID: info.ID, Kind: "aggregate", Domain: "example.com", Reporter: "Example Inc.", Email: "dmarc@example.net", ReportID: "1",
		Begin: noon.Add(-36 * time.Hour), End: noon.Add(-12*time.Hour - time.Second), Day: noon.Add(-36 * time.Hour), At: noon, Part: "r.xml",
		Verified: true, Records: 5003, Messages: 5008, Kept: true, Warnings: []string{"record 3: no source_ip: left out"},
		Raws: []store.Hash{raw("one").Hash}, Document: aggregate("1").Document}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if _, err := s.Report(t.Context(), 99); !errors.Is(err, store.ErrNoReport) {
		t.Errorf("a report that there is not: %v", err)
	}
}

func reportBounded(t *testing.T, open Place) {
	s := open(t)
	long := strings.Repeat("é\x00\xff", 50_000)
	r := aggregate("1", store.Row{SourceIP: netip.MustParseAddr("fe80::1%eth0"), Count: 1 << 62, Disposition: long, DKIM: long, SPF: long, HeaderFrom: long,
		EnvelopeFrom: long, EnvelopeTo: long, Reasons: slices.Repeat([]store.Reason{{Type: long, Comment: long}}, 99),
		AuthDKIM: slices.Repeat([]store.AuthDKIM{{Domain: long, Selector: long, Result: long, HumanResult: long}}, 99),
		AuthSPF:  slices.Repeat([]store.AuthSPF{{Domain: long, Scope: long, Result: long, HumanResult: long}}, 99)},
		store.Row{Count: -5})
	r.Reporter, r.ReportID, r.Email, r.Part, r.Domain = long, long, long, long, long
	r.Warnings = slices.Repeat([]string{long}, 1000)
	r.Begin, r.End = time.Unix(-1<<55, 0), time.Unix(1<<55, 0)
	other := raw("one")
	other.Name, other.Input, other.MailFrom, other.AuthorDomain, other.ClientIP = long, long, long, long, long
	arrive(t, s, store.Arrival{Raw: other, Reports: []store.Report{r}, Refusals: slices.Repeat([]string{long}, 1000)})
	info := reports(t, s, store.ReportFilter{})[0]
	rows := every(t, s.ReportRows(t.Context(), info.ID))
	b, err := json.Marshal([]any{info, rows, every(t, s.Raws(t.Context(), store.RawFilter{}))[0].Refusals})
	if err != nil || len(b) > 400_000 || bytes.Contains(b, []byte(`\u0000`)) {
		t.Errorf("%d bytes were kept, %v", len(b), err)
	}
	if len(rows) != 2 || rows[0].Count > 1<<32 || rows[1].Count != 0 || rows[0].SourceIP.Zone() != "" {
		t.Errorf("got %d rows", len(rows))
	}
	if n := messages(t, s, store.Question{}); n != rows[0].Count {
		t.Errorf("%d messages", n)
	}
}

// A report counts on the day that holds the middle of its period.
func reportDay(t *testing.T, open Place) {
	s := open(t)
	at := func(text string) time.Time {
		v, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for i, c := range []struct{ begin, end, day string }{
		{"2026-11-23 00:00:00", "2026-11-23 23:59:59", "2026-11-23"},
		{"2026-11-22 17:00:00", "2026-11-23 17:00:00", "2026-11-23"},
		{"2026-11-22 00:00:00", "2026-11-22 00:00:00", "2026-11-22"},
		{"2026-11-01 00:00:00", "2026-11-21 00:00:00", "2026-11-11"},
		{"2026-11-20 00:00:00", "2826-11-20 00:00:00", "2026-11-24"}, // not in the future
		{"1971-01-01 00:00:00", "1971-01-02 00:00:00", "2010-01-01"},
		{"2026-11-22 12:00:00", "2026-11-20 00:00:00", "2026-11-22"}, // the wrong way round
	} {
		r := aggregate(fmt.Sprint(i), row("192.0.2.1", 1))
		r.Begin, r.End = at(c.begin), at(c.end)
		arrive(t, s, store.Arrival{Raw: raw(fmt.Sprint(i)), Reports: []store.Report{r}})
		for _, info := range reports(t, s, store.ReportFilter{Text: r.ReportID, Domain: "example.com"}) {
			if got := info.Day.Format(time.DateOnly); info.ReportID == r.ReportID && got != c.day {
				t.Errorf("%s to %s: counts on %s, want %s", c.begin, c.end, got, c.day)
			}
		}
	}
	none := aggregate("none", row("192.0.2.1", 1))
	none.Begin, none.End = time.Time{}, time.Time{}
	arrive(t, s, store.Arrival{Raw: raw("none"), Reports: []store.Report{none}})
	if got := reports(t, s, store.ReportFilter{Text: "none"})[0]; got.Day.Format(time.DateOnly) != "2026-11-24" || !got.Begin.IsZero() {
		t.Errorf("without a period: %+v", got)
	}
}

func reportVerified(t *testing.T, open Place) {
	s := open(t)
	for i, c := range []struct {
		dmarc, token, domain string
		want                 bool
	}{
		{"", "", "example.com", true}, {"pass", "", "example.com", true}, {"fail", "", "example.com", false}, {"none", "", "example.com", false},
		{"temperror", "", "example.com", false}, {"permerror", "", "example.com", false}, {"pass", "example.com", "example.com", true},
		{"pass", "Example.COM", "mail.example.com", true}, {"pass", "example.org", "example.com", false},
		{"pass", "ample.com", "example.com", false}, {"", "example.org", "example.com", false},
	} {
		r, from := aggregate(fmt.Sprint("v", i), row("192.0.2.1", 1)), raw(fmt.Sprint(i))
		r.Domain, from.DMARC, from.TokenDomain = c.domain, c.dmarc, c.token
		arrive(t, s, store.Arrival{Raw: from, Reports: []store.Report{r}})
		got := reports(t, s, store.ReportFilter{Text: r.ReportID})
		if got = slices.DeleteFunc(got, func(i store.ReportInfo) bool { return i.ReportID != r.ReportID }); got[0].Verified != c.want {
			t.Errorf("%+v: verified %t", c, got[0].Verified)
		}
	}
	if all, only := messages(t, s, store.Question{}), messages(t, s, store.Question{Verified: true}); all != 11 || only != 4 {
		t.Errorf("%d messages, %d of them verified, want 11 and 4", all, only)
	}
	// The same report by a way that is trusted.
	arrive(t, s, store.Arrival{Raw: raw("file"), Reports: []store.Report{aggregate("v2", row("192.0.2.1", 1))}})
	if all, only := messages(t, s, store.Question{}), messages(t, s, store.Question{Verified: true}); all != 11 || only != 5 {
		t.Errorf("then %d messages, %d of them verified, want 11 and 5", all, only)
	}
	if got := reports(t, s, store.ReportFilter{Unverified: true}); len(got) != 6 {
		t.Errorf("%d are not verified, want 6", len(got))
	}
}

func rawsWhole(t *testing.T, open Place) {
	s := open(t)
	var b strings.Builder
	for i := range 400_000 { // does not shrink to nothing
		h := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
		b.Write(h[:8])
	}
	for _, text := range []string{"", "x", b.String()} {
		arrive(t, s, store.Arrival{Raw: raw(text)})
		from, err := s.OpenRaw(t.Context(), raw(text).Hash)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(from)
		if err := errors.Join(err, from.Close()); err != nil || string(got) != text {
			t.Errorf("%d bytes came back as %d, %v", len(text), len(got), err)
		}
	}
	if _, err := s.OpenRaw(t.Context(), store.Hash{}); !errors.Is(err, store.ErrNoRaw) {
		t.Errorf("bytes that never came: %v", err)
	}
	var many []store.Arrival
	for n := range 250 {
		many = append(many, store.Arrival{Raw: raw(fmt.Sprint("number ", n))})
	}
	arrive(t, s, many...)
	for limit, want := range map[int]int{0: 253, 5: 5, 100: 100, 101: 101, 1000: 253} {
		all := every(t, s.Raws(t.Context(), store.RawFilter{Limit: limit}))
		if len(all) != want || !slices.IsSortedFunc(all, func(a, b store.RawInfo) int { return int(a.ID - b.ID) }) {
			t.Errorf("with the limit %d: %d", limit, len(all))
		}
	}
}

func reportsFiltered(t *testing.T, open Place) {
	s := open(t)
	for i := range 6 {
		r := aggregate(fmt.Sprint("r", i), row("192.0.2.1", 1))
		r.Begin, r.End = noon.AddDate(0, 0, -10-i/2), noon.AddDate(0, 0, -10-i/2)
		from := raw(r.ReportID)
		switch i {
		case 1:
			r.Domain, r.Email = "example.org", "50%_x@example.net"
		case 2:
			r.Reporter = "Другой"
		case 3:
			from.DMARC = "fail"
		case 4:
			r.Kind, r.Rows = store.TLS, nil
		}
		arrive(t, s, store.Arrival{Raw: from, Reports: []store.Report{r}})
	}
	first := reports(t, s, store.ReportFilter{})
	for _, c := range []struct {
		name   string
		filter store.ReportFilter
		want   string
	}{
		{"all", store.ReportFilter{}, "r1 r0 r3 r2 r5 r4"},
		{"the first", store.ReportFilter{Limit: 2}, "r1 r0"},
		{"what comes after", store.ReportFilter{Limit: 2, Before: first[1].ID}, "r3 r2"},
		{"what comes after, of a domain", store.ReportFilter{Before: first[2].ID, Domain: "Example.com"}, "r2 r5 r4"},
		{"domain", store.ReportFilter{Domain: "example.org"}, "r1"}, {"unknown domain", store.ReportFilter{Domain: "example.edu"}, ""},
		{"domains", store.ReportFilter{Domains: []string{"example.edu", "Example.org"}}, "r1"}, {"no domain", store.ReportFilter{Domains: []string{}}, ""},
		{"one of the domains", store.ReportFilter{Domains: []string{"example.com", "example.org"}, Domain: "example.org"}, "r1"},
		{"what comes after, of domains", store.ReportFilter{Domains: []string{"example.com", "example.edu"}, Before: first[2].ID, Limit: 2}, "r2 r5"},
		{"odd domains", store.ReportFilter{Domains: []string{"') OR ('1' = '1", ""}}, ""},
		{"reporter", store.ReportFilter{Reporter: "Другой"}, "r2"}, {"kind", store.ReportFilter{Kind: store.TLS}, "r4"},
		{"unverified", store.ReportFilter{Unverified: true}, "r3"},
		{"period", store.ReportFilter{From: noon.AddDate(0, 0, -11), To: noon.AddDate(0, 0, -11)}, "r3 r2"},
		{"text of an id", store.ReportFilter{Text: "R3"}, "r3"}, {"text of an address", store.ReportFilter{Text: "50%_"}, "r1"},
		{"text that is no pattern", store.ReportFilter{Text: "r%"}, ""}, {"text of a domain", store.ReportFilter{Text: "ample.org"}, "r1"},
	} {
		if got := ids(reports(t, s, c.filter)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func reportsInjection(t *testing.T, open Place) {
	s := open(t)
	odd := `x'); drop table reports; --"%_\`
	r := aggregate(odd, store.Row{SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 1, HeaderFrom: odd, EnvelopeFrom: odd, DKIM: odd, SPF: odd, Disposition: odd,
		AuthDKIM: []store.AuthDKIM{{Domain: odd, Selector: odd, Result: odd}}})
	r.Reporter, r.Domain, r.Email, r.Warnings = odd, odd, odd, []string{odd}
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{r}})
	q := store.Question{Domains: []string{odd}, Reporter: odd}
	if n := messages(t, s, q); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if got := reports(t, s, store.ReportFilter{Domain: odd, Reporter: odd, Text: odd}); len(got) != 1 || got[0].Warnings[0] != odd {
		t.Errorf("got %+v", got)
	}
	d, err := s.Source(t.Context(), q, netip.MustParseAddr("192.0.2.1"))
	if err != nil || d.Messages != 1 || d.Passed != 0 || d.DKIM[0].Selector != odd || d.HeaderFrom[0].Name != odd {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Two programs are handed the same mailbox.
func reportWriters(t *testing.T, open Place) {
	const handles, count = 3, 60
	var all sync.WaitGroup
	var mu sync.Mutex
	states := map[string]int{}
	for h := range handles {
		s := open(t)
		all.Go(func() {
			for n := 0; n < count; n += 10 {
				var some []store.Arrival
				for i := n; i < n+10; i++ {
					r := aggregate(fmt.Sprint("r", i), row(fmt.Sprintf("192.0.2.%d", i), 1), row("2001:db8::1", 2))
					r.Domain, r.Reporter = fmt.Sprintf("d%d.example", i%7), fmt.Sprint("Reporter ", i%5)
					some = append(some, store.Arrival{Raw: raw(fmt.Sprint(i, h%2)), Reports: []store.Report{r}})
				}
				added, err := s.AddArrivals(t.Context(), some)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, a := range added {
					states[a.Reports[0]]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	s := open(t)
	if n := messages(t, s, store.Question{}); n != 3*count || states[store.ReportNew] != count || states[store.ReportKnown] != (handles-1)*count {
		t.Errorf("%d messages, want %d; %v", n, 3*count, states)
	}
}

func reportsClosed(t *testing.T, open Place) {
	s := open(t)
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{aggregate("1", row("192.0.2.1", 1))}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, q := t.Context(), store.Question{}
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(s.AddArrivals(ctx, nil))
	note(s.Reread(ctx, store.Arrival{Raw: raw("one")}))
	note(s.Reports(ctx, store.ReportFilter{}))
	note(s.Report(ctx, 1))
	note(s.OpenRaw(ctx, raw("one").Hash))
	note(s.Domains(ctx, q))
	note(s.ReportDays(ctx, q))
	note(s.TopSources(ctx, q, 1))
	note(s.Source(ctx, q, netip.MustParseAddr("192.0.2.1")))
	note(s.NewSources(ctx, q, 1))
	note(s.Reporters(ctx, q))
	note(s.Policies(ctx, q))
	note(s.TLSDays(ctx, q))
	note(s.TLSFailures(ctx, q, 1))
	note(s.Failures(ctx, store.FailureFilter{}))
	note(s.RedactFailures(ctx, "", time.Time{}))
	note(nil, s.SetMark(ctx, store.SourceMark{Source: "x", Class: "y"}))
	note(nil, s.RemoveMark(ctx, "", "x"))
	note(s.Marks(ctx, ""))
	note(s.Addresses(ctx, []netip.Addr{netip.MustParseAddr("192.0.2.1")}))
	note(nil, s.PutAddresses(ctx, nil))
	note(s.AddressesBefore(ctx, noon, 1))
	for _, err := range s.ReportRows(ctx, 1) {
		note(nil, err)
	}
	for _, err := range s.Raws(ctx, store.RawFilter{}) {
		note(nil, err)
	}
	if i := slices.Index(errs, nil); i >= 0 || len(errs) != 24 {
		t.Errorf("number %d of %d is no error", i, len(errs))
	}
}

func reportsContext(t *testing.T, open Place) {
	s := open(t)
	r := aggregate("1")
	stop := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	r.Rows = func(yield func(store.Row, error) bool) {
		for i := 0; ; i++ { // for ever
			if i == 5000 {
				cancel()
			}
			if !yield(row("192.0.2.1", 1), nil) {
				close(stop)
				return
			}
		}
	}
	if _, err := s.AddArrivals(ctx, []store.Arrival{{Raw: raw("one"), Reports: []store.Report{r}}}); !errors.Is(err, ctx.Err()) {
		t.Errorf("got %v", err)
	}
	<-stop
	if n := messages(t, s, store.Question{}); n != 0 {
		t.Errorf("%d messages", n)
	}
}
