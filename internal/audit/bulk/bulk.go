// Package bulk audits any number of domains, many at once, and tells of them in their order.
//
//	summary, err := bulk.Run(ctx, bulk.Options{
//		Domains: bulk.Lines(file), Facts: facts.Options{Resolver: client},
//		Render: func(r bulk.Result) []byte { … },  // by several goroutines
//		Write:  func(text []byte) error { … },     // in the order of the domains
//	})
//
// What is held in memory does not grow with the number of domains. Since the output has the order of the input, a run that was broken off
// goes on where its output ends: see [Resume].
package bulk

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// Options say what to audit, and what becomes of it. The zero value of a number means its default.
type Options struct {
	Domains iter.Seq2[string, error] // as written; an error ends the run
	Facts   facts.Options
	Timeout time.Duration // of one domain; a minute
	AtOnce  int           // domains; 100
	Asking  int           // DNS questions under way at once; 256
	Summary *Summary      // to add to; a new one if nil

	Know func(context.Context, string, *facts.Options) // adds what is known of a domain beside DNS; nil: nothing is

	Render func(Result) []byte
	Write  func([]byte) error
	Done   func(n int) // told after each domain how many there were; nil: nobody is
}

// A Result is what came of one domain.
type Result struct {
	Name   string        // as it was written
	Report *audit.Report // nil where Err is set
	Err    error         // the name is none
}

const (
	defaultTimeout = time.Minute
	defaultAtOnce  = 100
	defaultAsking  = 256
)

// ahead is how many domains may wait, done, for a slower one before them.
const ahead = 10

// Run audits the domains until there is none left, or until ctx ends, which is an error: what is written by then is whole.
func Run(ctx context.Context, o Options) (*Summary, error) {
	o.Timeout, o.AtOnce = cmp.Or(o.Timeout, defaultTimeout), cmp.Or(o.AtOnce, defaultAtOnce)
	o.Facts.Resolver = narrow(o.Facts.Resolver, cmp.Or(o.Asking, defaultAsking))
	if o.Summary == nil {
		o.Summary = new(Summary)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &run{o: o, tasks: make(chan task), ordered: make(chan chan done, ahead*o.AtOnce)}
	var wg sync.WaitGroup
	for range o.AtOnce {
		wg.Go(func() { r.work(ctx) })
	}
	wg.Go(func() { r.feed(ctx) })
	err := r.collect(ctx)
	cancel()
	wg.Wait()
	if err == nil {
		err = r.broken
	}
	return o.Summary, err
}

type run struct {
	o       Options
	tasks   chan task
	ordered chan chan done
	broken  error // why the domains ended early; set before ordered is closed
}

type task struct {
	name string
	out  chan done // holds one
}

type done struct {
	text []byte
	line *line // nil where the name was none
}

// feed hands the domains to the workers, in order.
func (r *run) feed(ctx context.Context) {
	defer close(r.ordered)
	defer close(r.tasks)
	for name, err := range r.o.Domains {
		if err != nil {
			r.broken = err
			return
		}
		t := task{name, make(chan done, 1)}
		for _, send := range []func() bool{
			func() bool { return put(ctx, r.ordered, t.out) },
			func() bool { return put(ctx, r.tasks, t) },
		} {
			if !send() {
				r.broken = context.Cause(ctx)
				return
			}
		}
	}
}

func put[T any](ctx context.Context, c chan<- T, v T) bool {
	select {
	case c <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *run) work(ctx context.Context) {
	for t := range r.tasks {
		result := r.audit(ctx, t.name)
		d := done{text: r.o.Render(result)}
		if result.Report != nil {
			d.line = lineOf(result.Report)
		}
		t.out <- d
	}
}

func (r *run) audit(ctx context.Context, name string) Result {
	domain, err := dns.ToASCII(name)
	if err != nil {
		return Result{Name: name, Err: fmt.Errorf("%q is no domain name", name)}
	}
	options := r.o.Facts
	if r.o.Know != nil {
		r.o.Know(ctx, domain, &options)
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	return Result{Name: name, Report: audit.Run(ctx, domain, options)}
}

// collect writes the results in the order of the domains. What was under way when ctx ended is not written: its answers are no answers.
func (r *run) collect(ctx context.Context) error {
	n := 0
	for out := range r.ordered {
		var d done
		select {
		case d = <-out:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := r.o.Write(d.text); err != nil {
			return err
		}
		r.o.Summary.add(d.line)
		if n++; r.o.Done != nil {
			r.o.Done(n)
		}
	}
	return nil
}

// narrow lets so many questions through at once: more would only wait in the buffers of a socket, and some of them be lost there.
func narrow(next dns.Resolver, n int) dns.Resolver { return &narrowed{next, make(chan struct{}, n)} }

type narrowed struct {
	next dns.Resolver
	free chan struct{}
}

// Lookup implements [dns.Resolver].
func (r *narrowed) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if !put(ctx, r.free, struct{}{}) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout, Err: ctx.Err()}
	}
	defer func() { <-r.free }()
	return r.next.Lookup(ctx, name, typ)
}
