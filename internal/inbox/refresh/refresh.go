// Package refresh reads a file again when it has changed: a certificate that was renewed, a list of tokens.
//
//	f := refresh.New(read, "cert.pem", "key.pem")
//	value, err := f.Get()
package refresh

import (
	"os"
	"sync"
	"time"
)

// A File is what files hold, as it was when they could last be read.
type File[T any] struct {
	paths []string
	read  func() (T, error)

	mu     sync.Mutex
	value  T
	have   bool
	stamps []stamp // of what was read last, whether it was good or not
	err    error   // why the last was not good
	looked time.Time
}

// A stamp tells a file from a later one at the same path.
type stamp struct {
	changed time.Time
	size    int64
}

// pause is how long what was looked at counts as fresh.
const pause = time.Second

// New makes a File of what read makes of these paths. Nothing is read yet.
func New[T any](read func() (T, error), paths ...string) *File[T] {
	return &File[T]{paths: paths, read: read}
}

// Get gives the value. Where the files changed and cannot be read, it is the one from before, with the error; the error is given once for
// each change.
func (f *File[T]) Get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.have && now.Sub(f.looked) < pause {
		return f.value, nil
	}
	f.looked = now
	stamps := f.look()
	if f.same(stamps) {
		if f.have {
			return f.value, nil
		}
		return f.value, f.err
	}
	// Stamped before it is read: a change in between is found the next time.
	f.stamps = stamps
	value, err := f.read()
	f.err = err
	if err != nil {
		return f.value, err
	}
	f.value, f.have = value, true
	return value, nil
}

func (f *File[T]) look() []stamp {
	stamps := make([]stamp, len(f.paths))
	for i, path := range f.paths {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return stamps
}

func (f *File[T]) same(stamps []stamp) bool {
	if f.stamps == nil {
		return false
	}
	for i := range stamps {
		if stamps[i] != f.stamps[i] {
			return false
		}
	}
	return true
}
