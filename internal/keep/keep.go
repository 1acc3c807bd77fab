// Package keep keeps answers that take long to make, so that whoever asks again need not wait: an old answer is given while a new one is
// being made beside it.
//
//	answers := keep.New(keep.Options{})
//	kept, err := keep.Get(ctx, answers, "domain example.com 30", func(ctx context.Context) (*insight.Answer, error) { … })
//
// Answers are values that nobody changes. How many are kept is bounded, and so is how many are made at the same time: the mail comes first.
//
// There are two lanes, so that a question that takes long does not hold up those that do not. One that is known to take long, because it did
// or because who asks says so with [Long], waits for the slow lane. Any other begins in the quick one, and moves over when it turns out to
// take long, if there is room. In each the answer that was asked for last is made first.
package keep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrPending says that an answer is being made, and no older one is there.
var ErrPending = errors.New("the answer is being worked out")

// Options say how much is kept. Zero values are the defaults.
type Options struct {
	Room     int           // answers; 500
	LongRoom int           // of those that [Long] asks for, which are large; 20
	Workers  int           // quick answers that are made at a time; 1
	Slow     int           // slow ones that are beside them; 1
	Patience time.Duration // that a new answer is waited for; 80 ms
	Quick    time.Duration // that a quick answer takes at most; 1 s
	Longest  time.Duration // that making one may take; 5 minutes
	Fresh    time.Duration // that one is given at least without a newer one being made; 2 seconds
	Now      func() time.Time
	Log      *slog.Logger
}

// A Keeper keeps answers.
type Keeper struct {
	o Options

	mu          sync.Mutex
	all, long   *lru.Cache[string, *entry]
	quick, slow lane
}

// An entry is one answer, or one that is being made.
type entry struct {
	value any
	err   error
	at    time.Time     // when it began to be made; zero: there is none yet
	cost  time.Duration // that it took
	least time.Duration // that it is given without a newer one being made, if nothing changes
	asked time.Time     // the last time
	stale bool          // something changed since it began to be made
	wrong bool          // what there is was made before something changed
	done  chan struct{} // closed when what is being made is there; nil if nothing is
	place *place        // that is waited for; nil if none is
}

// A Kept is an answer with its age.
type Kept[T any] struct {
	Value T
	At    time.Time
	Anew  bool // a newer one is being made
}

// New makes one.
func New(o Options) *Keeper {
	if o.Room == 0 {
		o.Room = 500
	}
	if o.LongRoom == 0 {
		o.LongRoom = 20
	}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Slow == 0 {
		o.Slow = 1
	}
	if o.Quick == 0 {
		o.Quick = time.Second
	}
	if o.Patience == 0 {
		o.Patience = 80 * time.Millisecond
	}
	if o.Longest == 0 {
		o.Longest = 5 * time.Minute
	}
	if o.Fresh == 0 {
		o.Fresh = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{o: o, quick: lane{free: o.Workers}, slow: lane{free: o.Slow}, all: room(o.Room), long: room(o.LongRoom)}
}

// room is where entries are. One that there is no room for any more is not made if that has not begun.
func room(size int) *lru.Cache[string, *entry] {
	all, err := lru.NewWithEvict(size, func(_ string, e *entry) {
		if e.place != nil && e.place.stop() {
			e.place.gone = true
		}
	})
	if err != nil {
		panic(err) // only a size below one
	}
	return all
}

type (
	patienceKey struct{}
	longKey     struct{}
	lastingKey  struct{}
	insideKey   struct{}
)

// A wait says how long to wait, and since when.
type wait struct{ from, until time.Time }

// Lasting is a context for a question whose answer is good for so long, if nothing is told to [Keeper.Change].
func Lasting(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, lastingKey{}, d)
}

// Long is a context for a question that is known to take long.
func Long(ctx context.Context) context.Context { return context.WithValue(ctx, longKey{}, true) }

// Patient is a context in which a new answer is waited for until it is there: a program has the time, a person wants to see something.
func Patient(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, wait{from: time.Now()})
}

// Hurried is a context in which all new answers together are waited for no longer than until a time.
func Hurried(ctx context.Context, until time.Time) context.Context {
	return context.WithValue(ctx, patienceKey{}, wait{time.Now(), until})
}

// patience is how long a new answer is waited for; nil: until it is there.
func (k *Keeper) patience(ctx context.Context) *time.Timer {
	w, ok := ctx.Value(patienceKey{}).(wait)
	switch {
	case !ok:
		return time.NewTimer(k.o.Patience)
	case w.until.IsZero():
		return nil
	}
	return time.NewTimer(time.Until(w.until))
}

// An error is no answer: it is made anew soon, but not for everybody who asks at the same time.
const (
	leastError = time.Second
	mostError  = 10 * time.Second
)

// old is how long an answer does beyond that, if a newer one is being made that is not there in a moment: nobody waits for one that is
// likely to say the same.
const old = 5 * time.Minute

// fresh is how long an answer is given without a newer one being made: longer for one that took long.
func (k *Keeper) fresh(e *entry) time.Duration {
	if e.err != nil {
		return min(max(leastError, e.cost), mostError)
	}
	return max(k.o.Fresh, e.least, 20*e.cost)
}

// Get gives an answer. Where none is there in time, the error is ErrPending.
func Get[T any](ctx context.Context, k *Keeper, key string, answer func(context.Context) (T, error)) (Kept[T], error) {
	e, done := k.look(ctx, key, func(ctx context.Context) (any, error) { return answer(ctx) })
	if done != nil { // there is nothing yet, or what there is does not do
		var enough <-chan time.Time
		if timer := k.patience(ctx); timer != nil {
			defer timer.Stop()
			enough = timer.C
		}
		select {
		case <-done:
		case <-enough:
		case <-ctx.Done():
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case e.at.IsZero() && ctx.Err() != nil:
		return Kept[T]{}, ctx.Err()
	case e.at.IsZero(), e.wrong && e.done != nil: // what somebody changed is not shown as it was
		return Kept[T]{}, ErrPending
	case e.err != nil:
		return Kept[T]{}, e.err
	}
	return Kept[T]{Value: e.value.(T), At: e.at, Anew: e.done != nil}, nil
}

// look finds an entry, and has it made anew if it is due. It gives what is to be waited for; nil if what there is does.
func (k *Keeper) look(ctx context.Context, key string, answer func(context.Context) (any, error)) (*entry, chan struct{}) {
	all := k.all
	if ctx.Value(longKey{}) != nil {
		all = k.long
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := all.Get(key)
	if !ok {
		e = &entry{}
		e.least, _ = ctx.Value(lastingKey{}).(time.Duration)
		all.Add(key, e)
	}
	e.asked = time.Now()
	if w, ok := ctx.Value(patienceKey{}).(wait); ok {
		e.asked = w.from
	}
	if e.done == nil && (e.stale || e.at.IsZero() || k.o.Now().Sub(e.at) > k.fresh(e)) {
		e.done, e.stale, e.wrong = make(chan struct{}), false, e.stale
		if ctx.Value(insideKey{}) == nil { // else it is a part of one that is being made, and has its place
			of := &k.quick
			if ctx.Value(longKey{}) != nil || e.cost > k.o.Quick {
				of = &k.slow
			}
			e.place = of.enter(e)
		}
		go k.make(context.WithoutCancel(ctx), e, e.place, key, answer)
	}
	if ctx.Value(insideKey{}) != nil && e.place != nil && e.place.stop() {
		e.place.guest = true // who waits for it holds the place that it would wait for
	}
	if k.does(e) && (e.cost > k.o.Patience/2 || e.place.waits()) {
		return e, nil
	}
	return e, e.done
}

// does tells whether an answer can be given although it is not fresh: nothing is known to have changed, and it is not too old.
func (k *Keeper) does(e *entry) bool {
	return !e.stale && !e.wrong && e.err == nil && !e.at.IsZero() && k.o.Now().Sub(e.at) < k.fresh(e)+old
}

// inside is the context in which an answer is made: of others, perhaps, for which there is time.
func inside(ctx context.Context) context.Context {
	for _, key := range []any{longKey{}, lastingKey{}} {
		ctx = context.WithValue(ctx, key, nil)
	}
	return Patient(context.WithValue(ctx, insideKey{}, true))
}

// mostAnew is how often an answer is made again at once because something changed while it was made.
const mostAnew = 3

func (k *Keeper) make(ctx context.Context, e *entry, p *place, key string, answer func(context.Context) (any, error)) {
	if p != nil {
		leave := k.hold(e, p)
		if leave == nil {
			k.locked(e.end)
			return
		}
		defer leave()
	}
	ctx = inside(ctx)
	for n := 1; !k.once(ctx, e, key, n == mostAnew, answer); n++ {
	}
}

// end tells all who wait that nothing is being made any more.
func (e *entry) end() {
	close(e.done)
	e.done, e.wrong = nil, false
}

// once makes an answer, and tells whether that is all: it is made again where something changed meanwhile.
func (k *Keeper) once(ctx context.Context, e *entry, key string, last bool, answer func(context.Context) (any, error)) (all bool) {
	ctx, cancel := context.WithTimeout(ctx, k.o.Longest)
	defer cancel()
	at, begun := k.o.Now(), time.Now()
	value, err := k.safely(ctx, key, answer)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil || e.at.IsZero() || e.err != nil {
		e.value, e.err, e.at = value, err, at
	} else {
		k.o.Log.Warn("an answer could not be made anew; the older one is shown", "answer", key, "error", err.Error())
		e.at = at
	}
	e.cost = time.Since(begun)
	if e.stale && !last {
		e.stale, e.wrong = false, true
		return false
	}
	e.end()
	return true
}

// safely makes an error of a panic: one question that cannot be answered is no reason to end a program that mail goes through.
func (k *Keeper) safely(ctx context.Context, key string, answer func(context.Context) (any, error)) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			k.o.Log.Error("an answer panicked", "answer", key, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			value, err = nil, fmt.Errorf("answer %s: panic: %v", key, p)
		}
	}()
	return answer(ctx)
}

// Has tells whether an answer is there, or being made.
func (k *Keeper) Has(key string) bool { return k.all.Contains(key) || k.long.Contains(key) }

// Change has the answers whose keys begin so made anew when they are asked for.
func (k *Keeper) Change(prefix string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, all := range []*lru.Cache[string, *entry]{k.all, k.long} {
		for _, key := range all.Keys() {
			if e, ok := all.Peek(key); ok && strings.HasPrefix(key, prefix) {
				e.stale = true
			}
		}
	}
}
