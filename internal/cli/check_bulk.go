package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/bulk"
	"github.com/gatepost-mail/gatepost/internal/audit/render"
	"github.com/gatepost-mail/gatepost/internal/resolver"
)

// bulkFlags are those of check for many domains.
type bulkFlags struct {
	input     string
	jsonl     bool
	resume    bool
	summary   string
	perSecond int
	quick     bool
}

func (b *bulkFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&b.input, "input", "", "audit the domains in this `FILE`, one a line, \"-\" for standard input")
	f.BoolVar(&b.jsonl, "jsonl", false, "print JSON, one document a line")
	f.BoolVar(&b.resume, "resume", false, "with --input and --output: go on where the output ends")
	f.StringVar(&b.summary, "summary", "", "with --input: write the shares of grades and findings to this `FILE`, as JSON")
	f.IntVar(&b.perSecond, "queries-per-second", 1000, "with --input: at most so many `QUESTIONS` a second to each name server")
	f.BoolVar(&b.quick, "quick", false, "try only the DKIM selectors that services suggest, and the most common ones")
}

// fit says which flags do not go together.
func (b *bulkFlags) fit(cmd *cobra.Command, args []string) error {
	if b.input != "" {
		if len(args) > 0 {
			return usageError(cmd, "%q: with --input no domain is named", args[0])
		}
		if b.perSecond < 1 {
			return usageError(cmd, "--queries-per-second %d: it is 1 at least", b.perSecond)
		}
		return nil
	}
	for _, name := range []string{"resume", "summary", "queries-per-second"} {
		if cmd.Flags().Changed(name) {
			return usageError(cmd, "--%s goes with --input", name)
		}
	}
	return nil
}

// resolver asks for many domains at a measured pace.
func (o *checkFlags) resolver(c common) (dns.Resolver, error) {
	options := resolver.Options{Servers: c.Resolvers, Zone: c.Zone}
	if o.bulk.input != "" {
		options.PerSecond, options.Reuse = o.bulk.perSecond, reusePort
	}
	return resolver.New(options)
}

// Questions from one port, one after the other: whoever has thousands of domains looked at waits for the system's ports otherwise.
const reusePort = 50

// bulkGC lets twice as much garbage be as usual: little is alive, and a fourth of the time went into collecting.
const bulkGC = 200

// How many domains are looked at at once: as many as have their answers in a quarter of the time that each may take.
const (
	questionsADomain = 100
	mostAtOnce       = 100
)

func (b *bulkFlags) atOnce(c common) int {
	return max(1, min(mostAtOnce, int(c.Timeout.Seconds()*float64(b.perSecond)/questionsADomain/4)))
}

// A bulkJob audits the domains of a file.
type bulkJob struct {
	*checkJob
	flags *bulkFlags
	width int

	mu     sync.Mutex
	status Status
}

// runBulk audits the domains of --input.
func (j *checkJob) runBulk(cmd *cobra.Command, flags *bulkFlags) error {
	if j.format != render.Text && j.format != render.JSON && j.format != render.CSV {
		return usageError(cmd, "--format %s holds all of what it shows; --input goes with text, json and csv", j.format)
	}
	if flags.resume && (j.output == "" || j.format != render.JSON) {
		return usageError(cmd, "--resume goes with --jsonl and --output")
	}
	in, err := openInput(cmd, flags.input)
	if err != nil {
		return err
	}
	defer in.Close()
	b := &bulkJob{checkJob: j, flags: flags}
	o := bulk.Options{
		Domains: bulk.Lines(in), Facts: j.options, Timeout: j.common.Timeout, AtOnce: flags.atOnce(j.common),
		Know: j.known.add, Render: b.render,
	}
	out, err := b.open(cmd.OutOrStdout(), &o)
	if err != nil {
		return err
	}
	defer out.Close()

	w := bufio.NewWriter(out)
	o.Write = func(text []byte) error {
		if _, err := w.Write(text); err != nil {
			return err
		}
		return w.Flush() // a line is there as soon as it can be: whoever reads a pipe waits for it
	}
	b.width = newScreen(out, true).width
	line := newProgress(cmd.ErrOrStderr(), terminal(out) != nil)
	o.Done = func(n int) { line.say(func() string { return counted(n, "domain") + " checked" }) }
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	defer debug.SetGCPercent(debug.SetGCPercent(bulkGC))
	summary, err := bulk.Run(ctx, o)
	line.clear()
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return b.explain(ctx, err, summary)
	}
	if err := b.tell(cmd.ErrOrStderr(), summary); err != nil {
		return err
	}
	return exit(b.status)
}

func openInput(cmd *cobra.Command, path string) (io.ReadCloser, error) {
	if path == stdinName {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return openFile(path)
}

// open gives what is written to. A file that is there is not overwritten: it may be the work of hours.
func (b *bulkJob) open(stdout io.Writer, o *bulk.Options) (io.WriteCloser, error) {
	if b.output == "" || b.output == stdinName {
		return b.begin(kept{stdout})
	}
	if !b.flags.resume {
		f, err := os.OpenFile(b.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, os.ErrExist) && b.format == render.JSON {
			return nil, fmt.Errorf("%s is there already; go on with it by --resume, or name another", b.output)
		}
		if err != nil {
			return nil, err
		}
		return b.begin(f)
	}
	f, err := os.OpenFile(b.output, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	p, err := bulk.Resume(f)
	if err == nil {
		err = f.Truncate(p.Size)
	}
	if err == nil {
		_, err = f.Seek(p.Size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", b.output, err)
	}
	o.Domains, o.Summary = p.Rest(o.Domains), p.Summary
	return f, nil
}

// begin writes what stands before the first domain.
func (b *bulkJob) begin(out io.WriteCloser) (io.WriteCloser, error) {
	if b.format == render.CSV {
		return out, render.Columns(out)
	}
	return out, nil
}

// kept is an output that is not ours to close.
type kept struct{ io.Writer }

func (kept) Close() error { return nil }

// render writes what came of one domain. Several goroutines do so at once.
func (b *bulkJob) render(r bulk.Result) []byte {
	var out bytes.Buffer
	if r.Err != nil {
		b.count(StatusUndone)
		switch b.format {
		case render.JSON:
			json.NewEncoder(&out).Encode(map[string]string{"domain": r.Name, "error": r.Err.Error()})
		case render.Text:
			fmt.Fprintf(&out, "--  %s\n", printable(clip(r.Err.Error(), maxName)))
		}
		return out.Bytes()
	}
	result := render.Result{Report: r.Report}
	if b.earlier != nil {
		result.Diff = b.earlier.Compare(r.Report)
	}
	b.count(b.checkJob.status(result))
	switch b.format {
	case render.JSON:
		render.Line(&out, result)
	case render.CSV:
		render.Rows(&out, result)
	default:
		render.Brief(&out, result, render.Options{Width: b.width})
	}
	return out.Bytes()
}

// maxName bounds what is shown of a line that holds no domain.
const maxName = 100

// count keeps the status of the run: that something could not be done goes before all.
func (b *bulkJob) count(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status != StatusUndone {
		if b.status = worseCheck(b.status, s); s == StatusUndone {
			b.status = s
		}
	}
}

// explain says what of a run that ended early is there, and how it goes on.
func (b *bulkJob) explain(ctx context.Context, err error, s *bulk.Summary) error {
	done := counted(s.Domains+s.NoNames, "domain")
	switch {
	case ctx.Err() == nil:
		return fmt.Errorf("after %s: %w", done, err)
	case b.format == render.JSON && b.output != "":
		return fmt.Errorf("interrupted after %s; the same command with --resume goes on", done)
	}
	return fmt.Errorf("interrupted after %s", done)
}

// tell says how many domains have what.
func (b *bulkJob) tell(stderr io.Writer, s *bulk.Summary) error {
	if b.flags.summary != "" {
		text, err := json.MarshalIndent(summaryJSON{
			s.Domains, s.Silent, s.Unknown, s.NoNames, s.ByGrade(), append([]bulk.Share{}, s.ByFinding()...),
		}, "", "  ")
		if err == nil {
			err = os.WriteFile(b.flags.summary, append(text, '\n'), 0o644)
		}
		if err != nil {
			return err
		}
	}
	io.WriteString(stderr, "\n")
	return render.Summary(stderr, s)
}

// summaryJSON is what --summary writes. Counts are of domains.
type summaryJSON struct {
	Domains  int          `json:"domains"`
	Silent   int          `json:"send_no_mail"`
	Unknown  int          `json:"unknown"`
	NoNames  int          `json:"no_names"`
	Grades   []bulk.Share `json:"grades"`
	Findings []bulk.Share `json:"findings"`
}
