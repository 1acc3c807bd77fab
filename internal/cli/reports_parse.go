package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/internal/show"
)

const reportsParseHelp = `Print what reports say, whatever they came wrapped in: XML or JSON, gzip, zip,
tar, mail (attachments, forwarded messages, winmail.dat, .msg), mbox, base64.

A FILE may be a directory: in it and beneath, all is read that has the name of
a report, a mail or an archive, or lies in a Maildir's cur and new. Without
one, or as "-", standard input is read.

With --json each report is one JSON document on one line. What was refused,
and why, is said on standard error.

Exit status: 0 every file held a report; 1 one held none that could be read;
2 one could not be read.`

const reportsParseExample = `  gatepost reports parse report.eml
  gatepost reports parse --json ~/Maildir | jq -r '[.domain, .reporter] | @tsv'`

func reportsParseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "parse [FILE...]",
		Short:   "Print what reports say, whatever they came in",
		Long:    reportsParseHelp,
		Example: reportsParseExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			c := commonFlags(cmd)
			in := &inputs{paths: args, stdin: cmd.InOrStdin(), wanted: isReportName, none: errNoReports}
			defer in.Close()
			p := &reportPrinter{out: newScreen(cmd.OutOrStdout(), c.NoColor), json: c.JSON}
			p.options.Aggregate.Now = c.At
			p.complain = func(err error) { complain(cmd.ErrOrStderr(), cmd, err) }
			for file := range in.all() {
				if err := p.file(file); err != nil {
					return err
				}
			}
			return exit(p.status())
		},
	}
}

var errNoReports = errors.New("no reports in it; they are files *.xml, *.json, *.gz, *.zip, *.tar, *.eml, *.msg or *.mbox, or lie in a Maildir's cur and new")

// isReportName tells by its name or place whether a file in a directory may hold reports.
func isReportName(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	switch filepath.Ext(name) {
	case ".xml", ".json", ".gz", ".tgz", ".zip", ".tar", ".bz2", ".msg":
		return !strings.HasPrefix(name, ".")
	}
	return name == "winmail.dat" || isMessageName(path)
}

// A reportPrinter prints reports as they are read.
type reportPrinter struct {
	out      screen
	json     bool
	options  reports.Options
	complain func(error)

	printed int
	without bool // a file held no report
	undone  bool // a file could not be read
}

// file prints the reports in one file. Its error is one of writing.
func (p *reportPrinter) file(f input) error {
	if f.err != nil {
		p.undone = true
		p.complain(f.err)
		return nil
	}
	r, err := f.open()
	if err != nil {
		p.undone = true
		p.complain(named(display(f.name), err))
		return nil
	}
	defer r.Close()
	found := false
	for res, err := range reports.Read(r, p.options) {
		switch {
		case err != nil:
			p.undone, found = true, true
			p.complain(named(display(f.name), err))
		case res.Report == nil:
			p.complain(fmt.Errorf("%s: %s", display(f.name), res.Refusal))
		default:
			found = true
			if err := p.report(f.name, res.Report); err != nil {
				return err
			}
		}
	}
	p.without = p.without || !found
	return nil
}

func (p *reportPrinter) report(file string, r *reports.Report) error {
	defer r.Close()
	p.printed++
	if p.json {
		return r.WriteJSON(harmlessWriter{p.out.w}, file)
	}
	if p.printed > 1 {
		p.out.line("")
	}
	return p.out.report(display(file), r)
}

func (p *reportPrinter) status() Status {
	switch {
	case p.undone:
		return StatusUndone
	case p.without:
		return StatusFails
	}
	return StatusFine
}

// harmlessWriter is for JSON that is written in pieces, each of whole characters.
type harmlessWriter struct{ w io.Writer }

func (h harmlessWriter) Write(b []byte) (int, error) {
	if _, err := h.w.Write(show.JSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
