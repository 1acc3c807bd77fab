package serve

import (
	"context"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/jobs"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// How often the jobs are done.
const (
	retentionEvery = time.Hour
	enrichEvery    = time.Minute
	lettersEvery   = 5 * time.Minute
	jobsPause      = 10 * time.Second // until the store is tried again
)

// hasJobs tells whether there is work that nodes share.
func hasJobs(c *config.Config) bool {
	r := &c.Reports
	return c.Store.Enabled && (r.HTTP.Tokens != "" || len(r.Domains)+len(r.Folders)+len(r.IMAP)+len(r.Graph)+len(r.Gmail)+len(r.SMTP.Listen)+len(r.SMTP.LMTP) > 0)
}

// work is what there is to do beside the mail.
func (s *Server) work() []jobs.Job {
	return []jobs.Job{
		{Name: "retention", Every: retentionEvery, Do: s.prune},
		{Name: "names of sources", Every: enrichEvery, Do: s.enrich},
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
	return store.Retention{ReportRows: time.Duration(r.RowAge), Raws: time.Duration(r.RawAge), Failures: time.Duration(r.FailureAge)}
}

// retain has the recorder see to reports where there are no jobs any more, or none yet: a reload changes that.
func (s *Server) retain(r *store.Retention) {
	c := s.state().config
	if hasJobs(c) {
		return
	}
	of := reportRetention(c)
	r.ReportRows, r.Raws, r.Failures = of.ReportRows, of.Raws, of.Failures
}

// runJobs does the work until ctx ends. While the store is away, it waits.
func (s *Server) runJobs(ctx context.Context) {
	for told := ""; ctx.Err() == nil; {
		err := s.tryJobs(ctx)
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

func (s *Server) tryJobs(ctx context.Context) error {
	q, err := store.OpenQueue(ctx, s.state().config.StoreURL())
	if err != nil {
		return err
	}
	defer q.Close()
	return jobs.Run(ctx, q, jobs.Options{Jobs: s.work(), Log: s.log()})
}
