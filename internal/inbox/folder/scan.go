package folder

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

// A mark stands for a file as it was: its path, size and time. A directory of a million files that are kept is remembered in 16 MB.
type mark uint64

var seed = maphash.MakeSeed()

func (f file) mark() mark {
	return mark(maphash.String(seed, fmt.Sprintf("%s\x00%d\x00%d", f.key, f.info.Size(), f.info.ModTime().UnixNano())))
}

// A sight is how a file looked when it was first seen so.
type sight struct {
	size  int64
	mtime time.Time
	at    time.Time
}

// A file is one that is to be taken in.
type file struct {
	path    string
	key     string // the path; of a message in a Maildir without what its readers change
	info    fs.FileInfo
	maildir string // the Maildir that it is in, or empty
	folder  string // of that
	keep    bool   // it is named in Paths and is an mbox
}

// A scan is one look at all paths.
type scan struct {
	*Input
	ctx   context.Context
	once  bool
	found int
	err   error
	fresh map[string]sight
	yield func(inbox.Task) bool
}

// scan offers what is new and says how much that was, and which of Paths could not be looked at. Its error is that of the import.
func (in *Input) scan(ctx context.Context, im inbox.Importer, once bool) (found int, paths, err error) {
	in.putAway()
	s := &scan{Input: in, ctx: ctx, once: once, fresh: map[string]sight{}}
	err = inbox.Work(ctx, im, in.status, func(yield func(inbox.Task) bool) {
		s.yield = yield
		for _, p := range in.o.Paths {
			if err := s.path(p); err != nil {
				s.err = errors.Join(s.err, err) // and go on with the others
			}
			if s.stopped() {
				return
			}
		}
	})
	in.fresh = s.fresh
	in.putAway()
	if s.err == nil {
		in.status.Up()
	}
	return s.found, s.err, err
}

func (s *scan) stopped() bool { return s.yield == nil || s.ctx.Err() != nil }

// path looks at one of Paths.
func (s *scan) path(p string) error {
	info, err := os.Stat(p) // the path itself may be a symbolic link: who wrote the configuration meant it
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && isMaildir(p):
		return s.maildir(p)
	case info.IsDir():
		return s.directory(p, 0)
	case info.Mode().IsRegular():
		real, err := filepath.EvalSymlinks(p)
		if err != nil {
			return err
		}
		f := file{path: real, key: real, info: info}
		if f.keep, err = isMbox(real); err != nil {
			return err
		}
		s.look(f, s.once)
		return nil
	}
	return fmt.Errorf("%s: is neither a file nor a directory", p)
}

const (
	namesAtOnce = 256
	mostDepth   = 32
)

// directory looks at the files in a directory, a few hundred at a time.
func (s *scan) directory(dir string, depth int) error {
	return s.entries(dir, func(e fs.DirEntry) error {
		path := filepath.Join(dir, e.Name())
		switch {
		case unfinished(e.Name()):
		case e.IsDir():
			if s.o.Recursive && depth < mostDepth && !s.isTarget(path) {
				if isMaildir(path) {
					return s.maildir(path)
				}
				return s.directory(path, depth+1)
			}
		case e.Type().IsRegular():
			if info, err := e.Info(); err == nil {
				s.look(file{path: path, key: path, info: info}, false)
			}
		}
		return nil
	})
}

// entries calls f for what is in a directory, in no order but in portions that are sorted.
func (s *scan) entries(dir string, f func(fs.DirEntry) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		some, err := d.ReadDir(namesAtOnce)
		slices.SortFunc(some, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range some {
			if err := f(e); err != nil {
				return err
			}
			if s.stopped() {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// isTarget tells whether a directory is one that files are moved to.
func (s *scan) isTarget(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return true
	}
	for _, target := range []string{s.o.Done, s.o.Bad} {
		if other, err := os.Stat(target); target != "" && err == nil && os.SameFile(info, other) {
			return true
		}
	}
	return false
}

// unfinished tells by its name that a file is not for us, or not yet.
func unfinished(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") {
		return true
	}
	for _, end := range []string{"~", ".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".lock", ".reason.txt"} {
		if strings.HasSuffix(lower, end) {
			return true
		}
	}
	return false
}

// look offers a file unless it is done with or not ready.
func (s *scan) look(f file, atOnce bool) {
	m, now := f.mark(), time.Now()
	if s.known(f, m, now) {
		return
	}
	if !atOnce && !s.settled(f, now) {
		return
	}
	if f.info.Size() > s.o.MaxSize && !s.isBox(f) {
		s.found++
		s.status.TooLarge()
		reason := fmt.Sprintf("it has %d bytes, and %d are the limit", f.info.Size(), s.o.MaxSize)
		s.status.Bad(f.path, reason, s.fate())
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle(f, m, reason)
		return
	}
	if s.isBox(f) {
		s.mbox(f, m)
		return
	}
	s.offer(inbox.Task{
		Item: intake.Item{Name: f.path, Input: s.o.Name, Received: f.info.ModTime().UTC(), Open: func() (io.ReadCloser, error) { return openSame(f) }},
		Done: func(o intake.Outcome) error {
			s.done(f, m, o)
			return nil
		},
	})
}

// known tells whether a file is not to be offered because of what is remembered of it.
func (in *Input) known(f file, m mark, now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	_, done := in.seen[m]
	t := in.later[f.key]
	return done || t != nil && now.Before(t.next)
}

// offer hands a task over. After false no more are wanted.
func (s *scan) offer(t inbox.Task) bool {
	s.found++
	if s.stopped() {
		if t.Drop != nil {
			t.Drop()
		}
		return false
	}
	if !s.yield(t) {
		s.yield = nil
		return false
	}
	return true
}

// isBox tells whether a file is to be read message by message. In a Maildir it never is.
func (s *scan) isBox(f file) bool {
	if f.maildir != "" {
		return false
	}
	box, err := isMbox(f.path)
	return err == nil && box
}

// settled tells whether a file is no longer written to: its time is some way back, or it has not changed for as long.
func (s *scan) settled(f file, now time.Time) bool {
	if age := now.Sub(f.info.ModTime()); age >= s.o.Settle || f.maildir != "" {
		return true
	}
	was, ok := s.Input.fresh[f.key]
	if ok && was.size == f.info.Size() && was.mtime.Equal(f.info.ModTime()) {
		if now.Sub(was.at) >= s.o.Settle {
			return true
		}
	} else {
		was = sight{size: f.info.Size(), mtime: f.info.ModTime(), at: now}
	}
	s.fresh[f.key] = was
	return false
}

// done is for a file whose fate is committed.
func (s *scan) done(f file, m mark, o intake.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Failed != nil {
		if errors.Is(o.Failed, fs.ErrNotExist) {
			delete(s.later, f.key) // somebody else took it away
			return
		}
		s.failed(f, o.Failed)
		return
	}
	reason := ""
	if o.Bad() {
		reason = inbox.Reason(o)
		s.status.Bad(f.path, reason, s.fate())
	}
	s.settle(f, m, reason)
}

// failed is for a file that could not be read or stored.
func (in *Input) failed(f file, err error) {
	t := in.later[f.key]
	if t == nil {
		t = new(trouble)
		in.later[f.key] = t
	}
	t.times++
	t.next = time.Now().Add(min(time.Second<<min(t.times-1, 16), longestTrouble))
	in.status.Trouble(fmt.Errorf("%s: %w", f.path, err))
}

// fate is what becomes of what is bad.
func (in *Input) fate() string {
	if in.o.Bad == "" {
		return "left where it is"
	}
	return "moved to " + in.o.Bad
}

// openSame opens a file that was looked at, and nothing else that has come in its place.
func openSame(f file) (io.ReadCloser, error) {
	opened, err := os.OpenFile(f.path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	info, err := opened.Stat()
	if err == nil && (!os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime())) {
		err = errors.New("it has changed meanwhile")
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}
