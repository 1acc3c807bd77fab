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
	open := func() (io.ReadCloser, error) { return os.Open(path) }
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
		return part{newUnquoter(io.NewSectionReader(f, s.start, s.end-s.start)), f}, nil
	}, yield)
}

// stream gives the message that comes from a pipe. An mbox is kept until it has been read as a whole.
func (i *inputs) stream(name string, r io.ReadCloser, yield func(input) bool) bool {
	in := bufio.NewReader(r)
	if top, _ := in.Peek(len(mboxStart)); string(top) != mboxStart {
		return yield(input{name: name, open: func() (io.ReadCloser, error) { return part{in, r}, nil }})
	}
	s := &spool{}
	i.kept = append(i.kept, s)
	if _, err := io.Copy(s, in); err != nil {
		return yield(input{name: name, err: fmt.Errorf("%s: %w", display(name), err)})
	}
	return mbox(name, io.NewSectionReader(s, 0, s.size), func(at section) (io.ReadCloser, error) {
		return part{newUnquoter(io.NewSectionReader(s, at.start, at.end-at.start)), io.NopCloser(nil)}, nil
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
	wantedName, none := i.wanted, i.none
	if wantedName == nil {
		wantedName, none = isMessageName, errNoMessages
	}
	found, wanted := false, true
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			found = true // it cannot be known that there is none
			if wanted = yield(input{name: path, err: err}); !wanted {
				return fs.SkipAll
			}
			return nil // WalkDir does not go into what cannot be read
		case d.IsDir() || !wantedName(path):
			return nil
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return nil // a dangling link, a socket; a message that a mail program moved meanwhile
		}
		found = true
		if wanted = i.file(path, yield); !wanted {
			return fs.SkipAll
		}
		return nil
	})
	switch {
	case !wanted:
		return false
	case err != nil:
		return yield(input{name: root, err: err})
	case !found:
		return yield(input{name: root, err: fmt.Errorf("%s: %w", root, none)})
	}
	return true
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
