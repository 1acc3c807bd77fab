package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

// A disposal is a file that is to be put away.
type disposal struct {
	file   file
	reason string // why it is bad; empty if it is not
}

const mostWaiting = 10_000 // those beyond stay where they are until the next start

// settle is for a file that is in the store, or was refused: it is never offered again as it is, and put away if so configured. The lock
// is held.
func (in *Input) settle(f file, m mark, reason string) {
	delete(in.later, f.key)
	in.seen[m] = struct{}{}
	switch {
	case f.keep, reason != "" && in.o.Bad == "", reason == "" && in.o.After == Keep, len(in.waiting) >= mostWaiting:
		return
	}
	in.waiting = append(in.waiting, disposal{f, reason})
	if len(in.waiting) >= namesAtOnce {
		in.putAwayLocked()
	}
}

// putAway moves and deletes what waits; after a failure, only if it is time.
func (in *Input) putAway() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.putAwayLocked()
}

func (in *Input) putAwayLocked() {
	if len(in.waiting) == 0 || time.Now().Before(in.until) {
		return
	}
	var failed []disposal
	var first error
	for _, d := range in.waiting {
		err := in.put(d)
		if err == nil || errors.Is(err, fs.ErrNotExist) && gone(d.file.path) {
			continue
		}
		failed = append(failed, d)
		if first == nil {
			first = err
		}
	}
	in.waiting = failed
	in.status.Waiting(len(failed))
	if first == nil {
		in.backoff.Reset()
		in.until = time.Time{}
		return
	}
	in.backoff.First, in.backoff.Most = time.Minute, time.Hour
	in.until = time.Now().Add(in.backoff.Next())
	in.status.Trouble(fmt.Errorf("%d files are in the store but cannot be put away: %w", len(failed), first))
}

func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// put puts one file away, if it is still the same.
func (in *Input) put(d disposal) error {
	info, err := os.Lstat(d.file.path)
	if errors.Is(err, fs.ErrNotExist) && d.file.maildir != "" { // its reader has moved it from new to cur, or changed its flags
		if d.file.path, err = d.file.find(); err == nil {
			info, err = os.Lstat(d.file.path)
		}
	}
	if err != nil {
		return err
	}
	if !os.SameFile(info, d.file.info) || info.Size() != d.file.info.Size() || !info.ModTime().Equal(d.file.info.ModTime()) {
		return nil // it is another now, and will be offered
	}
	switch {
	case d.reason != "":
		return in.moveBad(d)
	case in.o.After == Delete:
		return os.Remove(d.file.path)
	case d.file.maildir != "" && in.o.After == Seen:
		return markSeen(d.file)
	case d.file.maildir != "" && in.o.After == Move:
		return moveMail(d.file, in.o.Done)
	case in.o.After == Move:
		_, err := moveFile(d.file.path, in.o.Done, filepath.Base(d.file.path))
		return err
	}
	return nil
}

// moveBad moves a file to the directory for those that cannot be read. The reason goes there first: who finds the one finds the other.
func (in *Input) moveBad(d disposal) error {
	dir, name := in.o.Bad, filepath.Base(d.file.path)
	if d.file.maildir != "" {
		dir, name = folderPath(d.file.maildir, in.o.Bad), baseName(name)
		if err := makeMaildir(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name, err := freeName(dir, name, func(name string) bool { return in.mayWriteReason(filepath.Join(dir, name+reasonEnd), d.file) })
	if err != nil {
		return err
	}
	reason := filepath.Join(dir, name+reasonEnd)
	text := fmt.Sprintf("%s\n%s\n%s\n", d.file.path, time.Now().UTC().Format(time.RFC3339), d.reason)
	if err := os.WriteFile(reason, []byte(text), 0o600); err != nil {
		return err
	}
	arrived := func() bool { return !gone(filepath.Join(dir, name)) }
	if d.file.maildir != "" {
		err = moveMail(d.file, in.o.Bad)
		arrived = func() bool {
			there, _ := filepath.Glob(filepath.Join(dir, "cur", globbed.Replace(name)+"*"))
			return len(there) > 0
		}
	} else {
		_, err = moveFile(d.file.path, dir, name)
	}
	if err != nil && !arrived() { // otherwise another node was faster, and the reason is that of its file too
		os.Remove(reason)
	}
	return err
}

const reasonEnd = ".reason.txt"

var globbed = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// mayWriteReason tells whether a reason may be written to a path: there is none, or one of the same file, which a program wrote that was
// killed before it moved the file, or another node that is about to.
func (in *Input) mayWriteReason(path string, f file) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	was, _, _ := strings.Cut(string(text), "\n")
	return was == "" || was == f.path || f.maildir != "" && baseName(filepath.Base(was)) == baseName(filepath.Base(f.path))
}

// freeName finds a name that is not taken in dir, and that suits.
func freeName(dir, name string, suits func(name string) bool) (string, error) {
	base, end := name, ""
	if i := strings.Index(name, "."); i > 0 {
		base, end = name[:i], name[i:]
	}
	for i := 1; i < 10_000; i++ {
		try := name
		if i > 1 {
			try = fmt.Sprintf("%s-%d%s", base, i, end)
		}
		if gone(filepath.Join(dir, try)) && (suits == nil || suits(try)) {
			return try, nil
		}
	}
	return "", fmt.Errorf("%s: has too many files named like %s", dir, name)
}

// moveFile moves a file into a directory, under another name if its own is taken. Where the directory is on another filesystem the file is
// copied, and removed here only when the copy is on the disk.
func moveFile(path, dir, name string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	name, err := freeName(dir, name, nil)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, name)
	if err = rename(path, to); !otherDevice(err) {
		return to, err
	}
	if err := copyFile(path, to); err != nil {
		return "", err
	}
	if err := os.Remove(path); err != nil {
		os.Remove(to)
		return "", err
	}
	return to, nil
}

// rename is os.Rename; tests replace it to stand for another filesystem.
var rename = os.Rename

// copyFile makes a copy that is whole or not there.
func copyFile(path, to string) (err error) {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	temp, err := os.CreateTemp(filepath.Dir(to), ".gatepost-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			temp.Close()
			os.Remove(temp.Name())
		}
	}()
	if _, err = io.Copy(temp, from); err != nil {
		return err
	}
	if info, err := from.Stat(); err == nil {
		temp.Chmod(info.Mode().Perm())
		defer os.Chtimes(to, time.Time{}, info.ModTime())
	}
	if err = temp.Sync(); err != nil {
		return err
	}
	if err = temp.Close(); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir brings a directory to the disk, where that can be asked for.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

var _ inbox.Input = (*Input)(nil)
