package spool

import (
	"fmt"
	"os"
)

// A File is a temporary file. Where an open file can be removed, it has no name: then nothing is left behind, however we end.
type File struct {
	*os.File
	named bool // on Windows
}

// NewFile makes one in dir, or where the system keeps temporary files if that is empty.
func NewFile(dir string) (*File, error) {
	f, err := os.CreateTemp(dir, "gatepost-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return &File{f, os.Remove(f.Name()) != nil}, nil
}

// Close gives the file up.
func (f *File) Close() error {
	err := f.File.Close()
	if f.named {
		os.Remove(f.Name())
	}
	return err
}
