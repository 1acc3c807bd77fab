// Package tomlfile reads the files that administrators write, and says what is wrong with one, and where.
package tomlfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// MaxBytes bounds what is read: a file that is larger is something else.
const MaxBytes = 1 << 20

// An Error says what is wrong with a file, and where.
type Error struct {
	File         string
	Line, Column int // from 1; Line is 0 where there is no one place
	Err          error
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap is what is wrong.
func (e *Error) Unwrap() error { return e.Err }

var errNoFile = errors.New("not a file")

// Read reads a file. One that is larger than [MaxBytes] is cut one byte behind them, so that this can be told.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &os.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular(): // a pipe that nobody writes to would keep us for ever
		return nil, &os.PathError{Op: "read", Path: path, Err: errNoFile}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxBytes+1))
}
