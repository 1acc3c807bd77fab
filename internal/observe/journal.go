package observe

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A journal is the writing side of the segments. It has no lock of its own.
type journal struct {
	dir    string
	start  int64  // when this run began: its segments are younger than those of runs before
	source string // of this run's batches
	number int64  // the last that was given

	file   *os.File // the segment that is written, or nil
	active segment
	dirty  bool // there is something in it that may not be on the disk
	closed []segment
	bytes  int64 // of all

	second  bool     // somebody asks once a second what is to be synced
	unsaved []string // closed segments with something that may not be on the disk
	created bool     // a file, of which the directory may not know on the disk
}

// open finds what an earlier run left. A file that was not finished when it was to take another's place is deleted: the other is
// still there.
func (j *journal) open(dir string) error {
	id := make([]byte, 16)
	rand.Read(id)
	j.dir, j.start, j.source = dir, time.Now().UnixNano(), hex.EncodeToString(id)
	entries, err := os.ReadDir(dir) // sorted by name, and so by age
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), tmpSuffix) {
			os.Remove(filepath.Join(dir, e.Name()))
			continue
		}
		source, number, ok := parseName(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		j.closed = append(j.closed, segment{name: e.Name(), source: source, number: number, bytes: info.Size()})
		j.bytes += info.Size()
	}
	return nil
}

func (j *journal) path(name string) string { return filepath.Join(j.dir, name) }

func (j *journal) files() int {
	if j.file != nil {
		return len(j.closed) + 1
	}
	return len(j.closed)
}

// next gives the next batch of this run its segment.
func (j *journal) next() segment {
	j.number++
	return segment{name: segmentName(j.start, j.source, j.number), source: j.source, number: j.number}
}

// append writes an entry with one call of the operating system, and tells whether it is in the journal.
func (j *journal) append(entry []byte, most int64, sync bool) (written bool, err error) {
	if j.file != nil && (j.active.bytes+int64(len(entry)) > most || j.active.messages >= segmentEntries) {
		j.seal()
	}
	if j.file == nil {
		if err := j.begin(); err != nil {
			return false, err
		}
	}
	if _, err := j.file.Write(entry); err != nil {
		// What was written of it goes, or is cut by who reads the segment.
		j.file.Truncate(j.active.bytes)
		j.seal()
		return false, err
	}
	j.dirty = true
	j.active.messages++
	j.active.bytes += int64(len(entry))
	j.bytes += int64(len(entry))
	if sync {
		err = j.file.Sync() // where it fails, the entry is in the file all the same
	}
	return true, err
}

func (j *journal) begin() error {
	s := j.next()
	f, err := os.OpenFile(j.path(s.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(magic); err != nil {
		f.Close()
		os.Remove(f.Name())
		return err
	}
	s.bytes = int64(len(magic))
	j.file, j.active, j.created = f, s, true
	j.bytes += s.bytes
	return nil
}

// seal ends the segment that is written. One without an entry is deleted.
func (j *journal) seal() {
	if j.file == nil {
		return
	}
	j.file.Close()
	if j.active.messages == 0 {
		os.Remove(j.path(j.active.name))
		j.bytes -= j.active.bytes
	} else {
		j.closed = append(j.closed, j.active)
		if j.dirty && j.second {
			j.unsaved = append(j.unsaved, j.path(j.active.name))
		}
	}
	j.file, j.active, j.dirty = nil, segment{}, false
}

// insert takes in a segment that is written already. The list stays in the order of numbers: a batch that came after one with a higher
// number would be taken for known.
func (j *journal) insert(s segment) {
	at := len(j.closed)
	for at > 0 && j.closed[at-1].source == s.source && j.closed[at-1].number > s.number {
		at--
	}
	j.closed = slices.Insert(j.closed, at, s)
	j.bytes += s.bytes
	j.created = true
}

// toSync is what may not be on the disk itself; the directory last.
func (j *journal) toSync() []string {
	paths := j.unsaved
	if j.dirty {
		paths = append(paths, j.path(j.active.name))
	}
	if j.created {
		paths = append(paths, j.dir)
	}
	j.unsaved, j.dirty, j.created = nil, false, false
	return paths
}

// replace writes a segment in one piece, in the place of one of the same name if there is one.
func (j *journal) replace(s segment, text []byte, sync bool) error {
	tmp := j.path(s.name) + tmpSuffix
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil && sync {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, j.path(s.name))
	}
	if err != nil {
		os.Remove(tmp)
	}
	return err
}
