package storetest

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A model is what a store should hold, kept as simply as can be.
type model struct {
	raws    map[int]bool         // slots that arrived
	refused map[int]bool         // slots in which something could not be read the last time
	reports map[string]*modelled // by id and content
}

type modelled struct {
	report   store.Report
	rows     []store.Row
	day      time.Time
	raws     map[int]bool
	verified bool
	pruned   bool
}

// The slots are what arrives: some raws hold the same reports, some come by a way that is not trusted. A newer parser reads other rows.
const (
	slots    = 14
	versions = 4
)

func slot(n, version int) store.Arrival {
	a := store.Arrival{Raw: raw(fmt.Sprint("slot ", n))}
	a.Raw.At = noon.Add(time.Duration(n) * time.Hour)
	a.Raw.DMARC = []string{"", "pass", "fail"}[n%3]
	for k := range n%3 + 1 {
		id := (n + k*5) % 9
		if version == 2 && id%4 == 1 {
			a.Refusals = append(a.Refusals, "too odd")
			continue
		}
		a.Reports = append(a.Reports, modelReport(id, n%2*(id%2), version))
	}
	return a
}

func modelReport(id, content, version int) store.Report {
	random := rand.New(rand.NewPCG(uint64(id), uint64(content)))
	var rows []store.Row
	for i := range 3 + id*3 {
		r := row(fmt.Sprintf("192.0.2.%d", random.IntN(12)), int64(random.IntN(40)))
		r.DKIM = []string{"pass", "fail", "odd"}[random.IntN(3)]
		r.SPF = []string{"pass", "fail", ""}[random.IntN(3)]
		r.Disposition = []string{"none", "quarantine", "reject", "pass"}[random.IntN(4)]
		r.AuthDKIM[0].Selector = fmt.Sprint("s", random.IntN(3))
		if version == 1 && i%3 == 0 {
			r.Count++
		}
		if version == 3 { // the sums of days stay as they are
			r.SourceIP = r.SourceIP.Next()
		}
		if version != 2 || i%4 != 0 {
			rows = append(rows, r)
		}
	}
	r := aggregate(fmt.Sprint("m", id), rows...)
	r.Content = sha256.Sum256([]byte{byte(id), byte(content)})
	r.Domain, r.Reporter = fmt.Sprintf("d%d.example", id%3), fmt.Sprint("Reporter ", id%2)
	r.Begin = noon.AddDate(0, 0, -id*4)
	r.End = r.Begin.Add(24 * time.Hour)
	if id == 0 {
		r.End = noon.AddDate(300, 0, 0) // so that it counts on the day when it came
	}
	return r
}

func trusted(n int) bool { return n%3 != 2 }

// arrive is what adding a slot does, and with again set, what reading it again does.
func (m *model) arrive(n, version int, again bool) {
	a := slot(n, version)
	if m.raws[n] && !again && m.refused[n] { // what was refused is read when it comes again
		known := 0
		for _, r := range m.reports {
			if r.raws[n] {
				known++
			}
		}
		again = len(a.Reports) > known
	}
	if m.raws[n] != again {
		return
	}
	m.raws[n], m.refused[n] = true, len(a.Refusals) > 0
	held := map[string]bool{}
	for _, r := range a.Reports {
		key := fmt.Sprint(r.ReportID, r.Content)
		held[key] = true
		old := m.reports[key]
		if old == nil {
			day := r.Begin.Add(r.End.Sub(r.Begin) / 2)
			if day.After(a.Raw.At) {
				day = a.Raw.At
			}
			old = &modelled{report: r, day: day.Truncate(24 * time.Hour), raws: map[int]bool{}, verified: trusted(n)}
			old.rows = every2(r)
			m.reports[key] = old
		}
		if !old.pruned && old.raws[n] {
			old.rows = every2(r)
		}
		old.raws[n] = true
		old.verified = old.verified || trusted(n) && !old.pruned
	}
	for key, old := range m.reports {
		if held[key] || !old.raws[n] || old.pruned {
			continue
		}
		delete(old.raws, n)
		old.verified = false
		for other := range old.raws {
			old.verified = old.verified || trusted(other)
		}
		if len(old.raws) == 0 {
			delete(m.reports, key)
		}
	}
}

func every2(r store.Report) (rows []store.Row) {
	for row := range r.Rows {
		rows = append(rows, row)
	}
	return rows
}

func figures(r *store.Row) store.Figures {
	f := store.Figures{Messages: r.Count}
	if r.DKIM == "pass" {
		f.DKIM = r.Count
	}
	if r.SPF == "pass" {
		f.SPF = r.Count
	}
	if r.DKIM == "pass" || r.SPF == "pass" {
		f.Passed = r.Count
	}
	switch r.Disposition {
	case "quarantine":
		f.Quarantined = r.Count
	case "reject":
		f.Rejected = r.Count
	}
	return f
}

func plus(a, b store.Figures) store.Figures {
	return store.Figures{Messages: a.Messages + b.Messages, Passed: a.Passed + b.Passed, DKIM: a.DKIM + b.DKIM, SPF: a.SPF + b.SPF,
		Quarantined: a.Quarantined + b.Quarantined, Rejected: a.Rejected + b.Rejected}
}

// rows goes through all that a question asks for.
func (m *model) rows(q store.Question, each func(*modelled, *store.Row)) {
	for _, r := range m.reports {
		if len(q.Domains) > 0 && !slices.Contains(q.Domains, r.report.Domain) || q.Reporter != "" && q.Reporter != r.report.Reporter ||
			q.Verified && !r.verified || !q.From.IsZero() && r.day.Before(q.From.Truncate(24*time.Hour)) || !q.To.IsZero() && r.day.After(q.To) {
			continue
		}
		for i := range r.rows {
			if r.rows[i].Count > 0 {
				each(r, &r.rows[i])
			}
		}
	}
}

func bySource(m *model, q store.Question) map[netip.Addr]store.Figures {
	sums := map[netip.Addr]store.Figures{}
	m.rows(q, func(_ *modelled, r *store.Row) { sums[r.SourceIP] = plus(sums[r.SourceIP], figures(r)) })
	return sums
}

func ranked(sums map[netip.Addr]store.Figures, firsts map[netip.Addr]time.Time, limit int) []store.SourceFigures {
	var all []store.SourceFigures
	for ip, f := range sums {
		all = append(all, store.SourceFigures{IP: ip, First: firsts[ip], Figures: f})
	}
	slices.SortFunc(all, func(a, b store.SourceFigures) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), a.IP.Compare(b.IP))
	})
	return all[:min(limit, len(all))]
}

func byDay(m *model, q store.Question, is func(*store.Row) bool) []store.DayFigures {
	sums := map[time.Time]store.Figures{}
	m.rows(q, func(of *modelled, r *store.Row) {
		if is(r) {
			sums[of.day] = plus(sums[of.day], figures(r))
		}
	})
	var all []store.DayFigures
	for _, day := range slices.SortedFunc(maps.Keys(sums), time.Time.Compare) {
		all = append(all, store.DayFigures{Day: day, Figures: sums[day]})
	}
	return all
}

// firsts are the days that sources were seen first, whatever the period and the reporter.
func (m *model) firsts(q store.Question) (first, last map[netip.Addr]time.Time) {
	first, last = map[netip.Addr]time.Time{}, map[netip.Addr]time.Time{}
	m.rows(store.Question{Domains: q.Domains, Verified: q.Verified}, func(of *modelled, r *store.Row) {
		if old, ok := first[r.SourceIP]; !ok || of.day.Before(old) {
			first[r.SourceIP] = of.day
		}
		if of.day.After(last[r.SourceIP]) {
			last[r.SourceIP] = of.day
		}
	})
	return first, last
}

// holds asks a store everything, and compares with a recount.
func (m *model) holds(t *testing.T, s store.Store, q store.Question) {
	t.Helper()
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %+v: %v\ngot  %+v\nwant %+v", what, q, err, got, want)
		}
	}
	days, err := s.ReportDays(t.Context(), q)
	same("days", days, byDay(m, q, func(*store.Row) bool { return true }), err)

	total := store.Figures{}
	m.rows(q, func(_ *modelled, r *store.Row) {
		total = plus(total, figures(r))
	})
	domains, err := s.Domains(t.Context(), q)
	sum := store.Figures{}
	for _, d := range domains {
		sum = plus(sum, d.Figures)
	}
	same("domains", sum, total, err)

	first, last := m.firsts(q)
	for _, ip := range []string{"192.0.2.1", "192.0.2.7"} {
		ip := netip.MustParseAddr(ip)
		d, err := s.Source(t.Context(), q, ip)
		same("days of "+ip.String(), d.Days, byDay(m, q, func(r *store.Row) bool { return r.SourceIP == ip }), err)
		same("source "+ip.String(), d.Figures, bySource(m, q)[ip], err)
		same("first and last", []time.Time{d.First, d.Last}, []time.Time{first[ip], last[ip]}, err)
		selectors, dispositions, reporters := map[string]int64{}, map[string]int64{}, map[string]int64{}
		m.rows(q, func(of *modelled, r *store.Row) {
			if r.SourceIP == ip {
				selectors[r.AuthDKIM[0].Selector] += r.Count
				dispositions[r.Disposition] += r.Count
				reporters[of.report.Reporter] += r.Count
			}
		})
		same("selectors", counted(d.DKIM, func(p store.Part) string { return p.Selector }), selectors, nil)
		same("dispositions", counted(d.Dispositions, func(p store.Part) string { return p.Name }), dispositions, nil)
		same("reporters", counted(d.Reporters, func(p store.Part) string { return p.Name }), reporters, nil)
	}
	m.alike(t, s, q)
	if q.Reporter != "" {
		return
	}
	for _, limit := range []int{1, 3, 100} {
		top, err := s.TopSources(t.Context(), q, limit)
		same(fmt.Sprint("top ", limit), top, ranked(bySource(m, q), nil, limit), err)
	}
	fresh := bySource(m, q)
	for ip := range fresh {
		if !q.From.IsZero() && first[ip].Before(q.From.Truncate(24*time.Hour)) {
			delete(fresh, ip)
		}
	}
	found, err := s.NewSources(t.Context(), q, 100)
	same("new sources", found, ranked(fresh, first, 100), err)
}

func counted(all []store.Part, name func(store.Part) string) map[string]int64 {
	sums := map[string]int64{}
	for _, p := range all {
		sums[name(p)] += p.Messages
	}
	return sums
}

func questions(random *rand.Rand) []store.Question {
	from := noon.AddDate(0, 0, -random.IntN(40))
	return []store.Question{{}, {Verified: true}, {Domains: []string{"d1.example"}}, {Domains: []string{"d0.example", "d2.example"}, Verified: true},
		{From: from}, {From: from, To: from.AddDate(0, 0, random.IntN(20)), Domains: []string{"d0.example"}},
		{To: from, Reporter: "Reporter 1"}, {Domains: []string{"none.example"}}}
}

// figuresExact adds, reads again and deletes at random: the figures are at each moment those of a recount.
func figuresExact(t *testing.T, open Place) {
	s := open(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	m := &model{raws: map[int]bool{}, refused: map[int]bool{}, reports: map[string]*modelled{}}
	defer func() {
		if t.Failed() {
			t.Logf("the seed was %d", seed)
		}
	}()
	for step := 0; step < 60 && !t.Failed(); step++ {
		switch n := random.IntN(slots); random.IntN(8) {
		case 0, 1, 2, 3:
			var some []store.Arrival
			for range random.IntN(3) + 1 {
				some = append(some, slot(n, 0))
				m.arrive(n, 0, false)
				n = random.IntN(slots)
			}
			arrive(t, s, some...)
		case 4, 5, 6:
			version := random.IntN(versions)
			for range 2 { // the second time changes nothing
				if _, err := s.Reread(t.Context(), slot(n, version)); (err == nil) != m.raws[n] {
					t.Fatalf("step %d: %v", step, err)
				}
				m.arrive(n, version, true)
			}
		case 7:
			if step%2 == 0 {
				break
			}
			before := noon.AddDate(0, 0, -30)
			prune(t, s, store.Retention{ReportRows: 24 * time.Hour}, before.Add(24*time.Hour))
			for _, r := range m.reports {
				r.pruned = r.pruned || r.day.Before(before.Truncate(24*time.Hour)) && len(r.rows) > 0
			}
		}
		for i, q := range questions(random) {
			if i == step%8 || step%5 == 4 {
				m.holds(t, s, q)
			}
		}
		conflicting := 0
		for _, a := range m.reports {
			for _, b := range m.reports {
				if a != b && a.report.ReportID == b.report.ReportID {
					conflicting++
					break
				}
			}
		}
		if got := len(reports(t, s, store.ReportFilter{Conflicting: true})); got != conflicting {
			t.Errorf("%d are marked as conflicting, want %d", got, conflicting)
		}
		if got := len(reports(t, s, store.ReportFilter{})); got != len(m.reports) {
			t.Errorf("%d reports, want %d", got, len(m.reports))
		}
	}
}

// Many sources with about as many messages each are the hardest to tell the first of.
func topExact(t *testing.T, open Place) {
	s := open(t)
	random := rand.New(rand.NewPCG(3, 4))
	m := &model{reports: map[string]*modelled{}}
	var all []store.Arrival
	for n := range 40 {
		var rows []store.Row
		for range 40 {
			r := row(fmt.Sprintf("198.51.%d.%d", random.IntN(4), random.IntN(100)), int64(random.IntN(30)))
			if random.IntN(10) == 0 {
				r.SourceIP, r.Count = netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", random.IntN(20))), int64(random.IntN(1000))
			}
			rows = append(rows, r)
		}
		r := aggregate(fmt.Sprint(n), rows...)
		r.Begin = noon.AddDate(0, 0, -n)
		r.End, r.Domain = r.Begin, fmt.Sprintf("d%d.example", n%2)
		a := store.Arrival{Raw: raw(fmt.Sprint(n)), Reports: []store.Report{r}}
		verified := n%7 != 0
		if !verified {
			a.Raw.DMARC = "fail"
		}
		all = append(all, a)
		m.reports[r.ReportID] = &modelled{report: r, rows: rows, day: r.Begin.Truncate(24 * time.Hour), verified: verified}
	}
	arrive(t, s, all...)
	for _, q := range []store.Question{{}, {Verified: true}, {Domains: []string{"d1.example"}}, {From: noon.AddDate(0, 0, -20), Domains: []string{"d0.example"}}} {
		for _, limit := range []int{1, 5, 20, 150, 1000} {
			got, err := s.TopSources(t.Context(), q, limit)
			if want := ranked(bySource(m, q), nil, limit); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("the first %d of %+v: %v\ngot  %v\nwant %v", limit, q, err, got, want)
			}
		}
	}
}

// A report that is larger than what is summed up in memory, read again with other rows, and the first ones again.
func rereadLarge(t *testing.T, open Place) {
	s := open(t)
	large := func(shift int) store.Arrival {
		r := aggregate("1")
		r.Rows = func(yield func(store.Row, error) bool) {
			for i := range 12_000 {
				line := row("192.0.2.1", 1)
				line.SourceIP = netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
				if i%100 == 0 {
					line.Count += int64(shift)
					line.EnvelopeFrom = fmt.Sprintf("e%d.example", shift)
				}
				if !yield(line, nil) {
					return
				}
			}
		}
		return store.Arrival{Raw: raw("one"), Reports: []store.Report{r}}
	}
	arrive(t, s, large(0))
	for i, c := range []struct {
		shift int
		state string
		want  int64
	}{{0, store.ReportKnown, 12_000}, {3, store.ReportChanged, 12_360}, {3, store.ReportKnown, 12_360}, {0, store.ReportChanged, 12_000}} {
		got, err := s.Reread(t.Context(), large(c.shift))
		if err != nil || !reflect.DeepEqual(got, store.Added{Known: true, Reports: []string{c.state}}) {
			t.Errorf("%d: got %+v, %v", i, got, err)
		}
		if n := messages(t, s, store.Question{}); n != c.want {
			t.Errorf("%d: %d messages, want %d", i, n, c.want)
		}
		info := reports(t, s, store.ReportFilter{})[0]
		if info.Records != 12_000 || info.Messages != c.want || len(every(t, s.ReportRows(t.Context(), info.ID))) != 12_000 {
			t.Errorf("%d: got %+v", i, info)
		}
	}
	d, err := s.Source(t.Context(), store.Question{}, netip.MustParseAddr("10.0.0.1"))
	if err != nil || len(d.EnvelopeFrom) != 1 || d.EnvelopeFrom[0].Name != "e0.example" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func reporters(t *testing.T, open Place) {
	s := open(t)
	for i := range 4 {
		r := aggregate(fmt.Sprint(i), row("192.0.2.1", 5))
		r.Begin, r.End = noon.AddDate(0, 0, -30+i), noon.AddDate(0, 0, -30+i)
		if i > 1 {
			r.Reporter, r.Document = "Another", json.RawMessage(`{"policy":{"domain":"example.com","p":"none"}}`)
		}
		if i == 3 {
			r.Rows = nil // nothing to tell is no silence
		}
		arrive(t, s, store.Arrival{Raw: raw(fmt.Sprint(i)), Reports: []store.Report{r}})
	}
	got, err := s.Reporters(t.Context(), store.Question{Domains: []string{"example.com"}})
	if want := []store.ReporterInfo{
		{Reporter: "Another", Reports: 2, Messages: 5, Begin: noon.AddDate(0, 0, -28), End: noon.AddDate(0, 0, -27), Last: noon},
		{Reporter: "Example Inc.", Reports: 2, Messages: 10, Begin: noon.AddDate(0, 0, -30), End: noon.AddDate(0, 0, -29), Last: noon},
	}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	seen, err := s.Policies(t.Context(), store.Question{})
	if want := []store.PolicySeen{
		{Domain: "example.com", Policy: json.RawMessage(`{"domain":"example.com","p":"none"}`), Reports: 2, Reporters: 1, First: noon.AddDate(0, 0, -28),
			Last: noon.AddDate(0, 0, -27)},
		{Domain: "example.com", Policy: json.RawMessage(`{"domain":"example.com","p":"reject"}`), Reports: 2, Reporters: 1, First: noon.AddDate(0, 0, -30),
			Last: noon.AddDate(0, 0, -29)},
	}; err != nil || !reflect.DeepEqual(seen, want) {
		t.Errorf("got  %+v, %v\nwant %+v", seen, err, want)
	}
}

// What a raw holds no longer is not vouched for by it, and was not seen on its day.
func rereadTakesBack(t *testing.T, open Place) {
	s := open(t)
	late, early := aggregate("late", row("192.0.2.1", 5)), aggregate("early", row("192.0.2.1", 7), row("192.0.2.2", 9))
	early.Begin, early.End = noon.AddDate(0, 0, -20), noon.AddDate(0, 0, -20)
	doubtful := raw("doubtful")
	doubtful.DMARC = "fail"
	arrive(t, s, store.Arrival{Raw: raw("one"), Reports: []store.Report{late, early}}, store.Arrival{Raw: doubtful, Reports: []store.Report{late}})
	seen := func(verified bool) string {
		q := store.Question{Verified: verified}
		d, err := s.Source(t.Context(), q, netip.MustParseAddr("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := s.NewSources(t.Context(), store.Question{Verified: verified, From: noon.AddDate(0, 0, -5)}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(messages(t, s, q), d.First.Format(" 01-02"), d.Last.Format(" 01-02 "), len(fresh))
	}
	for _, c := range []struct {
		name            string
		a               store.Arrival
		all, verified   string
		removed, states int
	}{
		{"nothing changed", store.Arrival{Raw: raw("one"), Reports: []store.Report{late, early}}, "21 11-04 11-23 0", "21 11-04 11-23 0", 0, 2},
		{"the trusted one is gone", store.Arrival{Raw: raw("one"), Reports: []store.Report{early}}, "21 11-04 11-23 0", "16 11-04 11-04 0", 1, 1},
		{"the early one is gone", store.Arrival{Raw: raw("one"), Refusals: []string{"odd"}}, "5 11-23 11-23 1", "0 01-01 01-01 0", 1, 0},
		{"the last one is gone", store.Arrival{Raw: doubtful}, "0 01-01 01-01 0", "0 01-01 01-01 0", 1, 0},
	} {
		got, err := s.Reread(t.Context(), c.a)
		if err != nil || got.Removed != c.removed || len(got.Reports) != c.states {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
		if all, verified := seen(false), seen(true); all != c.all || verified != c.verified {
			t.Errorf("%s: got %q, verified %q; want %q, %q", c.name, all, verified, c.all, c.verified)
		}
	}
	if _, err := s.Reread(t.Context(), store.Arrival{Raw: raw("never came")}); !errors.Is(err, store.ErrNoRaw) {
		t.Errorf("what never came: %v", err)
	}
}
