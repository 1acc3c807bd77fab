package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestSpoolIsReadBackByteForByteAndLeavesNoFile(t *testing.T) {
	for _, size := range []int{0, 1, 99, 100, 101, 5000} {
		dir := t.TempDir()
		s := New(dir, 100)
		want := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		for rest := want; len(rest) > 0; {
			n := min(7, len(rest))
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got := s.file != nil; got != (size > 100) {
			t.Errorf("%d bytes: in a file is %v", size, got)
		}
		if n := files(t, dir); n != 0 && runtime.GOOS != "windows" {
			t.Errorf("%d bytes: a process that is killed leaves %d files", size, n)
		}
		first, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		for _, r := range []io.ReadCloser{first, second} {
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes: read %d, %v", size, len(got), err)
			}
			r.Close()
			r.Close()
		}
		if n := files(t, dir); n != 0 {
			t.Errorf("%d bytes: %d files are left", size, n)
		}
		if _, err := s.Open(); err == nil {
			t.Errorf("%d bytes: opened after it was closed", size)
		}
		if s.Size() != int64(size) {
			t.Errorf("size is %d, want %d", s.Size(), size)
		}
	}
}

func TestSpoolThatCannotBeWrittenSaysSo(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "away"), 3)
	defer s.Close()
	for range 2 {
		if _, err := s.Write([]byte("four")); !errors.Is(err, ErrWrite) {
			t.Errorf("got %v", err)
		}
	}
}
