package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A whole is where something is written to: standard output, or a file that has its name only once it is whole. What was there before
// stays until then.
type whole struct {
	w    io.Writer
	temp *os.File // nil where it is not ours to close
	path string   // empty where it has its name already: a pipe, a device
}

// openOutput opens what --output names; standard output where it names nothing.
func openOutput(stdout io.Writer, path string) (*whole, error) {
	if path == "" || path == stdinName {
		return &whole{w: stdout}, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe, a device
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		return &whole{w: f, temp: f}, nil
	}
	w, err := createWhole(path)
	if err != nil {
		return nil, writing(path, err)
	}
	return w, nil
}

// createWhole makes the file beside its place, for its owner alone, and under no name that a link could lie in wait at: root writes where
// others may.
func createWhole(path string) (*whole, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return nil, err
	}
	return &whole{w: f, temp: f, path: path}, nil
}

// keep puts the file in its place, with a mode.
func (o *whole) keep(mode fs.FileMode) error {
	if o.temp == nil {
		return nil
	}
	f := o.temp
	o.temp = nil
	if o.path == "" {
		return f.Close()
	}
	err := errors.Join(f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// discard takes away what is not whole. After keep there is nothing to take away.
func (o *whole) discard() {
	if o.temp == nil {
		return
	}
	o.temp.Close()
	if o.path != "" {
		os.Remove(o.temp.Name())
	}
	o.temp = nil
}

// writing says of a file that could not be made which one was meant, and not under what name it was to be made.
func writing(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("writing %s: there is no directory %s; make it first", path, filepath.Dir(path))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("writing %s: permission denied in %s; name a file in a directory that you may write to", path, filepath.Dir(path))
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("writing %s: %w", path, err)
}
