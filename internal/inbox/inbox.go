// Package inbox is where reports come from. An [Input] fetches what arrives somewhere, a directory, a mailbox, hands it to an
// [Importer], and only after what it holds is committed to the store does it move, flag or delete it there.
//
//	in, err := imap.New(imap.Options{Address: "mx.example.com:993", User: "reports", PasswordFile: "/etc/gatepost/imap"})
//	…
//	inbox.Supervise(ctx, importer, log, in) // until ctx ends
//
// The rules that each input holds to:
//
//   - Nothing is lost, and nothing counts twice: a crash between the commit and the move means that a message is offered again, and
//     the store then knows it.
//   - What cannot be read goes to a place of its own, once, with the reason. What could not be stored stays where it is and is
//     tried again, ever less often.
//   - One bad message never keeps the others from being read.
//   - Nothing is marked as read by being looked at.
//   - Memory is bounded, whatever lies there: see [spool.Room].
package inbox

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/gatepost-mail/gatepost/internal/intake"
)

// An Importer brings items into the store.
type Importer interface {
	// Import works through items, several at a time, and calls done for each, in order, once what became of it is committed. An error
	// (the store is away, ctx ended, done failed) ends it: what done was not called for must be offered again later.
	Import(ctx context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error
}

// An Input is one way by which reports come.
type Input interface {
	// Name is how the log and the metrics call it: "imap:reports@mx.example.com".
	Name() string
	// Run takes in what is there and what comes, until ctx ends, and reconnects by itself. It returns an error only for what no
	// repetition mends.
	Run(ctx context.Context, im Importer) error
	// Once takes in what is there now. Its error is the first thing that went wrong; what could be taken in was.
	Once(ctx context.Context, im Importer) error
	// State tells how it does.
	State() State
}

// DefaultMaxSize is how large a message or a file may be that is looked at.
const DefaultMaxSize = 50 << 20

// mostFailuresInARow ends a run: the store is not well, and to fetch more would be for nothing.
const mostFailuresInARow = 100

// A Task is an item with what is to follow.
type Task struct {
	Item intake.Item
	Done func(intake.Outcome) error // what became of it is committed, or it Failed; may be nil
	Drop func()                     // in any case at last: gives back what the item holds; may be nil
}

// Work hands the items of tasks to im and sees to what is to follow. What was neither done nor failed when it returns an error is to
// be offered again later.
func Work(ctx context.Context, im Importer, status *Status, tasks iter.Seq[Task]) error {
	w := work{status: status}
	defer w.dropAll()
	err := im.Import(ctx, func(yield func(intake.Item) bool) {
		for task := range tasks {
			w.push(task)
			if ctx.Err() != nil || !yield(task.Item) {
				return
			}
		}
	}, w.done)
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// work pairs what comes out of an Importer with what went in: both have the same order.
type work struct {
	status *Status
	failed int // in a row

	mu    sync.Mutex
	queue []Task
}

func (w *work) push(t Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, t)
}

func (w *work) pop(name string) (Task, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 || w.queue[0].Item.Name != name {
		return Task{}, fmt.Errorf("inbox: %s is done, but it is not its turn", name)
	}
	t := w.queue[0]
	w.queue[0] = Task{}
	w.queue = w.queue[1:]
	return t, nil
}

func (w *work) done(item intake.Item, o intake.Outcome) error {
	t, err := w.pop(item.Name)
	if err != nil {
		return err
	}
	defer t.drop()
	w.status.count(o)
	if t.Done != nil {
		if err := t.Done(o); err != nil {
			return err
		}
	}
	if o.Failed == nil {
		w.failed = 0
		return nil
	}
	if w.failed++; w.failed >= mostFailuresInARow {
		return fmt.Errorf("%d in a row could not be stored: %w", w.failed, o.Failed)
	}
	return nil
}

func (w *work) dropAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.queue {
		t.drop()
	}
	w.queue = nil
}

func (t Task) drop() {
	if t.Drop != nil {
		t.Drop()
	}
}

// Reason says in one line why an item is bad.
func Reason(o intake.Outcome) string {
	if len(o.Refused) == 0 {
		return "there is no report in it"
	}
	return Line(strings.Join(o.Refused, "; "), 500)
}

// Line makes text that came from elsewhere fit for one line of a log: no control characters, and at most so many bytes.
func Line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
