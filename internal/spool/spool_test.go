package spool

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
		s := (&Room{Dir: dir, Most: Unbounded, Each: 100}).New()
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
	s := (&Room{Dir: filepath.Join(t.TempDir(), "away"), Each: 3}).New()
	defer s.Close()
	for range 2 {
		if _, err := s.Write([]byte("four")); !errors.Is(err, ErrWrite) {
			t.Errorf("got %v", err)
		}
	}
}

func TestASpoolIsInMemoryOrInAFileAndTheSameFromItsBeginningEachTime(t *testing.T) {
	dir := t.TempDir()
	p := &Room{Dir: dir, Most: 10_000, Each: 4000}
	var all []*Spool
	for round := range 3 {
		for _, size := range []int{0, 1, 511, 512, 513, 3000, 4000, 5000, 70_000} {
			for _, hint := range []int64{0, int64(size), 1 << 40} {
				want := strings.Repeat("x", size)
				s, err := p.Fill(strings.NewReader(want), hint, 70_000)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					r, err := s.Open()
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(r)
					if r.Close(); err != nil || string(got) != want || s.Size() != int64(size) {
						t.Fatalf("round %d: %d of %d bytes, error %v", round, len(got), size, err)
					}
				}
				all = append(all, s)
			}
		}
	}
	for _, s := range all {
		s.Close()
		s.Close()
	}
	if _, err := p.Fill(strings.NewReader(strings.Repeat("x", 11)), 0, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
	if _, err := p.Fill(strings.NewReader(strings.Repeat("x", 70_001)), 0, 70_000); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
	s, err := p.Fill(strings.NewReader("room again"), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if s.file != nil {
		t.Error("the memory was not given back")
	}
	s.Close()
}

func TestASpoolThatIsCopiedToTakesNoMoreMemoryThanItMayAndIsReadAtAnyPlace(t *testing.T) {
	const each = 4 << 20
	for _, size := range []int{0, 1, each, each + 1, 3 * each} {
		room := &Room{Dir: t.TempDir(), Most: each, Each: each}
		s := room.New()
		want := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
		if _, err := io.Copy(s, bytes.NewReader(want)); err != nil {
			t.Fatal(err)
		}
		if inFile := s.file != nil; inFile != (size > each) {
			t.Errorf("%d bytes: in a file: %v", size, inFile)
		}
		got, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		if cap(s.memory) > each {
			t.Errorf("%d bytes: %d in memory", size, cap(s.memory))
		}
		s.Close()
		if left := room.used.Load(); left != 0 {
			t.Errorf("%d bytes: %d are still taken", size, left)
		}
	}
}
