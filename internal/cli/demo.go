package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/show"
)

const demoHelp = `Make a store with a quarter of a made-up company's mail in it, a configuration
and the DNS that goes with them, and open the dashboard on it: what is the
company's own and fails, who passes its mail on, a wave of abuse, a supplier
whom the gate blocks. Commands that show the same are printed. Nothing is asked
of the network, and nothing is sent.

It is in a temporary folder, and deleted when the command is interrupted; --keep
leaves it there. With --dir, which names the folder, it is made and left, and
the dashboard is opened only with --serve.

Exit status: 0 made; 2 it could not be done.`

// demoFlags are the flags of demo.
type demoFlags struct {
	dir    string
	keep   bool
	serve  bool
	listen string
	noOpen bool
	end    string
	seed   uint64
}

func demoCommand() *cobra.Command {
	var o demoFlags
	cmd := &cobra.Command{
		Use:     "demo [--listen ADDRESS] [--keep | --dir DIR]",
		Short:   "Show the dashboard on a made-up company's mail",
		Long:    demoHelp,
		Example: "  gatepost demo\n  gatepost demo --dir demo --end 2026-11-29",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "", "make it in this `DIR`, which is empty or not there yet, and leave it")
	f.BoolVar(&o.serve, "serve", false, "with --dir: open the dashboard on it")
	f.StringVar(&o.listen, "listen", "", "show the dashboard at this `ADDRESS` (default 127.0.0.1:8080, or a free port)")
	f.BoolVar(&o.noOpen, "no-open", false, "do not open a browser")
	f.BoolVar(&o.keep, "keep", false, "leave the temporary folder")
	f.StringVar(&o.end, "end", "", "the last `DAY` of the mail (default yesterday)")
	f.Uint64Var(&o.seed, "seed", 1, "another `NUMBER` makes other figures")
	return cmd
}

func runDemo(cmd *cobra.Command, o *demoFlags) error {
	end := insight.DayOf(present(cmd)).AddDate(0, 0, -1)
	if o.end != "" {
		var err error
		if end, err = time.Parse(time.DateOnly, o.end); err != nil {
			return usageError(cmd, "--end %q: not a day; write it as 2026-11-29", o.end)
		}
	}
	if o.serve && o.dir == "" {
		return usageError(cmd, "--serve: name a folder with --dir, or leave both out")
	}
	if o.keep && o.dir != "" {
		return usageError(cmd, "--keep: what --dir names is left anyway; leave one of them out")
	}
	o.serve = o.serve || o.dir == ""
	if o.listen != "" {
		if !o.serve {
			return usageError(cmd, "--listen: with --dir, the dashboard is opened by --serve only")
		}
		if _, _, err := net.SplitHostPort(o.listen); err != nil {
			return usageError(cmd, "--listen %q: not an address; write it as 127.0.0.1:8080", o.listen)
		}
	}
	dir, temporary, err := o.folder(cmd)
	if err != nil {
		return err
	}
	if temporary {
		defer os.RemoveAll(dir)
	}
	ctx, stop := untilInterrupted(cmd.Context())
	defer stop()
	d, err := demo.Make(ctx, demo.Options{Dir: dir, End: end, Seed: o.seed})
	if err != nil {
		return err
	}
	if !o.serve {
		return o.print(cmd, dir, d, "")
	}
	shown, err := openDemo(ctx, d, o.listen, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer shown.close()
	if err := o.print(cmd, dir, d, shown.link); err != nil {
		return err
	}
	if !o.noOpen && terminal(cmd.OutOrStdout()) != nil && !commonFlags(cmd).JSON {
		browse(shown.link)
	}
	return shown.serve(ctx)
}

// folder is where it is made, and whether it is deleted at the end.
func (o *demoFlags) folder(cmd *cobra.Command) (dir string, temporary bool, err error) {
	if o.dir == "" {
		dir, err = os.MkdirTemp("", "gatepost-demo-")
		return dir, !o.keep, err
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return "", false, err
	}
	there, err := os.ReadDir(o.dir)
	if err != nil {
		return "", false, err
	}
	if len(there) > 0 {
		return "", false, usageError(cmd, "--dir %s: there is something in it; name a folder that is empty", printable(display(o.dir)))
	}
	dir, err = filepath.Abs(o.dir)
	return dir, false, err
}

// A made demo is what --json prints.
type made struct {
	Link      string    `json:"link"` // opens the dashboard, signed in; empty where it is not served
	Config    string    `json:"config"`
	Store     string    `json:"store"`
	Zone      string    `json:"zone"`
	Now       time.Time `json:"now"` // the moment to look at it from
	Reports   int       `json:"reports"`
	Messages  int       `json:"messages"`
	Reference string    `json:"reference"` // of a message that was refused
	Commands  []tried   `json:"commands"`
}

// A tried is a command that shows something of the demo.
type tried struct {
	About   string `json:"about"`
	Command string `json:"command"`
}

// tries are the commands to try, with the paths of a configuration and a zone. They say at which time only if it is not the present.
func tries(d *demo.Demo, config, zone string, present bool) []tried {
	at := ""
	if !present {
		at = " --at " + d.Now.Format(time.RFC3339)
	}
	configured, zoned := " --config "+show.Word(config)+at, " --zone "+show.Word(zone)+at
	all := []tried{
		{"whose mail it is: a forgotten CRM, forwarders, a printer, a wave of abuse", "sources list example.com" + configured},
		{"the weekly letter", "digest preview weekly" + configured},
		{"what the domain publishes", "check example.com" + zoned},
		{"what p=reject would lose", "simulate dmarc example.com --policy reject" + configured},
		{"what is in the way of it", "readiness example.com" + configured},
		{"what a stricter gate would block", "simulate policy lockdown" + configured},
		{"a supplier that the gate refuses, for its SPF record", "log --domain supplier.example" + configured},
		{"one of its messages, whole", "log --reference " + d.Reference + configured},
		{"the exception that was made for an accountant", "allow list" + configured},
		{"whom was written to, or is to be", "notice list" + configured},
		{"a key that went, and a policy that changed", "history example.com" + configured},
		{"failure reports, each about one message", "reports list --kind failure" + configured},
	}
	for i := range all {
		all[i].Command = "gatepost " + all[i].Command
	}
	return all
}

func (o *demoFlags) print(cmd *cobra.Command, dir string, d *demo.Demo, link string) error {
	c := commonFlags(cmd)
	present := o.end == "" && c.At.IsZero()
	if c.JSON {
		all := tries(d, d.Config, d.Zone, present)
		return printJSON(cmd.OutOrStdout(), made{link, d.Config, d.Store, d.Zone, d.Now, d.Reports, d.Messages, d.Reference, all})
	}
	s := newScreen(cmd.OutOrStdout(), c.NoColor)
	if link != "" {
		for _, line := range whereToLook(link) {
			s.line(line)
		}
	}
	last := insight.DayOf(d.Now).AddDate(0, 0, -1)
	first := last.AddDate(0, 0, 1-demo.Days)
	s.line(fmt.Sprintf("%s to %s of a made-up company, in %s:", first.Format(time.DateOnly), last.Format(time.DateOnly), printable(dir)))
	s.line(fmt.Sprintf("%s, and %s that its gate judged. Its domains are", counted(d.Reports, "report"), counted(d.Messages, "message")))
	s.line(strings.Join(demo.Domains, ", ") + ".")
	s.line("")
	s.line("  cd " + show.Word(dir))
	for _, t := range tries(d, filepath.Base(d.Config), filepath.Base(d.Zone), present) {
		s.line("  " + s.paint(dim, "# "+t.About))
		s.line("  " + t.Command)
	}
	switch {
	case link == "":
	case o.keep || o.dir != "":
		s.line("")
		s.line("Ctrl-C ends it, and leaves the folder.")
	default:
		s.line("")
		s.line("All of it is deleted when this ends: press Ctrl-C. --keep leaves it.")
	}
	return nil
}
