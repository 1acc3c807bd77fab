//go:build linux

package reports

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// taken waits until everything was acknowledged and nothing is left where it was put.
func (s *scene) taken(t *testing.T, f *feeders) {
	t.Helper()
	waitFor(t, "everything to be acknowledged", func() bool { return f.left.Load() == 0 })
	waitFor(t, "nothing to be left in the directory", func() bool { return len(files(s.in)) == 0 })
	waitFor(t, "nothing to be left in the Maildir", func() bool { return len(maildir(s.mail)) == 0 })
	waitFor(t, "nothing to be left in the mailbox", func() bool { return len(s.imap.mails("INBOX")) == 0 })
}

// files are the names in a directory.
func files(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// check holds the store, and the places where things are put away, to what was sent. It gives how often something was offered again that
// was in the store already.
func (w *world) check(t *testing.T, s *scene) (again int64) {
	t.Helper()
	kept, err := store.Open(t.Context(), s.url(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	w.checkReports(t, kept)
	w.checkSums(t, kept)
	again = w.checkRaws(t, kept)
	w.checkPlaces(t, s)
	t.Logf("%d reports in %d parcels; %d times one was offered again that was in the store", len(w.reports), len(w.parcels), again)
	return again
}

func (w *world) checkReports(t *testing.T, kept store.Store) {
	t.Helper()
	ctx := t.Context()
	all, err := kept.Reports(ctx, store.ReportFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, info := range all {
		key := info.Kind + " " + info.ReportID
		if info.Kind == store.Failure {
			key = w.failureKey(t, kept, info.ID)
		}
		k := w.reports[key]
		if k == nil {
			t.Errorf("the report %q is in the store, and nobody sent it", key)
			continue
		}
		if found[key]++; found[key] > 1 {
			t.Errorf("the report %s is in the store %d times", key, found[key])
		}
		one, err := kept.Report(ctx, info.ID)
		if err != nil {
			t.Fatal(err)
		}
		if raws := setOf(one.Raws); !equal(raws, k.raws) || len(raws) != len(one.Raws) {
			t.Errorf("the report %s came in %d raws, and was sent in %d", key, len(one.Raws), len(k.raws))
		}
		if info.Conflicting {
			t.Errorf("the report %s is said to be in conflict with another", key)
		}
		if info.Kind == store.Aggregate {
			w.checkRows(ctx, t, kept, key, info, k)
		}
	}
	for key := range w.reports {
		if found[key] == 0 {
			t.Errorf("the report %s is lost", key)
		}
	}
}

// failureKey finds out which failure report it is: it may have no id, but its bytes are known.
func (w *world) failureKey(t *testing.T, kept store.Store, id int64) string {
	t.Helper()
	one, err := kept.Report(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for key, k := range w.reports {
		if len(one.Raws) > 0 && k.raws[one.Raws[0]] {
			return key
		}
	}
	return ""
}

func (w *world) checkRows(ctx context.Context, t *testing.T, kept store.Store, key string, info store.ReportInfo, k *known) {
	t.Helper()
	var rows, messages int64
	for row, err := range kept.ReportRows(ctx, info.ID) {
		if err != nil {
			t.Fatal(err)
		}
		rows++
		messages += row.Count
	}
	if rows != k.rows || messages != k.messages || info.Records != k.rows || info.Messages != k.messages {
		t.Errorf("the report %s has %d rows with %d messages and says %d, %d; want %d, %d", key, rows, messages, info.Records, info.Messages,
			k.rows, k.messages)
	}
}

// checkSums holds the roll-ups to what was sent; the rows are held to it already.
func (w *world) checkSums(t *testing.T, kept store.Store) {
	t.Helper()
	ctx := t.Context()
	messages, _, sessions := w.sums()
	days, err := kept.ReportDays(ctx, store.Question{})
	if err != nil {
		t.Fatal(err)
	}
	byDomain, err := kept.Domains(ctx, store.Question{})
	if err != nil {
		t.Fatal(err)
	}
	sources, err := kept.TopSources(ctx, store.Question{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	tls, err := kept.TLSDays(ctx, store.Question{})
	if err != nil {
		t.Fatal(err)
	}
	failures, err := kept.Failures(ctx, store.FailureFilter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, d := range days {
		sums["by day"] += d.Messages
	}
	for _, d := range byDomain {
		sums["by domain"] += d.Messages
	}
	for _, d := range sources {
		sums["by source"] += d.Messages
	}
	for _, what := range []string{"by day", "by domain", "by source"} {
		if sums[what] != messages {
			t.Errorf("%d messages are counted %s, want %d", sums[what], what, messages)
		}
	}
	for _, d := range tls {
		sums["tls"] += d.Sessions
	}
	if sums["tls"] != sessions {
		t.Errorf("%d sessions are counted, want %d", sums["tls"], sessions)
	}
	want := 0
	for key := range w.reports {
		if strings.HasPrefix(key, store.Failure+" ") {
			want++
		}
	}
	if len(failures) != want {
		t.Errorf("there are %d failure reports, want %d", len(failures), want)
	}
}

// checkRaws holds the bytes that are kept to those that were sent.
func (w *world) checkRaws(t *testing.T, kept store.Store) (again int64) {
	t.Helper()
	found, sent := map[store.Hash]int{}, map[store.Hash]int64{}
	for _, p := range w.parcels {
		sent[p.hash()]++
	}
	for raw, err := range kept.Raws(t.Context(), store.RawFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if !w.raws[raw.Hash] {
			t.Errorf("%s (%s) is in the store, and nobody sent it", raw.Name, raw.Input)
			continue
		}
		if found[raw.Hash]++; found[raw.Hash] > 1 {
			t.Errorf("%s is in the store %d times", raw.Name, found[raw.Hash])
		}
		if again += raw.Times - sent[raw.Hash]; raw.Times < sent[raw.Hash] {
			t.Errorf("%s came %d times, and was acknowledged %d times", raw.Name, raw.Times, sent[raw.Hash])
		}
		if bad := w.bad[raw.Hash]; bad != (raw.Reports == 0) || bad != (len(raw.Refusals) > 0) {
			t.Errorf("%s: bad is %t, but it has %d reports and was refused for %q", raw.Name, bad, raw.Reports, raw.Refusals)
		}
		r, err := kept.OpenRaw(t.Context(), raw.Hash)
		if err != nil {
			t.Errorf("%s: %v", raw.Name, err)
			continue
		}
		sum := sha256.New()
		n, err := io.Copy(sum, r)
		r.Close()
		if err != nil || n != raw.Size || store.Hash(sum.Sum(nil)) != raw.Hash {
			t.Errorf("%s: what is kept is not what was sent: %d bytes of %d, %v", raw.Name, n, raw.Size, err)
		}
	}
	for hash := range w.raws {
		if found[hash] == 0 {
			t.Errorf("what was sent as %x is lost", hash)
		}
	}
	return again
}

// checkPlaces looks whether everything was put away once, and where it belongs.
func (w *world) checkPlaces(t *testing.T, s *scene) {
	t.Helper()
	var reasons []string
	bad := slices.DeleteFunc(files(s.bad), func(name string) bool {
		if strings.HasSuffix(name, ".reason.txt") {
			reasons = append(reasons, strings.TrimSuffix(name, ".reason.txt"))
			return true
		}
		return false
	})
	if !slices.Equal(bad, reasons) {
		t.Errorf("bad files %q\nand the reasons for %q", bad, reasons)
	}
	same := func(place string, got, want []string) {
		t.Helper()
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("in %s are %d, want %d\n%q\n%q", place, len(got), len(want), got, want)
		}
	}
	same(s.done, files(s.done), w.names(byFolder, false))
	same(s.bad, bad, w.names(byFolder, true))
	bare := func(paths []string) (names []string) {
		for _, path := range paths {
			name, _, _ := strings.Cut(filepath.Base(path), ":2,")
			names = append(names, name)
		}
		return names
	}
	same("the Maildir's .Done", bare(maildir(filepath.Join(s.mail, ".Done"))), w.names(byMaildir, false))
	same("the Maildir's .Bad", bare(maildir(filepath.Join(s.mail, ".Bad"))), w.names(byMaildir, true))
	var why []string
	for _, name := range files(filepath.Join(s.mail, ".Bad")) {
		if name, ok := strings.CutSuffix(name, ".reason.txt"); ok {
			why = append(why, name)
		}
	}
	same("the reasons in the Maildir's .Bad", why, w.names(byMaildir, true))
	if got, want := len(s.imap.mails("Gatepost-Done")), len(w.names(byIMAP, false)); got != want {
		t.Errorf("%d messages are in Gatepost-Done, want %d", got, want)
	}
	if got, want := len(s.imap.mails("Gatepost-Bad")), len(w.names(byIMAP, true)); got != want {
		t.Errorf("%d messages are in Gatepost-Bad, want %d", got, want)
	}
}

// names are those of what was handed over by a way.
func (w *world) names(way string, bad bool) []string {
	var names []string
	for _, p := range w.parcels {
		if p.way == way && p.bad == bad {
			names = append(names, p.name)
		}
	}
	return names
}

func setOf(hashes []store.Hash) map[store.Hash]bool {
	set := map[store.Hash]bool{}
	for _, h := range hashes {
		set[h] = true
	}
	return set
}

func equal(a, b map[store.Hash]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for h := range a {
		if !b[h] {
			return false
		}
	}
	return true
}
