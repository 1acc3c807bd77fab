package intake

import (
	"context"
	"io"

	"github.com/gatepost-mail/gatepost/internal/reports"
)

// Read gives the reports in what r gives, whatever they come wrapped in.
func Read(ctx context.Context, r io.Reader) (Contents, error) {
	all, err := reports.ReadAll(reading{ctx, r}, reports.Options{})
	if err != nil {
		return Contents{}, err
	}
	c := Contents{Refusals: all.Refusals, Release: func() { all.Close() }}
	for _, report := range all.Reports {
		c.Reports = append(c.Reports, report.Store())
	}
	return c, nil
}

// reading ends with its context.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
