package alert

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func domain(before, share int64) *insight.Domain {
	d := &insight.Domain{Name: "example.com"}
	for i := range window + baseline {
		day := insight.Day{Day: insight.DayOf(now).AddDate(0, 0, i-window-baseline), Passed: before, Unknown: 100 - before}
		if i >= baseline {
			day.Passed, day.Unknown = share, 100-share
			d.Now.Messages += 100
			d.Now.Passed += share
		}
		d.Days = append(d.Days, day)
	}
	return d
}

func group(kind senders.Kind, n int64, fresh bool) insight.Group {
	return insight.Group{Key: "address:192.0.2.1", Name: "192.0.2.1", Figures: store.Figures{Messages: n}, New: fresh, First: now,
		Class: senders.Class{Kind: kind, Reason: "Nothing authenticates.", Advice: "Mend it."}}
}

func TestWhatIsToldAndWhatIsNot(t *testing.T) {
	c := DefaultConfig()
	for name, k := range map[string]struct {
		change func(*insight.Domain)
		want   []Kind
	}{
		"all is well":                   {func(*insight.Domain) {}, nil},
		"a large new source":            {func(d *insight.Domain) { d.Groups = []insight.Group{group(senders.Unclear, 100, true)} }, []Kind{NewSource}},
		"a small new source":            {func(d *insight.Domain) { d.Groups = []insight.Group{group(senders.Unclear, 99, true)} }, nil},
		"a large source that was there": {func(d *insight.Domain) { d.Groups = []insight.Group{group(senders.Unclear, 1000, false)} }, nil},
		"less passes":                   {func(d *insight.Domain) { *d = *domain(99, 80) }, []Kind{PassRateDrops}},
		"a little less passes":          {func(d *insight.Domain) { *d = *domain(99, 90) }, nil},
		"more passes":                   {func(d *insight.Domain) { *d = *domain(50, 99) }, nil},
		"less passes of few":            {func(d *insight.Domain) { *d = *domain(99, 10); d.Now = store.Figures{Messages: 9} }, nil},
		"a reporter fell silent": {func(d *insight.Domain) {
			d.Silent = []insight.Reporter{{Name: "Big Mail", Usual: oneDay, Since: now.Add(-oneDay)}}
		}, []Kind{SilentReporter}},
		"a reporter is silent for long": {func(d *insight.Domain) {
			d.Silent = []insight.Reporter{{Name: "Big Mail", Since: now.AddDate(0, 0, -20)}}
		}, nil},
		"another policy is seen": {func(d *insight.Domain) {
			d.Policy.Differs = []insight.Difference{{Tag: "p", Published: "reject", Seen: "none"}}
		}, []Kind{PolicyDiffers}},
	} {
		d := domain(99, 99)
		k.change(d)
		var got []Kind
		for _, a := range c.find(d) {
			got = append(got, a.Kind)
			if a.Title == "" || a.Text == "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if !slices.Equal(got, k.want) {
			t.Errorf("%s: got %q, want %q", name, got, k.want)
		}
		off := Config{}
		if all := off.find(d); len(all) > 0 {
			t.Errorf("%s: told though all is switched off: %+v", name, all)
		}
	}
}

// filled is a store in which a new source wrote a lot, under the name of somebody hostile.
func filled(t *testing.T, path string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	var all []store.Arrival
	for ago := 1; ago < 30; ago++ {
		day := insight.DayOf(now).AddDate(0, 0, -ago)
		rows := []store.Row{{SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 100, DKIM: "pass", SPF: "pass", HeaderFrom: "example.com"}}
		if ago == 1 {
			rows = append(rows, store.Row{SourceIP: netip.MustParseAddr("198.51.100.1"), Count: 900, DKIM: "fail", SPF: "fail", HeaderFrom: "example.com"})
		}
		text := fmt.Sprint("report ", ago)
		hash := sha256.Sum256([]byte(text))
		all = append(all, store.Arrival{
			Raw: store.Raw{Hash: hash, At: day, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }},
			Reports: []store.Report{{Kind: store.Aggregate, Reporter: "Big Mail", ReportID: text, Domain: "example.com", Begin: day, End: day.Add(oneDay - time.Second),
				Content: hash, Document: []byte(`{}`), Rows: func(yield func(store.Row, error) bool) {
					for _, r := range rows {
						if !yield(r, nil) {
							return
						}
					}
				}}},
		})
	}
	if _, err := s.AddArrivals(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	return s
}

type mailbox struct {
	mu      sync.Mutex
	letters []outbox.Letter
	err     error
}

func (m *mailbox) Send(_ context.Context, l outbox.Letter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.letters = append(m.letters, l)
	}
	return m.err
}

func runner(s store.Store, m *mailbox) *Runner {
	c := DefaultConfig()
	c.To = []string{"a@example.org"}
	return &Runner{Config: c, Asker: &insight.Asker{Store: s}, Store: s, Mail: m, From: "gatepost@example.org"}
}

func TestAnAlertIsToldOnceByMailAndThenQuietly(t *testing.T) {
	m := &mailbox{}
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := filled(t, path)
	for at := now; at.Before(now.Add(6 * time.Hour)); at = at.Add(time.Hour) { // each as another process
		if err := runner(s, m).Run(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.letters) != 1 {
		t.Fatalf("%d letters", len(m.letters))
	}
	l := m.letters[0]
	for _, want := range []string{"example.com: a new source, 198.51.100.1", "900 messages", "less mail passes", "quiet about the same for 7d"} {
		if !strings.Contains(strings.ReplaceAll(l.Text, "\n", " "), want) {
			t.Errorf("the letter does not say %q:\n%s", want, l.Text)
		}
	}
	if l.Subject != "Gatepost: example.com: a new source, 198.51.100.1, and 1 more" || l.ID == "" {
		t.Errorf("%q, %q", l.Subject, l.ID)
	}
	if err := runner(s, m).Run(t.Context(), now.Add(25*time.Hour)); err != nil || len(m.letters) != 1 {
		t.Errorf("told again on the next day: %v", err)
	}
}

func TestWhatSomebodyElseFoundIsToldOnceWithinItsOwnTime(t *testing.T) {
	m := &mailbox{}
	s := filled(t, filepath.Join(t.TempDir(), "gatepost.db"))
	month := 30 * oneDay
	told := []Alert{{Kind: KeyGone, Domain: "example.com", Subject: "s1", Title: "example.com: a key is gone", Text: "It was there."}}
	for _, at := range []time.Time{now, now.Add(time.Hour), now.Add(8 * oneDay), now.Add(29 * oneDay)} {
		if err := runner(s, m).Tell(t.Context(), told, at, month); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.letters) != 1 || !strings.Contains(m.letters[0].Text, "It was there.") || !strings.Contains(m.letters[0].Text, "for 30d") {
		t.Errorf("%d letters: %+v", len(m.letters), m.letters)
	}
	if err := (&Runner{}).Tell(t.Context(), told, now, month); err != nil {
		t.Errorf("where nobody is to be told: %v", err)
	}
}

func TestOfManyNodesOneTells(t *testing.T) {
	m := &mailbox{}
	path := filepath.Join(t.TempDir(), "gatepost.db")
	filled(t, path)
	var wg sync.WaitGroup
	for range 5 {
		s, err := store.Open(t.Context(), path, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wg.Go(func() {
			if err := runner(s, m).Run(t.Context(), now); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	told := 0
	for _, l := range m.letters {
		told += strings.Count(l.Text, "example.com: ")
	}
	if told != 2 {
		t.Errorf("told %d times: %+v", told, m.letters)
	}
}

func TestWhatAChannelDoesNotTakeIsToldTheNextTimeAndTheOtherIsNotHeldUp(t *testing.T) {
	m := &mailbox{err: errors.New("no")}
	posted := 0
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { posted++ }))
	defer hook.Close()
	r := runner(filled(t, filepath.Join(t.TempDir(), "gatepost.db")), m)
	r.Config.Webhook = hook.URL
	if err := r.Run(t.Context(), now); err == nil || posted != 2 {
		t.Errorf("%v, posted %d", err, posted)
	}
	m.err = nil
	if err := r.Run(t.Context(), now.Add(time.Minute)); err != nil || len(m.letters) != 1 || posted != 2 {
		t.Errorf("%v, %d letters, posted %d", err, len(m.letters), posted)
	}
}

func TestAWebhookGetsJSONThatIsSigned(t *testing.T) {
	secret := "0123456789abcdef"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []Alert
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get(SignatureHeader) != Sign([]byte(secret), body, now) || r.Header.Get("Content-Type") != "application/json" || r.Method != "POST" {
			t.Errorf("%s, header %v", r.Method, r.Header)
		}
		var a Alert
		if err := json.Unmarshal(body, &a); err != nil {
			t.Error(err)
		}
		got = append(got, a)
	}))
	defer hook.Close()
	r := runner(filled(t, filepath.Join(t.TempDir(), "gatepost.db")), nil)
	r.Mail, r.Config.Webhook, r.Config.SecretFile, r.Config.Link = nil, hook.URL, file, "https://gatepost.example.org"
	if err := r.Run(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Kind != NewSource || got[0].Domain != "example.com" || got[0].Subject != "address:198.51.100.1" || got[0].ID == "" ||
		!got[0].At.Equal(now) || got[0].Link == "" {
		t.Errorf("%+v", got)
	}
	// printf 1000000000.body | openssl dgst -sha256 -hmac key
	want := "t=1000000000,v1=caf2fe2beb96b47827a2e1d4549fc83b11c4b3d916cfed24d61aac0905b7bd20"
	if s := Sign([]byte("key"), []byte("body"), time.Unix(1e9, 0)); s != want {
		t.Errorf("signed %q, want %q", s, want)
	}
}

func TestAWebhookIsNotFollowedNorWaitedForNorReadForEver(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	read := 0
	for name, handler := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"a refusal": func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"a long text": func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(500)
			for r.Context().Err() == nil {
				n, err := w.Write(make([]byte, 1<<16))
				read += n
				if err != nil {
					return
				}
			}
		},
	} {
		hook := httptest.NewServer(handler)
		r := &Runner{Config: Config{Webhook: hook.URL + "/secret-path"}}
		err := r.post(t.Context(), []Alert{{Kind: NewSource}}, now)
		if err == nil || strings.Contains(err.Error(), "secret-path") {
			t.Errorf("%s: %v", name, err)
		}
		hook.Close()
	}
	if elsewhere != 0 || read > 64<<20 {
		t.Errorf("posted elsewhere %d times, read %d bytes", elsewhere, read)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r := &Runner{Config: Config{Webhook: silent.URL}}
	if err := r.post(ctx, []Alert{{}}, now); err == nil {
		t.Error("a webhook that says nothing took an alert")
	}
}

// unreadStore counts what could not be read.
type unreadStore struct {
	Store
	raws []store.RawInfo
}

func (u *unreadStore) Raws(_ context.Context, f store.RawFilter) iter.Seq2[store.RawInfo, error] {
	return func(yield func(store.RawInfo, error) bool) {
		for _, r := range u.raws {
			if r.ID > f.After && !yield(r, nil) {
				return
			}
		}
	}
}

func TestReportsThatCannotBeReadAreCountedOverADay(t *testing.T) {
	s := &unreadStore{}
	r := &Runner{Config: Config{UnreadReports: 3}, Store: s}
	add := func(at time.Time) {
		s.raws = append(s.raws, store.RawInfo{ID: int64(len(s.raws) + 1), Raw: store.Raw{At: at}, Refusals: []string{"no XML\x1b"}})
	}
	told := func(at time.Time) int {
		all, err := r.unreadReports(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for range 10 {
		add(now.AddDate(0, 0, -2))
	}
	add(now)
	add(now)
	for range 3 { // an answer to a letter is no report, and was seen to
		add(now)
		s.raws[len(s.raws)-1].Refusals = []string{intake.Settled("obeyed")}
	}
	if told(now) != 0 {
		t.Error("of two, and of what came long ago")
	}
	add(now.Add(time.Hour))
	if told(now.Add(time.Hour)) != 1 {
		t.Error("not of three")
	}
	if told(now.Add(24*time.Hour)) != 0 {
		t.Error("a day after")
	}
}

func TestATableSaysWhatIsWrongWithIt(t *testing.T) {
	fine := DefaultConfig()
	fine.To, fine.Webhook = []string{"a@example.org"}, "https://example.org/hook"
	if key, err := fine.Check(); err != nil {
		t.Fatal(key, err)
	}
	for i, c := range []struct {
		key    string
		change func(*Config)
	}{
		{"alerts.to", func(c *Config) { c.To = []string{"nobody"} }},
		{"alerts.domains", func(c *Config) { c.Domains = []string{"a b"} }},
		{"alerts.webhook", func(c *Config) { c.Webhook = "http://example.org/hook" }},
		{"alerts.webhook", func(c *Config) { c.Webhook = "ftp://example.org/hook" }},
		{"alerts.webhook", func(c *Config) { c.Webhook = "https://a:b@example.org/hook" }},
		{"alerts.secret_file", func(c *Config) { c.Webhook, c.SecretFile = "", "x" }},
		{"alerts.quiet", func(c *Config) { c.Quiet = signing.Duration(time.Minute) }},
		{"alerts.pass_rate_drops", func(c *Config) { c.PassRateDrops = 101 }},
		{"alerts.new_source", func(c *Config) { c.NewSource = -1 }},
		{"alerts.link", func(c *Config) { c.Link = "x" }},
	} {
		k := fine
		c.change(&k)
		if got, err := k.Check(); err == nil || got != c.key {
			t.Errorf("%d: %q, %v; want %s", i, got, err, c.key)
		}
	}
	for _, s := range []string{"http://127.0.0.1:8000/x", "http://[::1]/", "http://localhost/x"} {
		if err := checkWebhook(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
