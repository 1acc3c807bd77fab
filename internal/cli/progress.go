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
	p.say(func() string { return fmt.Sprintf("%s verified, %d not accepted", plural(done, "message"), refused) })
}

// say shows a text of its own, if it is time for one.
func (p *progress) say(text func() string) {
	if p.w == nil {
		return
	}
	now := p.now()
	if now.Sub(p.start) < progressAfter || now.Sub(p.last) < progressEvery {
		return
	}
	p.last = now
	io.WriteString(p.w, "\r\x1b[K"+text())
}

// clear takes the line away.
func (p *progress) clear() {
	if p.w != nil && !p.last.IsZero() {
		io.WriteString(p.w, "\r\x1b[K")
	}
}
