package reports

import (
	"errors"
	"fmt"
	"io"

	"github.com/gatepost-mail/gatepost/internal/spool"
)

// The bounds of what Load keeps of one arrival, which can hold very many small reports.
const (
	mostRecords = 20_000   // in memory; the others are read again from a file
	mostMemory  = 32 << 20 // bytes of all reports, about: of each its document, twice, and what stands around it
)

// A Load is all that was read from one arrival.
type Load struct {
	Reports  []*Report
	Refusals []string

	scratch scratch
	spools  int
}

// Close gives up what the reports hold.
func (l *Load) Close() error {
	errs := []error{l.scratch.close()}
	for _, r := range l.Reports {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// ReadAll reads all reports in what r gives and keeps them, in bounded memory. What goes beyond the bounds is refused. The Aggregate of a
// report is not kept, since its document says the same.
func ReadAll(r io.Reader, o Options) (*Load, error) {
	l := &Load{scratch: scratch{dir: o.Unwrap.Dir}}
	records, memory, left := 0, 0, 0
	for res, err := range Read(r, o) {
		if err == nil && res.Report != nil {
			records += res.Report.Held()
			memory += 2*res.Report.size() + 1<<10
			if memory > mostMemory {
				left++
				err = res.Report.Close()
				res.Report = nil
			} else if err = l.keep(res.Report, records > mostRecords); err == nil {
				res.Report.Aggregate = nil // it is in the document
				l.Reports = append(l.Reports, res.Report)
			}
		}
		if err != nil {
			l.Close()
			return nil, err
		}
		if res.Refusal != nil && len(l.Refusals) < mostRefusals {
			l.Refusals = append(l.Refusals, res.Refusal.String())
		}
	}
	if left > 0 {
		l.Refusals = append(l.Refusals, fmt.Sprintf("%d reports more than are taken at once: hand them over in several parts", left))
	}
	return l, nil
}

// size is how long a report's document is, about.
func (r *Report) size() int {
	n := len(r.head)
	for _, w := range r.Warnings {
		n += 16 + len(w)
	}
	return n
}

const mostRefusals = 100

// mostSpools are the files of their own that reports may have.
const mostSpools = 16

// keep sees to it that a report can be read again later, in as little memory as there is left.
func (l *Load) keep(r *Report, tight bool) error {
	own := r.spool != nil
	if own {
		l.spools++
	}
	if own && l.spools <= mostSpools && !r.spool.InMemory() || !own && !tight {
		return nil
	}
	body, err := l.scratch.add(r.source.Open())
	if err != nil {
		return err
	}
	if own {
		err = r.spool.Close()
	}
	r.held, r.weight, r.spool, r.source, r.body = nil, 0, nil, nil, body
	return err
}

// A scratch is a temporary file with what reports are read again from.
type scratch struct {
	dir  string
	file *spool.File
	size int64
}

func (s *scratch) add(r io.Reader) (*io.SectionReader, error) {
	if s.file == nil {
		f, err := spool.NewFile(s.dir)
		if err != nil {
			return nil, err
		}
		s.file = f
	}
	n, err := io.Copy(s.file, r)
	if err != nil {
		return nil, err
	}
	section := io.NewSectionReader(s.file, s.size, n)
	s.size += n
	return section, nil
}

func (s *scratch) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
