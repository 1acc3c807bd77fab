package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const reportsReparseHelp = `Read again what arrived, with this version: all that the store still has byte
for byte, what was refused (--refused), or what the hashes name. What a report
counted is taken back, and what it counts now is put in its place, in one step.

Where this version reads fewer reports from something than are in the store,
they stay as they are, with a line that says so: nothing gets lost by an
upgrade. --force takes this version's word, and removes what it does not read.

Figures of reports whose records are deleted by age stay as they are, and so do
failure reports that were redacted.

It may be interrupted, and says how to go on. The gate may run meanwhile.

Exit status: 0 all was read again; 1 of something this version reads less; 2 it
could not be done.`

type reparseFlags struct {
	store        storeFlags
	all, refused bool
	force        bool
	after        int64
}

func reportsReparseCommand() *cobra.Command {
	var o reparseFlags
	cmd := &cobra.Command{
		Use:   "reparse --all|--refused|HASH... [--force]",
		Short: "Read again what arrived, with this version",
		Long:  reportsReparseHelp,
		Example: `  gatepost reports reparse --refused
  gatepost reports reparse --all`,
		RunE: func(cmd *cobra.Command, args []string) error { return runReportsReparse(cmd, &o, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.all, "all", false, "all that is there byte for byte")
	f.BoolVar(&o.refused, "refused", false, "what could not be read, or not as a whole")
	f.BoolVar(&o.force, "force", false, "remove reports that this version does not read")
	f.Int64Var(&o.after, "after", 0, "go on behind this `NUMBER`, which an interruption names")
	o.store.add(cmd)
	return cmd
}

func runReportsReparse(cmd *cobra.Command, o *reparseFlags, args []string) error {
	switch n := len(args); {
	case o.all && o.refused, (o.all || o.refused) && n > 0:
		return usageError(cmd, "one of --all, --refused and hashes at a time")
	case !o.all && !o.refused && n == 0:
		return usageError(cmd, "say what: --all, --refused or hashes, as \"gatepost reports list --refused\" prints them")
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	stopping, stop := untilInterrupted(cmd.Context())
	defer stop()
	p := newReparser(cmd, s, o.force)
	raws := s.Raws(cmd.Context(), store.RawFilter{Kept: true, Refusals: o.refused, After: o.after})
	if len(args) > 0 {
		raws = rawsByHash(cmd.Context(), s, args)
	}
	err = p.run(cmd.Context(), stopping, raws)
	p.progress.clear()
	if err != nil {
		return fmt.Errorf("after %s: %w", counted(p.files, "file"), err)
	}
	p.sum()
	if stopping.Err() != nil {
		return fmt.Errorf("interrupted after %s; --after %d goes on", counted(p.files, "file"), p.last)
	}
	if p.kept > 0 {
		return exit(StatusFails)
	}
	return nil
}

func rawsByHash(ctx context.Context, s store.Store, hashes []string) iter.Seq2[store.RawInfo, error] {
	return func(yield func(store.RawInfo, error) bool) {
		for _, hash := range hashes {
			r, err := rawByHash(ctx, s, hash)
			switch {
			case err == nil && !r.Kept:
				err = fmt.Errorf("%w: %s: they were deleted by age", store.ErrNoRaw, hash)
				fallthrough
			case err != nil:
				yield(store.RawInfo{}, err)
				return
			}
			if !yield(*r, nil) {
				return
			}
		}
	}
}

// A reparser reads again what arrived.
type reparser struct {
	store    store.Store
	force    bool
	out      screen
	json     bool
	progress *progress

	files                         int
	last                          int64
	added, changed, removed, same int // reports
	kept, refused                 int // files
}

func newReparser(cmd *cobra.Command, s store.Store, force bool) *reparser {
	c := commonFlags(cmd)
	return &reparser{store: s, force: force, out: newScreen(cmd.OutOrStdout(), c.NoColor), json: c.JSON, progress: newProgress(cmd.ErrOrStderr(), false)}
}

// A reread is something that was read again, before it is written.
type reread struct {
	raw      store.RawInfo
	contents intake.Contents
	err      error
}

// run reads several at a time and writes them in their order, one transaction each.
func (p *reparser) run(ctx, stopping context.Context, raws iter.Seq2[store.RawInfo, error]) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	some := func(yield func(store.RawInfo) bool) {
		for raw, err := range raws {
			if err != nil {
				cancel(err)
				return
			}
			if stopping.Err() != nil || ctx.Err() != nil || !yield(raw) {
				return
			}
		}
	}
	inOrder(some, func(raw store.RawInfo) reread { return p.read(ctx, raw) }, func(r reread) {
		if r.contents.Release != nil {
			defer r.contents.Release()
		}
		if ctx.Err() != nil {
			return
		}
		err := r.err
		if err == nil {
			err = p.write(ctx, r)
		}
		if err != nil {
			cancel(err)
		}
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (p *reparser) read(ctx context.Context, raw store.RawInfo) reread {
	r := reread{raw: raw}
	if ctx.Err() != nil {
		return r
	}
	from, err := p.store.OpenRaw(ctx, raw.Hash)
	if errors.Is(err, store.ErrNoRaw) { // deleted by age, meanwhile
		return r
	}
	if err != nil {
		r.err = err
		return r
	}
	defer from.Close()
	r.contents, r.err = intake.Read(ctx, from)
	if r.err != nil {
		r.err = fmt.Errorf("%s: %w", hashText(raw.Hash), r.err)
	}
	return r
}

// A reparsed is what became of something that was read again, as JSON.
type reparsed struct {
	Hash    string   `json:"hash"`
	File    string   `json:"file"`
	Kept    bool     `json:"kept_as_it_was"` // this version reads less
	New     int      `json:"new"`
	Changed int      `json:"changed"`
	Removed int      `json:"removed"`
	Same    int      `json:"same"`
	Refused []string `json:"refused"`
}

func (p *reparser) write(ctx context.Context, r reread) error {
	p.files++
	p.last = r.raw.ID
	became := reparsed{Hash: hashText(r.raw.Hash), File: r.raw.Name, Refused: append([]string{}, r.contents.Refusals...)}
	gone := len(r.contents.Reports)+len(r.contents.Refusals) == 0
	switch {
	case gone:
	case len(r.contents.Reports) < r.raw.Reports && !p.force:
		became.Kept = true
		p.kept++
	default:
		added, err := p.store.Reread(ctx, store.Arrival{Raw: store.Raw{Hash: r.raw.Hash}, Reports: r.contents.Reports, Refusals: r.contents.Refusals})
		if err != nil {
			return err
		}
		became.Removed = added.Removed
		for _, state := range added.Reports {
			switch state {
			case store.ReportKnown:
				became.Same++
			case store.ReportChanged:
				became.Changed++
			default:
				became.New++
			}
		}
		p.added, p.changed, p.removed, p.same = p.added+became.New, p.changed+became.Changed, p.removed+became.Removed, p.same+became.Same
		if len(became.Refused) > 0 {
			p.refused++
		}
	}
	p.progress.say(func() string { return counted(p.files, "file") + " read again" })
	if p.json {
		return printJSONLine(p.out.w, became)
	}
	return p.line(became)
}

// line is one for what is not as before.
func (p *reparser) line(r reparsed) error {
	var what []string
	for _, x := range []struct {
		n    int
		word string
	}{{r.New, "new"}, {r.Changed, "changed"}, {r.Removed, "removed"}} {
		if x.n > 0 {
			what = append(what, counted(x.n, "report")+" "+x.word)
		}
	}
	if r.Kept {
		what = append(what, "stays as it is: this version reads less of it")
		what = append(what, r.Refused...)
	}
	if len(what) == 0 {
		return nil
	}
	p.progress.clear()
	text := r.Hash[:shortHash] + "  " + clip(printable(r.File), 200) + ": " + clip(printable(strings.Join(what, ", ")), 500)
	for i, line := range wrap(text, p.out.width-4) {
		if i > 0 {
			line = "    " + line
		}
		if _, err := io.WriteString(p.out.w, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (p *reparser) sum() {
	if p.json {
		return
	}
	text := fmt.Sprintf("%s read again: %s new, %s changed", counted(p.files, "file"), counted(p.added, "report"), thousands(p.changed))
	if p.removed > 0 {
		text += fmt.Sprintf(", %s removed", thousands(p.removed))
	}
	text += fmt.Sprintf(", %s the same.", thousands(p.same))
	p.out.line(text)
	if p.refused > 0 {
		p.out.line(counted(p.refused, "file") + " could not be read, or not as a whole.")
	}
	if p.kept > 0 {
		p.out.line(counted(p.kept, "file") + " left as before, of which this version reads less; --force takes its word.")
	}
}
