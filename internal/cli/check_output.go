package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/render"
	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// endings tell a format where no flag does.
var endings = map[string]render.Format{
	".txt": render.Text, ".json": render.JSON, ".jsonl": render.JSON, ".md": render.Markdown, ".html": render.HTML, ".htm": render.HTML,
	".sarif": render.SARIF, ".xml": render.JUnit, ".csv": render.CSV,
}

// formatOf is the format that the flags ask for.
func (o *checkFlags) formatOf(cmd *cobra.Command, c common) (render.Format, error) {
	f := render.Format(o.format)
	switch {
	case o.format != "" && !slices.Contains(render.Formats, f):
		return "", usageError(cmd, "--format %q: there are %s%s", o.format, formatNames(), didYouMean("", nearest.Word(o.format, strings.Split(formatNames(), ", "))))
	case c.JSON && o.format != "" && f != render.JSON:
		return "", usageError(cmd, "--json and --format %s exclude each other", f)
	case o.bulk.jsonl && o.format != "" && f != render.JSON:
		return "", usageError(cmd, "--jsonl and --format %s exclude each other", f)
	case c.JSON || o.bulk.jsonl:
		return render.JSON, nil
	case o.format == "":
		ending := strings.ToLower(filepath.Ext(o.output))
		if ending == "" || o.output == os.DevNull {
			return render.Text, nil
		}
		if f = endings[ending]; f == "" {
			return "", usageError(cmd, "--output %q: no format ends in %s; name one with --format: %s", o.output, ending, formatNames())
		}
	}
	return f, nil
}

// catalogue answers --list and --explain.
func (o *checkFlags) catalogue(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(cmd, "%q: --list and --explain take no domain", args[0])
	}
	c := commonFlags(cmd)
	format, err := o.formatOf(cmd, c)
	if err != nil {
		return err
	}
	all := audit.Catalogue()
	if o.explain != "" {
		found, ok := audit.Explain(o.explain)
		if !ok {
			return fmt.Errorf("--explain %q: there is no such finding%s; see \"gatepost check --list\"", o.explain, didYouMean("", nearestCheck(o.explain)))
		}
		all = all[:1]
		all[0] = found
	}
	out, err := openOutput(cmd.OutOrStdout(), o.output)
	if err != nil {
		return err
	}
	defer out.discard()
	s := newScreen(out.w, c.NoColor)
	options := render.Options{Width: s.width, Color: s.color}
	switch {
	case format == render.JSON && o.explain != "":
		err = printJSON(out.w, render.EntryOf(all[0]))
	case format == render.JSON:
		entries := []render.Entry{}
		for _, c := range all {
			entries = append(entries, render.EntryOf(c))
		}
		err = printJSON(out.w, entries)
	case format == render.Markdown && o.list:
		err = render.Catalogue(out.w, all)
	case format != render.Text:
		return usageError(cmd, "--list and --explain print text or JSON, --list Markdown too")
	case o.list:
		err = render.List(out.w, all, options)
	default:
		err = render.Explain(out.w, all[0], options)
	}
	if err != nil {
		return err
	}
	return out.keep(0o644)
}

// nearestCheck is the id that was likely meant: one that is spelt like it, or one that has it as a part.
func nearestCheck(typed string) string {
	ids := render.IDs(audit.Catalogue())
	if word := nearest.Word(typed, ids); word != "" {
		return word
	}
	for _, id := range ids {
		if _, rest, _ := strings.Cut(id, "-"); len(typed) > 3 && (rest == typed || strings.HasSuffix(id, "-"+typed)) {
			return id
		}
	}
	return ""
}

// checksProgress says on standard error how far a long audit is.
type checksProgress struct {
	mu       sync.Mutex
	line     *progress
	checked  int
	all      int
	stop     chan struct{}
	stopOnce sync.Once
}

func watchChecks(stderr io.Writer, outIsTerminal bool, all int) *checksProgress {
	p := &checksProgress{line: newProgress(stderr, outIsTerminal), all: all, stop: make(chan struct{})}
	if p.line.w == nil {
		return p
	}
	go func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case <-tick.C:
				p.say()
			}
		}
	}()
	return p
}

func (p *checksProgress) say() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.say(func() string {
		seconds := int(p.line.now().Sub(p.line.start).Seconds())
		if p.all == 1 {
			return fmt.Sprintf("asking, %d s", seconds)
		}
		return fmt.Sprintf("%d of %s checked, %d s", p.checked, counted(p.all, "domain"), seconds)
	})
}

// done is called before a report is printed: the line makes room for it.
func (p *checksProgress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked++
	p.line.clear()
}

func (p *checksProgress) end() {
	p.stopOnce.Do(func() {
		close(p.stop)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.line.clear()
		p.line.w = nil
	})
}
