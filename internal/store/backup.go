package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// Backup writes a store, as it is at one moment, into a new file, while others go on with it. Whatever the engine, the file is a store in
// SQLite: it can be restored into any engine, and looked into with sqlite3.
func Backup(ctx context.Context, address, file string, progress func(table string, rows, of int64)) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return &fs.PathError{Op: "create", Path: file, Err: fs.ErrExist}
	}
	from, err := Open(ctx, address, Options{})
	if err != nil {
		return err
	}
	defer from.Close()
	// In a folder of its own, so that nobody takes for a backup what is not finished, and what SQLite makes beside it goes too.
	dir, err := os.MkdirTemp(filepath.Dir(file), ".gatepost-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	unfinished := filepath.Join(dir, "gatepost.db")
	if isPostgres(address) {
		_, err = copyInto(ctx, from.(*database), "sqlite:"+unfinished, CopyOptions{Progress: progress})
	} else {
		err = from.(*database).vacuumInto(ctx, unfinished)
	}
	if err != nil {
		return err
	}
	if err := onDisk(unfinished); err != nil {
		return err
	}
	if err := os.Link(unfinished, file); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(unfinished, file) // a file system without links
}

// vacuumInto writes a copy in which nothing is left of what was deleted.
func (d *database) vacuumInto(ctx context.Context, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	_, err = d.read.ExecContext(ctx, `VACUUM INTO $1`, file)
	return d.explain(err)
}

func onDisk(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Restore puts what a backup has into a store, which is made if it is not there. A backup of an older gatepost is brought up to date on
// the way; the file stays as it is.
func Restore(ctx context.Context, file, address string, o CopyOptions) ([]Copied, error) {
	from, end, err := openBackup(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", file, explainSQLite(err))
	}
	defer end()
	return copyInto(ctx, from, address, o)
}

// openBackup opens a file for reading alone.
func openBackup(ctx context.Context, file string) (_ *database, end func(), err error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, nil, reason(err)
	case info.IsDir():
		return nil, nil, errors.New("it is a directory; name a file")
	}
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}
	db, err := sql.Open("sqlite", fileURL(path, q))
	if err != nil {
		return nil, nil, err
	}
	d := &database{engine: &sqliteEngine{path: path, opened: info, write: db}, write: db, read: db}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	var there int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`).Scan(&there); err != nil {
		return nil, nil, err
	}
	if there == 0 {
		return nil, nil, fmt.Errorf("%w in it; name a file that \"gatepost store backup\" wrote", ErrNotThere)
	}
	steps, err := d.steps(db)
	if err != nil {
		return nil, nil, err
	}
	switch err := migrate(ctx, steps, false); {
	case errors.Is(err, ErrOlder):
		db.Close()
		return upToDate(ctx, path)
	case err != nil:
		return nil, nil, err
	}
	return d, func() { d.Close() }, nil
}

// upToDate makes a copy of a backup whose tables are those of this gatepost.
func upToDate(ctx context.Context, path string) (_ *database, end func(), err error) {
	dir, err := os.MkdirTemp("", "gatepost-restore-")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	file := filepath.Join(dir, "gatepost.db")
	if err := copyFile(path, file); err != nil {
		return nil, nil, err
	}
	d, err := connectSQLite(ctx, file, Options{Create: true})
	if err != nil {
		return nil, nil, err
	}
	return d, func() {
		d.Close()
		os.RemoveAll(dir)
	}, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
