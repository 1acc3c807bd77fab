package cli

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestResultsComeInTheOrderOfTheInput(t *testing.T) {
	var in, got []int
	for i := range 100 {
		in = append(in, i)
	}
	inOrder(slices.Values(in), func(i int) int {
		time.Sleep(time.Duration(i%3) * time.Millisecond)
		return i
	}, func(i int) { got = append(got, i) })
	if !slices.Equal(got, in) {
		t.Errorf("got %v", got)
	}
}

func TestProgressIsShownWhenWorkIsLong(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	p := &progress{w: &out, start: now, now: func() time.Time { return now }}
	for i := range 30 {
		p.show(i, 1)
		now = now.Add(100 * time.Millisecond)
	}
	if lines := bytes.Count(out.Bytes(), []byte("\r")); lines < 8 || lines > 12 {
		t.Errorf("%d lines in 3 s, want one every 200 ms after the first second: %q", lines, out.String())
	}
	p.clear()
	if want := fmt.Sprintf("%s verified, 1 not accepted\r\x1b[K", plural(28, "message")); !bytes.HasSuffix(out.Bytes(), []byte(want)) {
		t.Errorf("got %q, want %q at the end", out.String(), want)
	}
}

func TestNoProgressWhereNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, false)
	p.start = p.start.Add(-time.Hour)
	p.show(1, 0)
	p.clear()
	if out.Len() > 0 {
		t.Errorf("got %q", out.String())
	}
}
