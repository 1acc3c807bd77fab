package cli

import (
	"fmt"
	"io"
	"time"
)

const (
	progressAfter = time.Second // before that nobody wonders
	progressEvery = 200 * time.Millisecond
)

// A progress is one line on a terminal, written over and over while the work is long.
type progress struct {
	w     io.Writer // nil where nobody looks
	start time.Time
	last  time.Time
	now   func() time.Time
}

// newProgress shows progress if w is a terminal, and the output goes elsewhere: otherwise the output is what moves.
func newProgress(w io.Writer, outIsTerminal bool) *progress {
	p := &progress{now: time.Now, start: time.Now()}
	if terminal(w) != nil && !outIsTerminal {
		p.w = w
	}
	return p
}

func (p *progress) show(done, refused int) {
	if p.due() {
		fmt.Fprintf(p.w, "\r\x1b[K%s verified, %d not accepted", plural(done, "message"), refused)
	}
}

// say shows a text of its own, if it is time for one.
func (p *progress) say(text func() string) {
	if p.due() {
		io.WriteString(p.w, "\r\x1b[K"+text())
	}
}

// due tells whether it is time to write the line anew.
func (p *progress) due() bool {
	if p.w == nil {
		return false
	}
	now := p.now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return false
	}
	p.last = now
	return true
}

// clear takes the line away.
func (p *progress) clear() {
	if p.w != nil && !p.last.IsZero() {
		io.WriteString(p.w, "\r\x1b[K")
	}
}
