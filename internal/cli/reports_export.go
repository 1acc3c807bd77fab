package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const reportsExportHelp = `Write the reports of the store for other programs: aggregate reports, or with
--failure or --tls those.

  jsonl    a line a report, as "gatepost reports parse --json" prints it, with a
           member "store"; with --rows a line for each record
  csv      a line for each record, with the names of the columns above. Control
           characters are escaped. What a spreadsheet would take for a formula
           (it begins with = + - @) has an apostrophe in front
  parquet  a row for each record, packed with zstd; what a report says of DKIM
           and SPF is a list of structures

Of TLS reports there is a line for each result of each policy, of failure
reports one for each.

With --output the file is there under its name only when it is whole, and only
you may read it. The records of reports that are older than reports.row_age are
deleted and cannot be exported; how many those are is said on standard error.

Exit status: 0 written; 2 it could not be done.`

type exportFlags struct {
	store          storeFlags
	which          reportSelection
	format, output string
	failure, tls   bool
	rows           bool
}

var exportFormats = []string{"jsonl", "csv", "parquet"}

func reportsExportCommand() *cobra.Command {
	var o exportFlags
	cmd := &cobra.Command{
		Use:   "export --format jsonl|csv|parquet [--output FILE]",
		Short: "Write reports as JSON lines, CSV or Parquet",
		Long:  reportsExportHelp,
		Example: `  gatepost reports export --format parquet --output reports.parquet
  gatepost reports export --format csv --domain example.com --since 30d
  gatepost reports export --format jsonl | jq .policy`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runReportsExport(cmd, &o) },
	}
	o.which.add(cmd)
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "one `FORMAT` of "+strings.Join(exportFormats, ", "))
	f.StringVarP(&o.output, "output", "o", "", "write to this `FILE` (default standard output)")
	f.BoolVar(&o.failure, "failure", false, "failure reports, instead")
	f.BoolVar(&o.tls, "tls", false, "TLS reports, instead")
	f.BoolVar(&o.rows, "rows", false, "with jsonl, a line for each record")
	o.store.add(cmd)
	return cmd
}

func runReportsExport(cmd *cobra.Command, o *exportFlags) error {
	o.which.kind = store.Aggregate
	switch {
	case o.failure && o.tls:
		return usageError(cmd, "--failure and --tls: one at a time")
	case o.failure:
		o.which.kind = store.Failure
	case o.tls:
		o.which.kind = store.TLS
	}
	filter, err := o.which.filter(cmd)
	switch {
	case err != nil:
		return err
	case o.format == "":
		return usageError(cmd, "--format is missing; there are %s", strings.Join(exportFormats, ", "))
	case !slices.Contains(exportFormats, o.format):
		return usageError(cmd, "--format %q: no such format; there are %s", o.format, strings.Join(exportFormats, ", "))
	case o.format == "parquet" && o.output == "" && terminal(cmd.OutOrStdout()) != nil:
		return usageError(cmd, "--format parquet: it is not written to a terminal; name a file with --output")
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	s, err := o.store.open(ctx, cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	e := &exporter{ctx: ctx, store: s, filter: filter, format: o.format, rows: o.rows,
		progress: newProgress(cmd.ErrOrStderr(), o.output == "" && terminal(cmd.OutOrStdout()) != nil)}
	if o.output == "" {
		err = e.write(cmd.OutOrStdout())
	} else {
		err = replaceFile(o.output, e.write)
	}
	e.progress.clear()
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("interrupted; what was written is not all")
		}
		return err
	}
	if e.gone > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "The records of %s are deleted by age, and are not in it.\n", counted(e.gone, "report"))
	}
	return nil
}

// replaceFile writes a file that has its name only once it is whole.
func replaceFile(path string, write func(io.Writer) error) error {
	out, err := createWhole(path)
	if err != nil {
		return err
	}
	defer out.discard()
	if err := write(out.w); err != nil {
		return err
	}
	return out.keep(0o600)
}

// An exporter writes reports for other programs.
type exporter struct {
	ctx      context.Context
	store    store.Store
	filter   store.ReportFilter
	format   string
	rows     bool
	progress *progress

	done int
	gone int // reports without their records
}

// each goes through the reports.
func (e *exporter) each(use func(*store.ReportInfo) error) error {
	for r, err := range eachReport(e.ctx, e.store, e.filter, 0) {
		if err != nil {
			return err
		}
		if !r.Kept && r.Records > 0 {
			e.gone++
		}
		if err := use(r); err != nil {
			return err
		}
		e.done++
		e.progress.say(func() string { return counted(e.done, "report") + " written" })
	}
	return nil
}

func (e *exporter) write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	if err := e.lines(w); err != nil {
		return err
	}
	return w.Flush()
}

func (e *exporter) lines(w io.Writer) error {
	if e.format == "jsonl" && !e.rows {
		return e.each(func(r *store.ReportInfo) error { return e.whole(w, r.ID) })
	}
	switch e.filter.Kind {
	case store.Failure:
		return export(e, w, func(r *store.ReportInfo, use func(exportedFailure) error) error {
			whole, err := e.store.Report(e.ctx, r.ID)
			if err != nil {
				return err
			}
			return exportFailure(&whole, use)
		})
	case store.TLS:
		return export(e, w, func(r *store.ReportInfo, use func(exportedTLS) error) error {
			whole, err := e.store.Report(e.ctx, r.ID)
			if err != nil {
				return err
			}
			return exportTLS(&whole, use)
		})
	}
	return export(e, w, func(r *store.ReportInfo, use func(exportedRecord) error) error {
		if !r.Kept {
			return nil
		}
		return exportRecords(r, e.store.ReportRows(e.ctx, r.ID), use)
	})
}

// whole writes a report as the contract has it.
func (e *exporter) whole(w io.Writer, id int64) error {
	info, err := e.store.Report(e.ctx, id)
	if err != nil {
		return err
	}
	r, err := reports.Stored(&info, e.store.ReportRows(e.ctx, id))
	if err != nil {
		return err
	}
	r.Place = placeOf(&info).json()
	return r.WriteJSON(harmlessWriter{w}, "")
}

// A line is a row of a table.
type line interface {
	header() []string
	cells() []cell
}

// export writes lines of one kind.
func export[L line](e *exporter, w io.Writer, lines func(*store.ReportInfo, func(L) error) error) error {
	table, err := newTable[L](e.format, w)
	if err != nil {
		return err
	}
	if err := e.each(func(r *store.ReportInfo) error { return lines(r, table.write) }); err != nil {
		return err
	}
	return table.close()
}

// A table writes lines in one of the formats.
type table[L line] struct {
	write func(L) error
	close func() error
}

// parquetRows is how many rows a group has: they are held in memory until it is whole.
const parquetRows = 50_000

// parquetAtOnce is how many are handed over at once.
const parquetAtOnce = 500

func newTable[L line](format string, w io.Writer) (*table[L], error) {
	switch format {
	case "csv":
		c := csv.NewWriter(w)
		var none L
		if err := c.Write(none.header()); err != nil {
			return nil, err
		}
		var record []string
		return &table[L]{
			write: func(l L) error {
				record = record[:0]
				for _, x := range l.cells() {
					record = append(record, string(x))
				}
				return c.Write(record)
			},
			close: func() error {
				c.Flush()
				return c.Error()
			},
		}, nil
	case "parquet":
		p := parquet.NewGenericWriter[L](w, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(parquetRows),
			parquet.CreatedBy("gatepost", readVersion().Version, ""))
		var some []L
		flush := func() error {
			_, err := p.Write(some)
			clear(some)
			some = some[:0]
			return err
		}
		return &table[L]{
			write: func(l L) error {
				some = append(some, l)
				if len(some) < parquetAtOnce {
					return nil
				}
				return flush()
			},
			close: func() error {
				if err := flush(); err != nil {
					return err
				}
				return p.Close()
			},
		}, nil
	}
	return &table[L]{write: func(l L) error { return printJSONLine(w, l) }, close: func() error { return nil }}, nil
}
