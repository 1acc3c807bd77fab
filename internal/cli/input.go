package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An input is one message that is still to be read, or the reason why there is none.
type input struct {
	name string
	open func() (io.ReadCloser, error)
	err  error
}

// inputs finds the messages that a command's arguments name: files, mbox files, standard input as "-", and in directories all that
// is a message by its name or by its place. What it opened for others to read on is closed by Close.
type inputs struct {
	paths  []string
	stdin  io.Reader
	kept   []io.Closer
	wanted func(path string) bool // in directories; messages if nil
	none   error                  // of a directory without any
	again  bool                   // what comes from a pipe is to be opened several times, too
	most   int64                  // bytes that one may have; no limit if zero

	passed int // files in directories that are not wanted
}

func (i *inputs) Close() {
	for _, c := range i.kept {
		c.Close()
	}
}

// all goes through the messages in the order of the arguments, and of the names in a directory.
func (i *inputs) all() iter.Seq[input] {
	return func(yield func(input) bool) {
		paths := i.paths
		if len(paths) == 0 {
			paths = []string{stdinName}
		}
		for _, path := range paths {
			if !i.path(path, yield) {
				return
			}
		}
	}
}

// path gives the messages of one argument. It returns false when no more are wanted.
func (i *inputs) path(path string, yield func(input) bool) bool {
	if path == stdinName {
		return i.stream(stdinName, io.NopCloser(i.stdin), yield)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return yield(input{name: path, err: err})
	case info.IsDir():
		return i.directory(path, yield)
	case info.Mode().IsRegular():
		return i.file(path, yield)
	}
	f, err := os.Open(path) // a named pipe, the shell's <(…)
	if err != nil {
		return yield(input{name: path, err: err})
	}
	i.kept = append(i.kept, f)
	return i.stream(path, f, yield)
}

// file gives the message, or the messages of an mbox.
func (i *inputs) file(path string, yield func(input) bool) bool {
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		return i.bounded(f, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return yield(input{name: path, err: err})
	}
	defer f.Close()
	var top [len(mboxStart)]byte
	if n, _ := f.ReadAt(top[:], 0); string(top[:n]) != mboxStart {
		return yield(input{name: path, open: open})
	}
	return mbox(path, f, func(s section) (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		return i.bounded(part{newUnquoter(io.NewSectionReader(f, s.start, s.end-s.start)), f}, nil)
	}, yield)
}

// bounded gives an error in the place of what is beyond the limit.
func (i *inputs) bounded(r io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil || i.most == 0 {
		return r, err
	}
	return part{&limited{r, i.most, i.most}, r}, nil
}

// A limited reader fails at a limit, where [io.LimitedReader] ends.
type limited struct {
	r          io.Reader
	left, most int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("it is larger than %d MiB, and no report is", l.most>>20)
	}
	return n, err
}

// stream gives the message that comes from a pipe. An mbox is kept until it has been read as a whole.
func (i *inputs) stream(name string, r io.ReadCloser, yield func(input) bool) bool {
	in := bufio.NewReader(r)
	top, _ := in.Peek(len(mboxStart))
	isMbox := string(top) == mboxStart
	if !isMbox && !i.again {
		return yield(input{name: name, open: func() (io.ReadCloser, error) { return part{in, r}, nil }})
	}
	s := newSpool()
	i.kept = append(i.kept, s)
	var from io.Reader = in
	if !isMbox && i.most > 0 {
		from = &limited{in, i.most, i.most}
	}
	if _, err := io.Copy(s, from); err != nil {
		return yield(input{name: name, err: fmt.Errorf("%s: %w", display(name), err)})
	}
	if !isMbox {
		return yield(input{name: name, open: func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(s, 0, s.Size())), nil }})
	}
	return mbox(name, io.NewSectionReader(s, 0, s.Size()), func(at section) (io.ReadCloser, error) {
		return i.bounded(part{newUnquoter(io.NewSectionReader(s, at.start, at.end-at.start)), io.NopCloser(nil)}, nil)
	}, yield)
}

// part reads from one thing and closes another.
type part struct {
	io.Reader
	io.Closer
}

// mbox gives the messages of an mbox. Where there are several, each has its number behind the file's name.
func mbox(name string, r io.Reader, open func(section) (io.ReadCloser, error), yield func(input) bool) bool {
	var held *input // the first, until it is known whether there is a second
	count := 0
	for s, err := range mboxSections(r) {
		if err != nil {
			return yield(input{name: name, err: fmt.Errorf("%s: %w", display(name), err)})
		}
		count++
		message := input{name: fmt.Sprintf("%s#%d", name, count), open: func() (io.ReadCloser, error) { return open(s) }}
		if count == 1 {
			held = &message
			continue
		}
		if held != nil && !yield(*held) || !yield(message) {
			return false
		}
		held = nil
	}
	if held != nil {
		held.name = name
		return yield(*held)
	}
	if count == 0 {
		return yield(input{name: name, err: fmt.Errorf("%s: an mbox without a message", display(name))})
	}
	return true
}

var errNoMessages = errors.New("no messages in it; a message is a file *.eml, or lies in a Maildir's cur or new, or in an mbox *.mbox")

// directory walks through a directory and those beneath it. Links to directories are not followed.
func (i *inputs) directory(root string, yield func(input) bool) bool {
	w := walk{inputs: i, wanted: i.wanted, yield: yield}
	none := i.none
	if w.wanted == nil {
		w.wanted, none = isMessageName, errNoMessages
	}
	switch {
	case !w.directory(root):
		return false
	case !w.found:
		return yield(input{name: root, err: fmt.Errorf("%s: %w", root, none)})
	}
	return true
}

// A walk goes through a directory.
type walk struct {
	inputs *inputs
	wanted func(path string) bool
	yield  func(input) bool
	found  bool
}

// namesAtOnce is how many names of a directory are held at once. Of one that has no more, they come in their order.
const namesAtOnce = 10_000

// directory returns false when no more are wanted.
func (w *walk) directory(dir string) bool {
	d, err := os.Open(dir)
	if err != nil {
		w.found = true // it cannot be known that there is none
		return w.yield(input{name: dir, err: err})
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(namesAtOnce)
		slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		for _, e := range entries {
			if !w.entry(filepath.Join(dir, e.Name()), e) {
				return false
			}
		}
		switch {
		case err == io.EOF:
			return true
		case err != nil:
			w.found = true
			return w.yield(input{name: dir, err: err})
		}
	}
}

func (w *walk) entry(path string, e fs.DirEntry) bool {
	if e.IsDir() {
		return w.directory(path)
	}
	if !w.wanted(path) {
		w.inputs.passed++
		return true
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return true // a dangling link, a socket; a message that a mail program moved meanwhile
	}
	w.found = true
	return w.inputs.file(path, w.yield)
}

// isMessageName tells by its name or place whether a file in a directory is a message.
func isMessageName(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".eml", ".mbox":
		return true
	}
	switch filepath.Base(filepath.Dir(path)) {
	case "cur", "new":
		return !strings.HasPrefix(filepath.Base(path), ".")
	}
	return false
}
