package cli

import (
	"bytes"
	"io"
	"testing"
)

func TestSpoolGivesBackWhatWasWritten(t *testing.T) {
	for _, size := range []int{0, 1, spoolMemory, spoolMemory + 1, 3 * spoolMemory} {
		var s spool
		want := bytes.Repeat([]byte("0123456789abcdef!"), size/17+1)[:size]
		if _, err := io.Copy(&s, bytes.NewReader(want)); err != nil {
			t.Fatal(err)
		}
		if inFile := s.file != nil; inFile != (size > spoolMemory) {
			t.Errorf("%d bytes: in a file: %v", size, inFile)
		}
		got, err := io.ReadAll(io.NewSectionReader(&s, 0, s.size))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", size, len(got), err)
		}
		if s.memory.Cap() > 2*spoolMemory {
			t.Errorf("%d bytes: %d in memory", size, s.memory.Cap())
		}
		if err := s.Close(); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
