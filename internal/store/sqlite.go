package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/gatepost-mail/gatepost/internal/owner"
)

// The pragmas of every connection. A batch that was taken is on the disk: the journal that it came from is deleted then. The file that
// writes go to first is given back when it has grown.
var pragmas = []string{"journal_mode(wal)", "synchronous(full)", "journal_size_limit(16777216)", "foreign_keys(on)"}

// Those of connections that wait for others by SQLite's own means.
var waiting = append([]string{"busy_timeout(10000)"}, pragmas...)

// Those of the connection that the store is written by. SQLite asks ever more seldom whether a lock is free, and knows no queue: who waits for one who writes
// batch after batch, with a breath between them, would find that breath only by chance. So it gives up soon, and is asked again by begin.
//
// The cache is how many KiB of pages a transaction may hold in memory. With less, roll-ups of many reports are written to the disk
// several times before they are committed. A page takes 8 KiB, twice its size: memory comes in powers of two, and SQLite adds some bytes.
var asking = append([]string{"busy_timeout(20)", "cache_size(-8192)"}, pragmas...)

// errMoved is that of a store whose file is no longer where it was opened: what is written would not be found again.
var errMoved = errors.New("the file was moved away or replaced while it was in use")

const (
	// lockedOut is how long others may have a store locked and write nothing to it, and inLine how long they may write.
	lockedOut = 10 * time.Second
	inLine    = time.Minute
)

func openSQLite(ctx context.Context, path string, o Options) (Store, error) {
	d, err := unlocked(ctx, path, func() (*database, error) { return connectSQLite(ctx, path, o) })
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	return d, nil
}

// unlocked tries a thing until nobody stands in its way. SQLite itself does not wait for everything: not for one who is the first to open
// a file, or the last to close it.
func unlocked[T any](ctx context.Context, path string, try func() (T, error)) (T, error) {
	began := time.Now()
	last, at := writtenLast(path), began
	for {
		got, err := try()
		if err == nil || !locked(err) {
			return got, err
		}
		now := time.Now()
		if w := writtenLast(path); w != last {
			last, at = w, now
		}
		if now.Sub(at) > lockedOut || now.Sub(began) > inLine {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(time.Millisecond):
		}
	}
}

// A written is another after each time that somebody wrote to a store.
type written struct {
	at    time.Time
	bytes int64
}

func writtenLast(path string) written {
	info, err := os.Stat(path + "-wal")
	if err != nil { // nobody has it open
		return written{}
	}
	return written{info.ModTime(), info.Size()}
}

func connectSQLite(ctx context.Context, path string, o Options) (_ *database, err error) {
	d, err := poolsSQLite(path, o.Create, asking)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.Close()
			err = explainSQLite(err)
		}
	}()
	d.observations = int64(cmp.Or(o.Observations, DefaultObservations))
	tables, err := d.steps(d.write)
	if err != nil {
		return nil, err
	}
	return d, migrate(ctx, tables, o.Create)
}

// poolsSQLite are the connections to a file, whatever is in it; those that write begin with pragmas of their own.
func poolsSQLite(path string, create bool, write []string) (*database, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := fileSQLite(path, create); err != nil {
		return nil, err
	}
	e := &sqliteEngine{path: path}
	if e.opened, err = os.Stat(path); err != nil {
		return nil, err
	}
	d := &database{engine: e, known: newKnown()}
	if d.write, err = sql.Open("sqlite", dsn(path, "immediate", write)); err != nil {
		return nil, err
	}
	d.write.SetMaxOpenConns(1)
	d.bulk = &manyValues{db: d.write}
	e.write = d.write
	if d.read, err = sql.Open("sqlite", dsn(path, "deferred", waiting)); err != nil {
		d.write.Close()
		return nil, err
	}
	d.read.SetMaxOpenConns(4)
	d.read.SetMaxIdleConns(1)
	return d, nil
}

// A sqliteEngine is one file.
type sqliteEngine struct {
	path   string
	opened fs.FileInfo // of the file that was opened
	write  *sql.DB
}

func (s *sqliteEngine) ready() error {
	if now, err := os.Stat(s.path); err != nil || !os.SameFile(s.opened, now) {
		return fmt.Errorf("store %s: %w", s.path, errMoved)
	}
	return nil
}

func (s *sqliteEngine) explain(err error) error {
	if answers(err) {
		return err
	}
	return fmt.Errorf("store %s: %w", s.path, explainSQLite(err))
}

func (s *sqliteEngine) steps(db *sql.DB) (*migrator, error) {
	return migratorOf(goose.DialectSQLite3, "sqlite", db)
}

func (s *sqliteEngine) close() error { return nil }

// fileSQLite looks whether there is a file that can be a store, and makes an empty one if it may: one that not everybody may read.
func fileSQLite(path string, create bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return errors.New("it is a directory; name a file in it")
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return reason(err)
	case !create:
		return fmt.Errorf("%w; \"gatepost serve\" makes it, --store names another", ErrNotThere)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o640)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no directory %s; make it, for the user that gatepost runs as", filepath.Dir(path))
	}
	if err != nil {
		return reason(err)
	}
	defer f.Close()
	if err := owner.FileAs(filepath.Dir(path), f); err != nil {
		return reason(err)
	}
	return f.Close()
}

// reason leaves the path out of an error, which stands in front of it.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// dsn is the driver's word for a file. All its connections begin with the pragmas.
func dsn(path, lock string, begin []string) string {
	return fileURL(path, url.Values{"_txlock": {lock}, "mode": {"rw"}, "_pragma": begin})
}

func fileURL(path string, q url.Values) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") { // C:/…
		p = "/" + p
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: q.Encode()}
	return u.String()
}

// A sqliteError says how to mend what SQLite complains of.
type sqliteError struct {
	text string
	err  error
}

func (e *sqliteError) Error() string { return e.text }
func (e *sqliteError) Unwrap() error { return e.err }

var adviceSQLite = map[int]string{
	lib.SQLITE_BUSY:     "another program holds it locked; see who has it open, or try again",
	lib.SQLITE_LOCKED:   "another program holds it locked; see who has it open, or try again",
	lib.SQLITE_READONLY: "it cannot be written; give the user that runs gatepost the right to write the file and its directory",
	lib.SQLITE_PERM:     "it cannot be opened; give the user that runs gatepost the right to write the file and its directory",
	lib.SQLITE_CANTOPEN: "it cannot be opened; give the user that runs gatepost the right to write the file and its directory",
	lib.SQLITE_IOERR:    "the disk fails to read or write it; see the system's log",
	lib.SQLITE_FULL:     "the disk is full; make room",
	lib.SQLITE_CORRUPT:  "it is damaged; restore it from a backup, or move it away and a new one is made",
	lib.SQLITE_NOTADB:   "it is no SQLite database, or damaged; restore it from a backup, or move it away and a new one is made",
}

func explainSQLite(err error) error {
	var engine *sqlite.Error
	var explained *sqliteError
	if errors.As(err, &explained) || !errors.As(err, &engine) {
		return err
	}
	advice, ok := adviceSQLite[engine.Code()&0xff] // the upper bits are for programmers
	if !ok {
		return err
	}
	return &sqliteError{text: fmt.Sprintf("%s (SQLite %d)", advice, engine.Code()), err: err}
}

// brokenSQLite tells whether it is better to open the store anew than to go on with it.
func brokenSQLite(err error) bool {
	if errors.Is(err, errMoved) {
		return true
	}
	var engine *sqlite.Error
	if !errors.As(err, &engine) {
		return false
	}
	return !locked(err) && engine.Code()&0xff != lib.SQLITE_FULL
}

// locked tells whether somebody else stands in the way.
func locked(err error) bool {
	var engine *sqlite.Error
	if !errors.As(err, &engine) {
		return false
	}
	code := engine.Code() & 0xff
	return code == lib.SQLITE_BUSY || code == lib.SQLITE_LOCKED
}
