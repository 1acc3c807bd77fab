package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const reportsImportHelp = `Bring reports into the store, whatever they come wrapped in: see "gatepost
reports parse --help" for what is understood and what a directory is searched
for. Each message of an mbox counts as a file.

A line is printed for each file: new; known, when the store has the report;
conflict, when it has another one of this reporter, id and period, with other
contents: both are kept; refused, with the reason. What is refused is kept
whole, to be read again by a newer version. --quiet prints what is refused or
in conflict, and the sum.

What was printed is committed. The same files may be imported again, after an
interruption as well: nothing is counted twice.

The store is made by "gatepost serve", or with --create.

Exit status: 0 all was taken or is known; 1 something was refused; 2 something
could not be read or stored.`

// importFlags are the flags of reports import.
type importFlags struct {
	store  storeFlags
	create bool
	quiet  bool
}

func reportsImportCommand() *cobra.Command {
	var o importFlags
	cmd := &cobra.Command{
		Use:   "import [--create] [--quiet] [PATH...]",
		Short: "Bring reports into the store",
		Long:  reportsImportHelp,
		Example: `  gatepost reports import --create ~/Maildir reports.mbox
  unzip -p old.zip | gatepost reports import --store reports.db -`,
		RunE: func(cmd *cobra.Command, args []string) error { return runReportsImport(cmd, &o, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.create, "create", false, "make the store if there is none, and bring its tables up to date")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "no lines for what is new or known")
	o.store.add(cmd)
	return cmd
}

func runReportsImport(cmd *cobra.Command, o *importFlags, args []string) error {
	if in, ok := cmd.InOrStdin().(*os.File); ok && len(args) == 0 && terminal(in) != nil {
		return usageError(cmd, "nothing is named, and standard input is a terminal")
	}
	s, err := o.store.openTo(cmd.Context(), cmd, o.create)
	if err != nil {
		if errors.Is(err, store.ErrNotThere) {
			err = fmt.Errorf("%w, --create makes it now", err)
		}
		return err
	}
	defer s.Close()

	stopping, stop := untilInterrupted(cmd.Context())
	defer stop()
	defer debug.SetGCPercent(debug.SetGCPercent(importGC)) // most of what a report of a million records needs is garbage
	in := &inputs{paths: args, stdin: cmd.InOrStdin(), wanted: isReportName, none: errNoReports, again: true, most: mostImported}
	defer in.Close()
	p := newImportPrinter(cmd, o.quiet)
	importer := &intake.Importer{Store: s, Read: intake.Read}
	err = importer.Import(cmd.Context(), importItems(stopping, in, present(cmd)), p.done)
	p.progress.clear()
	if err != nil {
		return fmt.Errorf("after %s: %w", counted(p.files, "file"), err)
	}
	p.sum(in.passed)
	if stopping.Err() != nil {
		return fmt.Errorf("interrupted after %s; what was printed is in the store, and the same command goes on", counted(p.files, "file"))
	}
	return exit(p.status())
}

// mostImported is how large a file or a message may be: no more is looked at.
const mostImported = 2 << 30

// importGC has garbage collected before there is half as much of it as there is memory in use.
const importGC = 50

// untilInterrupted gives a context that ends when somebody wants an end. A second time, the program ends at once.
func untilInterrupted(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// importItems are the files, until somebody wants an end. What cannot be had fails when it is opened, and so in its turn.
func importItems(ctx context.Context, in *inputs, now time.Time) iter.Seq[intake.Item] {
	return func(yield func(intake.Item) bool) {
		for f := range in.all() {
			if ctx.Err() != nil {
				return
			}
			open := f.open
			if f.err != nil {
				open = func() (io.ReadCloser, error) { return nil, f.err }
			}
			if !yield(intake.Item{Name: f.name, Input: "import", Received: now, Open: open}) {
				return
			}
		}
	}
}

// An importPrinter prints what became of each file.
type importPrinter struct {
	out      screen
	json     bool
	quiet    bool
	complain func(error)
	progress *progress

	files                     int
	added, known, conflicting int // reports
	refused, failed           int // parts; files
}

func newImportPrinter(cmd *cobra.Command, quiet bool) *importPrinter {
	c := commonFlags(cmd)
	p := &importPrinter{out: newScreen(cmd.OutOrStdout(), c.NoColor), json: c.JSON, quiet: quiet}
	p.progress = newProgress(cmd.ErrOrStderr(), terminal(cmd.OutOrStdout()) != nil && !quiet)
	p.complain = func(err error) {
		p.progress.clear()
		complain(cmd.ErrOrStderr(), cmd, err)
	}
	return p
}

// An imported is what became of a file, as JSON.
type imported struct {
	File        string   `json:"file"`
	Hash        string   `json:"hash"` // of its bytes; empty if they could not be had
	New         int      `json:"new"`
	Known       int      `json:"known"`
	Conflicting int      `json:"conflicting"` // of the new
	Refused     []string `json:"refused"`
	Error       string   `json:"error"`
}

// done is called for each file once what became of it is committed.
func (p *importPrinter) done(item intake.Item, o intake.Outcome) error {
	p.files++
	p.added += o.New
	p.known += o.Known
	p.conflicting += o.Conflicting
	p.refused += len(o.Refused)
	defer p.progress.say(func() string {
		return fmt.Sprintf("%s: %s new, %s known, %s refused", counted(p.files, "file"), thousands(p.added), thousands(p.known), thousands(p.refused))
	})
	if o.Failed != nil {
		p.failed++
		p.complain(named(display(item.Name), o.Failed))
	}
	if p.json {
		line := imported{File: item.Name, Hash: hashText(o.Hash), New: o.New, Known: o.Known, Conflicting: o.Conflicting, Refused: o.Refused}
		if line.Refused == nil {
			line.Refused = []string{}
		}
		if o.Failed != nil {
			line.Error = describe(o.Failed)
		}
		return printJSONLine(p.out.w, line)
	}
	if o.Failed != nil {
		return nil
	}
	return p.lines(display(item.Name), o)
}

// lines are one for each thing that became of what is in a file.
func (p *importPrinter) lines(name string, o intake.Outcome) error {
	several := o.New+o.Known > 1
	for _, l := range []struct {
		n     int
		word  string
		color string
		quiet bool
	}{
		{o.New - o.Conflicting, "new", green, true}, {o.Conflicting, "conflict", yellow, false}, {o.Known, "known", dim, true},
	} {
		if l.n == 0 || l.quiet && p.quiet {
			continue
		}
		text := name
		if several {
			text += ": " + counted(l.n, "report")
		}
		if err := p.line(l.word, l.color, text); err != nil {
			return err
		}
	}
	for _, reason := range o.Refused {
		if err := p.line("refused", red, name+": "+reason); err != nil {
			return err
		}
	}
	return nil
}

const importColumn = 10

func (p *importPrinter) line(word, color, text string) error {
	var b strings.Builder
	for i, line := range wrap(clip(printable(text), 1000), p.out.width-importColumn) {
		head := strings.Repeat(" ", importColumn)
		if i == 0 {
			head = p.out.paint(color, word) + strings.Repeat(" ", importColumn-len(word))
		}
		b.WriteString(head + line + "\n")
	}
	_, err := io.WriteString(p.out.w, b.String())
	return err
}

// sum is the last line for people.
func (p *importPrinter) sum(passed int) {
	if p.json {
		return
	}
	parts := []string{fmt.Sprintf("%s new", counted(p.added, "report"))}
	for _, x := range []struct {
		n    int
		word string
	}{{p.conflicting, "of them in conflict"}, {p.known, "known"}, {p.refused, "refused"}, {p.failed, "could not be read or stored"}} {
		if x.n > 0 {
			parts = append(parts, thousands(x.n)+" "+x.word)
		}
	}
	p.out.line(counted(p.files, "file") + ": " + strings.Join(parts, ", ") + ".")
	if passed > 0 {
		p.out.line(counted(passed, "more file") + " passed over, whose names are not those of reports.")
	}
	if p.refused > 0 {
		p.out.line(`What was refused is kept: see "gatepost reports list --refused".`)
	}
}

func (p *importPrinter) status() Status {
	switch {
	case p.failed > 0:
		return StatusUndone
	case p.refused > 0:
		return StatusFails
	}
	return StatusFine
}

// hashText is a hash as people write it; empty if there is none.
func hashText(h store.Hash) string {
	if h == (store.Hash{}) {
		return ""
	}
	return fmt.Sprintf("%x", h[:])
}
