// Package jobs does what is to be done beside the mail: retention, enrichment, letters, alerts. The jobs stand in the store's own
// database, so that several nodes share them without a second system: each is done by one of them, and where that one dies another
// takes it over.
//
//	err := jobs.Run(ctx, store.Queue{…}, jobs.Options{Jobs: []jobs.Job{{Name: "retention", Every: time.Hour, Do: prune}}})
//
// A job may be done twice, as when a node dies just after it was done: what must happen once has to see to that itself.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Job is done again and again.
type Job struct {
	Name  string
	Every time.Duration
	Do    func(context.Context) error // gets Options.Timeout; what it does not finish in that time it goes on with when it is called again
}

// Options say what there is to do.
type Options struct {
	Jobs    []Job
	Timeout time.Duration // of one run of one job; a minute if zero
	Poll    time.Duration // how often is looked whether there is something to do; five seconds if zero
	Retry   time.Duration // half the pause after the first failure; twice as long after each; ten seconds if zero
	Dead    time.Duration // how long after its timeout a job is given up as its node's, and another's to do; 15 seconds if zero
	Log     *slog.Logger
}

// The defaults. A node that died is known as such a little after the timeout of what it did.
const (
	DefaultTimeout = time.Minute
	DefaultPoll    = 5 * time.Second
	DefaultRetry   = 10 * time.Second
	DefaultDead    = 15 * time.Second
)

// What the library is told.
const (
	atOnce   = 2 // jobs of one node
	attempts = 5
	keep     = 24 * time.Hour // what was done, to be looked at
	softStop = time.Second
	hardStop = 5 * time.Second
	ahead    = time.Hour // more than any job is put off, and any node leads without saying so again
)

// Run does the jobs until ctx ends; it waits a little for those that are under way, and no longer, whatever they wait for. An error says why
// it could not begin.
func Run(ctx context.Context, q *store.Queue, o Options) error {
	o.Timeout, o.Poll = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.Poll, DefaultPoll)
	o.Retry, o.Dead = cmp.Or(o.Retry, DefaultRetry), cmp.Or(o.Dead, DefaultDead)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := migrate(ctx, q); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := q.Unjam(ctx, ahead); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	client, err := river.NewClient(driver(q), config(o))
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	<-ctx.Done()
	select {
	case <-client.Stopped():
	case <-time.After(hardStop): // the database does not answer; what is left ends when the queue is closed
	}
	return nil
}

// config speaks of our jobs in the library's words.
func config(o Options) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{jobs: o.Jobs, timeout: o.Timeout, retry: o.Retry, log: o.Log})
	c := &river.Config{
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: atOnce}},
		PollOnly:                    true,
		FetchPollInterval:           o.Poll,
		JobTimeout:                  o.Timeout,
		RescueStuckJobsAfter:        o.Timeout + o.Dead,
		CompletedJobRetentionPeriod: keep,
		SoftStopTimeout:             softStop,
		MaxAttempts:                 attempts,
		Logger:                      slog.New(quiet{o.Log.Handler()}),
		ErrorHandler:                failures{o.Log},
		ReindexerSchedule:           river.NeverSchedule(), // for queues of millions
	}
	for _, j := range o.Jobs {
		c.PeriodicJobs = append(c.PeriodicJobs, river.NewPeriodicJob(river.PeriodicInterval(j.Every),
			func() (river.JobArgs, *river.InsertOpts) { return args{j.Name}, &river.InsertOpts{UniqueOpts: once} },
			&river.PeriodicJobOpts{RunOnStart: true}))
	}
	return c
}

// once keeps a job from waiting twice.
var once = river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
}}

// args are what stands in the database of a job.
type args struct {
	Name string `json:"name" river:"unique"`
}

// Kind implements [river.JobArgs].
func (args) Kind() string { return "gatepost" }

// A worker does the jobs by their names.
type worker struct {
	river.WorkerDefaults[args]
	jobs    []Job
	timeout time.Duration
	retry   time.Duration
	log     *slog.Logger
}

// Timeout implements [river.Worker].
func (w *worker) Timeout(*river.Job[args]) time.Duration { return w.timeout }

// NextRetry implements [river.Worker]: soon, and then less and less often.
func (w *worker) NextRetry(job *river.Job[args]) time.Time {
	return time.Now().Add(time.Duration(1<<job.Attempt) * w.retry)
}

// Work implements [river.Worker].
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	i := slices.IndexFunc(w.jobs, func(j Job) bool { return j.Name == job.Args.Name })
	if i < 0 { // left by a node with another configuration
		return river.JobCancel(fmt.Errorf("there is no job %q here", job.Args.Name))
	}
	began := time.Now()
	if err := w.jobs[i].Do(ctx); err != nil {
		return err
	}
	w.log.Debug("job done", "job", job.Args.Name, "took", time.Since(began))
	return nil
}

// failures tell of jobs that could not be done.
type failures struct{ log *slog.Logger }

// HandleError implements [river.ErrorHandler].
func (f failures) HandleError(_ context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, river.ErrJobCancelledRemotely) {
		f.log.Warn("job failed; it is tried again", "job", string(job.EncodedArgs), "attempt", job.Attempt, "error", err.Error())
	}
	return nil
}

// HandlePanic implements [river.ErrorHandler].
func (f failures) HandlePanic(_ context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	f.log.Error("job failed by a fault of gatepost's; please report it", "job", string(job.EncodedArgs), "panic", fmt.Sprint(value),
		"trace", trace)
	return nil
}

// quiet lets only what is wrong through: the library speaks of each of its own jobs at other levels, and of an error that we tell
// ourselves.
type quiet struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && q.Handler.Enabled(ctx, l)
}

// Handle implements [slog.Handler]. That it was stopped is no error, nor that it waited for somebody who writes much: it tries again.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	expected := false
	r.Attrs(func(a slog.Attr) bool {
		text := a.Value.String()
		expected = slices.ContainsFunc(waits, func(w string) bool { return strings.Contains(text, w) })
		return !expected
	})
	if expected {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// waits are what errors have in them that the library gets over by itself.
var waits = []string{context.Canceled.Error(), context.DeadlineExceeded.Error(), "SQLITE_BUSY"}

// WithAttrs implements [slog.Handler].
func (q quiet) WithAttrs(as []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(as)} }

// WithGroup implements [slog.Handler].
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
