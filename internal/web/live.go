package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Bounds of what is told as it comes. A listener takes a connection for as long as it listens, and others must get one too.
const (
	mostListeners = 48 // of maxConnections
	mostOfOne     = 8  // likewise, of one person
	mostWaiting   = 256
	mostMissed    = 200
	mostPolled    = 500 // decisions that are read at once

	livePoll    = time.Second
	liveCheck   = 2 * time.Second // that who listens may still do so
	liveBeat    = 15 * time.Second
	liveWrite   = 10 * time.Second // that one event may take to be written
	liveTimeout = 5 * time.Second  // likewise, a question to the store
	liveRetry   = 3 * time.Second  // after which a browser comes again
)

// A live tells decisions to whoever listens, as they come. It asks the store once for all of them, and only while there are some.
type live struct {
	desk *dashboard.Desk

	mu        sync.Mutex
	listeners map[*listener]bool
	stop      context.CancelFunc // of the polling; nil if nobody listens
}

// A listener is told what it asked for.
type listener struct {
	who   string
	watch *dashboard.Watch
	found chan dashboard.DecisionLine // closed where it was too slow
}

var errTooMany = errors.New("too many listen already")

func newLive(d *dashboard.Desk) *live { return &live{desk: d, listeners: map[*listener]bool{}} }

// join adds a listener, who hears of every decision that comes from now on.
func (l *live) join(ctx context.Context, who string, watch *dashboard.Watch) (*listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := 0
	for other := range l.listeners {
		if other.who == who {
			of++
		}
	}
	if len(l.listeners) >= mostListeners || of >= mostOfOne {
		return nil, errTooMany
	}
	if l.stop == nil {
		last, err := l.newest(ctx)
		if err != nil {
			return nil, err
		}
		polling, stop := context.WithCancel(context.Background())
		l.stop = stop
		go l.poll(polling, last)
	}
	ls := &listener{who: who, watch: watch, found: make(chan dashboard.DecisionLine, mostWaiting)}
	l.listeners[ls] = true
	return ls, nil
}

// leave takes a listener away; after the last one nobody asks the store any more.
func (l *live) leave(ls *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.listeners, ls)
	if len(l.listeners) == 0 && l.stop != nil {
		l.stop()
		l.stop = nil
	}
}

// newest is the ID of the last decision.
func (l *live) newest(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	last, err := l.desk.Store.Decisions(ctx, store.DecisionFilter{Limit: 1})
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].ID, nil
}

// poll tells what comes after a decision, until it is stopped.
func (l *live) poll(ctx context.Context, last int64) {
	tick := time.NewTicker(livePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			asking, cancel := context.WithTimeout(ctx, liveTimeout)
			found, err := l.desk.Store.Decisions(asking, store.DecisionFilter{After: last, Oldest: true, Limit: mostPolled})
			cancel()
			if err != nil { // the store may be away for a while; what comes meanwhile is told then
				break
			}
			for i := range found {
				l.tell(&found[i])
				last = found[i].ID
			}
			more = len(found) == mostPolled
		}
	}
}

// tell passes a decision on. Who has too many waiting is sent away, and gets what was missed when it comes again.
func (l *live) tell(d *store.Decision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := dashboard.Line(d)
	for ls := range l.listeners {
		if !ls.watch.Lets(d) {
			continue
		}
		select {
		case ls.found <- line:
		default:
			delete(l.listeners, ls)
			close(ls.found)
		}
	}
}

// serve answers with events until the client goes, may look no more, or the server stops.
func (l *live) serve(w http.ResponseWriter, r *http.Request, who *people.Access, watch *dashboard.Watch, after int64, still func() bool) {
	if id, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64); err == nil && id > 0 {
		after = id
	}
	ls, err := l.join(r.Context(), who.Asker(), watch)
	if err != nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "Too many look at it at this moment, or the store is away. Look again later.", http.StatusServiceUnavailable)
		return
	}
	defer l.leave(ls)
	out := newEvents(w)
	if r.Method == http.MethodHead || out.write("retry: %d\n\n", liveRetry.Milliseconds()) != nil {
		return
	}
	if after > 0 {
		missed, err := l.desk.Missed(r.Context(), watch, after, mostMissed)
		if err != nil {
			return
		}
		for _, line := range missed {
			if out.decision(line) != nil {
				return
			}
		}
	}
	check, beat := time.NewTicker(liveCheck), time.NewTicker(liveBeat)
	defer check.Stop()
	defer beat.Stop()
	for {
		select {
		case line, ok := <-ls.found:
			if !ok || out.decision(line) != nil {
				return
			}
		case <-check.C:
			if !still() {
				return
			}
		case <-beat.C:
			if out.write(": still here\n\n") != nil {
				return
			}
		case <-stopping(r.Context()):
			return
		case <-r.Context().Done():
			return
		}
	}
}

// events are written to a client one by one.
type events struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	last int64 // the ID of the decision that was told last
}

func newEvents(w http.ResponseWriter) *events {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not wait for more
	e := &events{w: w, rc: http.NewResponseController(w)}
	e.rc.SetReadDeadline(time.Time{}) // that of the server is for requests: it would end this one
	w.WriteHeader(http.StatusOK)
	return e
}

// decision writes one that was not written yet.
func (e *events) decision(line dashboard.DecisionLine) error {
	if line.ID <= e.last {
		return nil
	}
	e.last = line.ID
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return e.write("id: %d\ndata: %s\n\n", line.ID, show.JSON(text))
}

// write gives the client some time to take it. In between no deadline holds: over HTTP/2 it would end the stream.
func (e *events) write(format string, a ...any) error {
	e.rc.SetWriteDeadline(time.Now().Add(liveWrite))
	defer e.rc.SetWriteDeadline(time.Time{})
	if _, err := fmt.Fprintf(e.w, format, a...); err != nil {
		return err
	}
	return e.rc.Flush()
}

type stoppingKey struct{}

// stoppable is the context of requests that are let come to their end when the server stops, and can know that it does.
func stoppable(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, ctx.Done())
}

// stopping is closed when the server stops.
func stopping(ctx context.Context) <-chan struct{} {
	done, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	return done
}
