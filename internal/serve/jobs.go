package serve

import (
	"context"
	"errors"
	"time"

	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/digest"
	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/jobs"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/watch"
)

// How often the jobs are done.
const (
	retentionEvery = time.Hour
	enrichEvery    = time.Minute
	lettersEvery   = 5 * time.Minute
	alertsEvery    = time.Hour
	watchEvery     = 5 * time.Minute // to see whose turn it is
	noticesEvery   = 10 * time.Minute
	jobTimeout     = 3 * time.Minute  // a letter about many domains takes its time
	jobsPause      = 10 * time.Second // until the store is tried again
)

// hasJobs tells whether there is work that nodes share.
func hasJobs(c *config.Config) bool {
	r := &c.Reports
	ways := len(r.Folders) + len(r.IMAP) + len(r.Graph) + len(r.Gmail) + len(r.SMTP.Listen) + len(r.SMTP.LMTP) + len(r.HTTP.Tokens)
	letters := len(c.Digests) + len(c.Alerts.To) + len(c.Alerts.Webhook) + len(c.Notice.From)
	return c.Store.Enabled && len(r.Domains)+len(c.Watch.Domains)+ways+letters > 0
}

// work is what there is to do beside the mail.
func (s *Server) work() ([]jobs.Job, error) {
	current := s.state()
	o := letters.Options{Config: current.config, Store: s.back.memory.store.kept, DNS: current.dns, Table: current.senders, Log: current.log}
	l, err := letters.New(o)
	if err != nil {
		return nil, err
	}
	seen, err := letters.Known(o, s.back.keys)
	if err != nil {
		return nil, err
	}
	w := s.watcher(l.Alerts)
	w.Know = seen.Add
	all := []jobs.Job{
		{Name: "retention", Every: retentionEvery, Do: s.prune},
		{Name: "names of sources", Every: enrichEvery, Do: s.enrich},
		{Name: "letters", Every: lettersEvery, Do: func(ctx context.Context) error {
			err := l.Digests.Run(ctx, time.Now())
			if errors.Is(err, digest.ErrNotSent) { // another node was quicker
				return nil
			}
			return err
		}},
		{Name: "alerts", Every: alertsEvery, Do: func(ctx context.Context) error { return l.Alerts.Run(ctx, time.Now()) }},
		{Name: "watch", Every: watchEvery, Do: func(ctx context.Context) error { return w.Run(ctx, time.Now()) }},
	}
	if !current.config.Notice.Enabled() {
		return all, nil
	}
	office, err := s.office()
	if err != nil {
		return nil, err
	}
	office.Tell = l.Alerts.Tell
	return append(all, jobs.Job{Name: "notices", Every: noticesEvery, Do: func(ctx context.Context) error { return office.Run(ctx, time.Now()) }}), nil
}

// watcher looks at what our domains publish.
func (s *Server) watcher(alerts *alert.Runner) *watch.Runner {
	current := s.state()
	return &watch.Runner{
		Config: current.config.Watch, Domains: current.config.Reports.Domains, Store: s.back.memory.store.kept, Resolver: current.dns,
		Web: fetch.New(fetch.Options{Resolver: current.dns}), Table: current.senders, Tell: alerts.Tell, Log: current.log,
	}
}

// prune deletes what is to be kept no longer, until all is done or the time is up; then it goes on the next time.
func (s *Server) prune(ctx context.Context) error {
	for {
		done, err := s.back.memory.store.Prune(ctx, reportRetention(s.state().config), time.Now())
		if err != nil || done {
			return err
		}
	}
}

func reportRetention(c *config.Config) store.Retention {
	r := &c.Reports
	return store.Retention{ReportRows: time.Duration(r.RowAge), Raws: time.Duration(r.RawAge), Failures: time.Duration(r.FailureAge), Notices: store.DefaultNotices}
}

// retain has the recorder see to reports where there are no jobs any more, or none yet: a reload changes that.
func (s *Server) retain(r *store.Retention) {
	c := s.state().config
	if hasJobs(c) {
		return
	}
	of := reportRetention(c)
	r.ReportRows, r.Raws, r.Failures, r.Notices = of.ReportRows, of.Raws, of.Failures, of.Notices
}

// runJobs does the work until ctx ends. While the store is away, it waits.
func (s *Server) runJobs(ctx context.Context) {
	work, err := s.work() // once: what was told is not told again
	if err != nil {
		s.log().Error("no jobs are done", "error", err.Error())
		return
	}
	for told := ""; ctx.Err() == nil; {
		err := s.tryJobs(ctx, work)
		if ctx.Err() != nil {
			return
		}
		if err != nil && err.Error() != told {
			told = err.Error()
			s.log().Warn("jobs wait for the store", "error", told)
		}
		select {
		case <-time.After(jobsPause):
		case <-ctx.Done():
		}
	}
}

func (s *Server) tryJobs(ctx context.Context, work []jobs.Job) error {
	q, err := store.OpenQueue(ctx, s.back.store)
	if err != nil {
		return err
	}
	defer q.Close()
	return jobs.Run(ctx, q, jobs.Options{Jobs: work, Timeout: jobTimeout, Log: s.log()})
}
