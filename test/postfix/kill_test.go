//go:build linux

package postfix

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// mixed are letters of which every fifth is refused.
func mixed(test string) func(sender, i int) letter {
	return func(s, i int) letter {
		mark := fmt.Sprintf("%s-%d-%d", test, s, i)
		from := good
		if i%5 == 4 {
			from.ip = "192.0.2.9" // SPF softfail
		}
		return letter{from, mark, message(mark, fromGood)}
	}
}

// The journal has a message before its answer leaves, and survives the process. So of every message that got an answer there is exactly
// one decision. A message that was decided on and whose answer died with the gate is put off by Postfix: it is written down under the
// queue id that it had then, and comes again under another. Of those there are at most as many as were under way at the kills.
func TestNothingIsLostAndEverythingCountedWhenTheGateIsKilled(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	const senders, kills = 4, 12
	l := startLoad(b.mta.address, senders, 0, mixed("kill"))
	for range kills {
		time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		b.gate.kill()
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		b.gate.start(t)
	}
	l.wait(t, 2, 20)
	l.stop()
	b.gate.terminate(t)

	l.checkAll(t, b.sink)
	books := b.gate.books(t)
	unanswered := checkDecisions(t, books, l, b.mta)
	if unanswered > kills*senders {
		t.Errorf("%d decisions without an answer, though no more than %d can have been under way", unanswered, kills*senders)
	}
	codes := l.codes()
	t.Logf("%d kills; %d accepted, %d refused, %d asked to come again, %d connections broken; %d decisions in the store, %d of them without an answer",
		kills, codes[2], codes[5], codes[4], l.broken.Load(), len(books.decisions), unanswered)
	if codes[4] == 0 || codes[5] == 0 {
		t.Error("no sender met a gate that was away, or none was refused: the test shows nothing")
	}
}
