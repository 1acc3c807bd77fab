package folder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// names are the files in a directory, without those in directories below.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if !e.IsDir() {
			all = append(all, e.Name())
		}
	}
	return all
}

func bodies(im *inboxtest.Importer) []string {
	var all []string
	for _, taken := range im.Taken() {
		all = append(all, taken.Body)
	}
	slices.Sort(all)
	return all
}

func input(t *testing.T, o Options) *Input {
	t.Helper()
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func once(t *testing.T, o Options, im *inboxtest.Importer) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return input(t, o).Once(ctx, im)
}

func run(t *testing.T, o Options, im *inboxtest.Importer) *Input {
	t.Helper()
	in := input(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Run(ctx, im) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return in
}

func await(t *testing.T, im *inboxtest.Importer, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := im.Wait(ctx, n); err != nil {
		t.Fatalf("%d of %d came", im.Count(), n)
	}
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 600 {
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// refuse makes what has "bad" in it bad.
func refuse(_ intake.Item, body []byte) (intake.Outcome, bool) {
	return inboxtest.Refuse("it is no report"), strings.Contains(string(body), "bad")
}

func TestKeepMoveAndDelete(t *testing.T) {
	for _, after := range []string{Keep, Move, Delete} {
		t.Run(after, func(t *testing.T) {
			dir := t.TempDir()
			in, done, bad := filepath.Join(dir, "in"), filepath.Join(dir, "done"), filepath.Join(dir, "bad")
			write(t, filepath.Join(in, "a.xml"), "one")
			write(t, filepath.Join(in, "b.xml.gz"), "two")
			write(t, filepath.Join(in, "c.txt"), "bad")
			write(t, filepath.Join(done, "a.xml"), "another of this name")
			im := &inboxtest.Importer{Decide: refuse}
			i := input(t, Options{Paths: []string{in}, After: after, Done: done, Bad: bad})
			for range 2 {
				if err := i.Once(t.Context(), im); err != nil {
					t.Fatal(err)
				}
			}
			if got := bodies(im); !slices.Equal(got, []string{"bad", "one", "two"}) {
				t.Errorf("taken in: %q", got)
			}
			want := map[string][2][]string{
				Keep:   {{"a.xml", "b.xml.gz"}, {"a.xml"}},
				Move:   {nil, {"a-2.xml", "a.xml", "b.xml.gz"}},
				Delete: {nil, {"a.xml"}},
			}[after]
			if got := names(t, in); !slices.Equal(got, want[0]) {
				t.Errorf("left: %q", got)
			}
			if got := names(t, done); !slices.Equal(got, want[1]) {
				t.Errorf("done: %q", got)
			}
			if got := names(t, bad); !slices.Equal(got, []string{"c.txt", "c.txt.reason.txt"}) {
				t.Errorf("bad: %q", got)
			}
			if reason, _ := os.ReadFile(filepath.Join(bad, "c.txt.reason.txt")); !strings.Contains(string(reason), "it is no report") {
				t.Errorf("the reason is %q", reason)
			}
			if s := i.State(); s.New != 2 || s.Bad != 1 || s.Waiting != 0 || s.LastSuccess.IsZero() {
				t.Errorf("the state is %+v", s)
			}
		})
	}
}

func TestNothingIsMovedBeforeItIsCommittedAndNothingIsLostIfTheStoreIsAway(t *testing.T) {
	dir := t.TempDir()
	in, done := filepath.Join(dir, "in"), filepath.Join(dir, "done")
	for i := range 30 {
		write(t, filepath.Join(in, fmt.Sprintf("%02d.xml", i)), fmt.Sprint("report ", i))
	}
	commits := 0
	im := &inboxtest.Importer{Before: func() error {
		if commits++; commits == 3 {
			return errors.New("the store is away")
		}
		return nil
	}}
	o := Options{Paths: []string{in}, After: Move, Done: done}
	if err := once(t, o, im); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("the error is %v", err)
	}
	if left, moved := len(names(t, in)), len(names(t, done)); left != 10 || moved != 20 {
		t.Errorf("%d left, %d moved", left, moved)
	}
	if err := once(t, o, im); err != nil || im.Count() != 30 || im.New() != 30 || len(names(t, done)) != 30 {
		t.Errorf("%d items, %d new, error %v", im.Count(), im.New(), err)
	}
}

func TestWhatIsNotAWholeRegularFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	write(t, filepath.Join(dir, "secret"), "secret")
	for _, name := range []string{".hidden", "a~", "b.tmp", "c.PART", "d.filepart", "#e", "f.reason.txt", "sub/g.xml"} {
		write(t, filepath.Join(in, name), name)
	}
	write(t, filepath.Join(in, "h.xml"), "good")
	if runtime.GOOS != "windows" {
		if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(in, "link.xml")); err != nil {
			t.Fatal(err)
		}
	}
	im := new(inboxtest.Importer)
	if err := once(t, Options{Paths: []string{in}, After: Delete}, im); err != nil {
		t.Fatal(err)
	}
	if got := bodies(im); !slices.Equal(got, []string{"good"}) {
		t.Errorf("taken in: %q", got)
	}
	im = new(inboxtest.Importer)
	if err := once(t, Options{Paths: []string{in}, Recursive: true}, im); err != nil {
		t.Fatal(err)
	}
	if got := bodies(im); !slices.Equal(got, []string{"sub/g.xml"}) {
		t.Errorf("with directories below: %q", got)
	}
}

func TestAFileThatIsStillWrittenToIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.xml")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	im := &inboxtest.Importer{Batch: 1}
	run(t, Options{Paths: []string{dir}, Settle: 400 * time.Millisecond, After: Delete}, im)
	want, slow, last := "", false, time.Now()
	for i := range 10 {
		text := fmt.Sprint("line ", i, "\n")
		want += text
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Millisecond)
		slow, last = slow || time.Since(last) > 200*time.Millisecond, time.Now()
	}
	f.Close()
	await(t, im, 1)
	if got := bodies(im); got[0] != want && !slow { // on a machine that is too busy the file did rest
		t.Errorf("taken in: %q", got)
	}
}

func TestADirectoryIsWatched(t *testing.T) {
	for _, unwatched := range []bool{false, true} {
		t.Run(fmt.Sprint(unwatched), func(t *testing.T) {
			dir := t.TempDir()
			o := Options{Paths: []string{dir}, Settle: time.Millisecond, Rescan: time.Hour, unwatched: unwatched}
			if unwatched {
				o.Rescan = 50 * time.Millisecond
			}
			im := &inboxtest.Importer{Batch: 1}
			in := run(t, o, im)
			until(t, "it is through", func() bool { return !in.State().LastSuccess.IsZero() })
			for i := range 3 {
				write(t, filepath.Join(dir, ".new"), fmt.Sprint("report ", i))
				if err := os.Rename(filepath.Join(dir, ".new"), filepath.Join(dir, fmt.Sprint(i, ".xml"))); err != nil {
					t.Fatal(err)
				}
				await(t, im, i+1)
			}
			time.Sleep(100 * time.Millisecond)
			if im.Count() != 3 {
				t.Errorf("%d items", im.Count())
			}
		})
	}
}

func TestAPathThatIsMissingKeepsNobodyBack(t *testing.T) {
	dir := t.TempDir()
	late := filepath.Join(dir, "late")
	write(t, filepath.Join(dir, "there", "a.xml"), "first")
	im := &inboxtest.Importer{Batch: 1}
	o := Options{Paths: []string{late, filepath.Join(dir, "there")}, Rescan: 50 * time.Millisecond}
	if err := once(t, o, im); !errors.Is(err, os.ErrNotExist) || im.Count() != 1 {
		t.Errorf("%d items, error %v", im.Count(), err)
	}
	in := run(t, o, im)
	await(t, im, 2)
	write(t, filepath.Join(late, "b.xml"), "second")
	await(t, im, 3)
	until(t, "all is well", func() bool { return in.State().LastError == "" })
}

func TestWhatCouldNotBeStoredIsTriedAgainAndOthersGoOn(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "fails", "z"} {
		write(t, filepath.Join(dir, name), name)
	}
	failing := true
	im := &inboxtest.Importer{Batch: 1, Decide: func(_ intake.Item, body []byte) (intake.Outcome, bool) {
		return intake.Outcome{Failed: errors.New("the disk is full")}, failing && string(body) == "fails"
	}}
	in := input(t, Options{Paths: []string{dir}, After: Delete})
	if err := in.Once(t.Context(), im); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("the error is %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"fails"}) || im.Count() != 3 {
		t.Errorf("left: %q after %d items", got, im.Count())
	}
	failing = false
	in.later[filepath.Join(dir, "fails")].next = time.Now()
	if err := in.Once(t.Context(), im); err != nil || len(names(t, dir)) != 0 {
		t.Errorf("the error is %v", err)
	}
}

func TestAMoveThatFailsIsNotTriedInAHotLoopNorIsTheFileOfferedAgain(t *testing.T) {
	dir := t.TempDir()
	in, done := filepath.Join(dir, "in"), filepath.Join(dir, "done")
	write(t, filepath.Join(in, "a"), "first")
	write(t, done, "a file where the directory is to be")
	im := &inboxtest.Importer{Batch: 1}
	i := run(t, Options{Paths: []string{in}, After: Move, Done: done, Rescan: 10 * time.Millisecond, unwatched: true}, im)
	until(t, "it fails", func() bool { return i.State().Waiting == 1 && i.State().LastError != "" })
	at := i.State().LastErrorAt
	time.Sleep(200 * time.Millisecond)
	if s := i.State(); s.LastErrorAt != at || s.Items != 1 {
		t.Errorf("the state is %+v", s)
	}
	if got := names(t, in); len(got) != 1 {
		t.Error("the file is gone")
	}
}

func TestAFileIsCopiedToAnotherFilesystem(t *testing.T) {
	dir := t.TempDir()
	in, done := filepath.Join(dir, "in"), filepath.Join(dir, "done")
	write(t, filepath.Join(in, "a"), "first")
	rename = func(from, to string) error { return &os.LinkError{Op: "rename", Old: from, New: to, Err: crossDevice} }
	defer func() { rename = os.Rename }()
	if err := once(t, Options{Paths: []string{in}, After: Move, Done: done}, new(inboxtest.Importer)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, done); !slices.Equal(got, []string{"a"}) || len(names(t, in)) != 0 {
		t.Errorf("done: %q", got)
	}
	if text, _ := os.ReadFile(filepath.Join(done, "a")); string(text) != "first" {
		t.Errorf("the copy is %q", text)
	}
}

// crossDevice is what a rename to another filesystem gives.
var crossDevice = func() error {
	if runtime.GOOS == "windows" {
		return syscall.Errno(17)
	}
	return syscall.EXDEV
}()

func TestAFileThatIsTooLargeIsNotLookedAt(t *testing.T) {
	dir := t.TempDir()
	in, bad := filepath.Join(dir, "in"), filepath.Join(dir, "bad")
	write(t, filepath.Join(in, "a"), strings.Repeat("x", 1001))
	im := new(inboxtest.Importer)
	if err := once(t, Options{Paths: []string{in}, Bad: bad, MaxSize: 1000}, im); err != nil || im.Count() != 0 {
		t.Errorf("%d items, error %v", im.Count(), err)
	}
	if got := names(t, bad); !slices.Equal(got, []string{"a", "a.reason.txt"}) {
		t.Errorf("bad: %q", got)
	}
}

func TestAMaildirsMessagesAreMovedToAFolderAndNotMarkedAsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "new/1.a.host"), "one")
	write(t, filepath.Join(dir, "cur/2.b.host"+flagMark()+"F"), "two")
	write(t, filepath.Join(dir, "cur/3.c.host"+flagMark()+"T"), "deleted")
	write(t, filepath.Join(dir, "new/4.d.host"), "bad")
	write(t, filepath.Join(dir, "tmp/5.e.host"), "not yet there")
	write(t, filepath.Join(dir, ".Other/new/6.f.host"), "in another folder")
	write(t, filepath.Join(dir, ".Other/cur/7.g.host"+flagMark()+"S"), "read")
	im := &inboxtest.Importer{Decide: refuse}
	o := Options{Paths: []string{dir}, After: Move, Done: ".Done", Bad: ".Bad"}
	for range 2 {
		if err := once(t, o, im); err != nil {
			t.Fatal(err)
		}
	}
	if got := bodies(im); !slices.Equal(got, []string{"bad", "one", "two"}) {
		t.Errorf("taken in: %q", got)
	}
	if got := names(t, filepath.Join(dir, ".Done/cur")); !slices.Equal(got, []string{"1.a.host" + flagMark(), "2.b.host" + flagMark() + "F"}) {
		t.Errorf("done: %q", got)
	}
	if got := names(t, filepath.Join(dir, ".Bad/cur")); !slices.Equal(got, []string{"4.d.host" + flagMark()}) {
		t.Errorf("bad: %q", got)
	}
	if got := names(t, filepath.Join(dir, ".Bad")); !slices.Equal(got, []string{"4.d.host.reason.txt", "maildirfolder"}) {
		t.Errorf("beside the bad: %q", got)
	}
	o.Folders = []string{".Other"}
	if err := once(t, o, im); err != nil || im.Count() != 5 {
		t.Errorf("%d items, error %v", im.Count(), err)
	}
}

func TestAMaildirsMessagesAreMarkedAsReadAndThenNotOfferedAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "new/1.a.host"), "one")
	write(t, filepath.Join(dir, "cur/2.b.host"+flagMark()+"RZ"), "two")
	im := new(inboxtest.Importer)
	for range 2 {
		if err := once(t, Options{Paths: []string{dir}, After: Seen}, im); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, filepath.Join(dir, "cur")); im.Count() != 2 || !slices.Equal(got, []string{"1.a.host" + flagMark() + "S", "2.b.host" + flagMark() + "RSZ"}) {
		t.Errorf("%d items; cur has %q", im.Count(), got)
	}
}

func TestAMessageThatItsReaderMovesMeanwhileIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "new/1.a.host"), "one")
	if err := os.MkdirAll(filepath.Join(dir, "cur"), 0o755); err != nil {
		t.Fatal(err)
	}
	im := &inboxtest.Importer{Before: func() error {
		return os.Rename(filepath.Join(dir, "new/1.a.host"), filepath.Join(dir, "cur/1.a.host"+flagMark()+"S"))
	}}
	if err := once(t, Options{Paths: []string{dir}, After: Move, Done: ".Done"}, im); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(dir, ".Done/cur")); im.Count() != 1 || !slices.Equal(got, []string{"1.a.host" + flagMark() + "S"}) {
		t.Errorf("%d items; done: %q", im.Count(), got)
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	for field, o := range map[string]Options{
		"Paths":   {},
		"After":   {Paths: []string{"a"}, After: "burn"},
		"Done":    {Paths: []string{"a"}, After: Move},
		"Done ":   {Paths: []string{"a"}, After: Move, Done: "./a"},
		"Bad":     {Paths: []string{"a/"}, Bad: "a"},
		"Folders": {Paths: []string{"a"}, Folders: []string{"../b"}},
		"MaxSize": {Paths: []string{"a"}, MaxSize: -1},
		"Settle":  {Paths: []string{"a"}, Settle: -1},
		"Rescan":  {Paths: []string{"a"}, Rescan: -1},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(field)+": ") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}

func TestWhatIsBadHasOneReasonThoughAProgramWasKilledBetweenTheReasonAndTheMove(t *testing.T) {
	for _, left := range []string{"", "%s\n2026-11-25T00:00:00Z\nit is no report\n"} {
		dir := t.TempDir()
		in, bad := filepath.Join(dir, "in"), filepath.Join(dir, "bad")
		path := filepath.Join(in, "a.xml")
		write(t, path, "bad")
		write(t, filepath.Join(in, "b.xml"), "bad too")
		if left != "" {
			left = fmt.Sprintf(left, path)
		}
		write(t, filepath.Join(bad, "a.xml.reason.txt"), left)
		write(t, filepath.Join(bad, "b.xml.reason.txt"), "/another/b.xml\n\n\n") // not ours to replace
		im := &inboxtest.Importer{Decide: func(intake.Item, []byte) (intake.Outcome, bool) {
			return intake.Outcome{Refused: []string{"it is no report"}}, true
		}}
		if err := input(t, Options{Paths: []string{in}, After: Move, Done: filepath.Join(dir, "done"), Bad: bad}).Once(t.Context(), im); err != nil {
			t.Fatal(err)
		}
		want := []string{"a.xml", "a.xml.reason.txt", "b-2.xml", "b-2.xml.reason.txt", "b.xml.reason.txt"}
		if got := names(t, bad); !slices.Equal(got, want) {
			t.Errorf("after a reason %q: %q, want %q", left, got, want)
		}
	}
}
