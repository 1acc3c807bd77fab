package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

const policyTestHelp = `Run a policy against messages, and say which rule decides on each.

A MESSAGE is what "gatepost verify" takes, with the same flags for the client.
A file of evaluations, as "gatepost verify --json" prints them, is one too: so
a new policy can be tried on what was recorded.

With --expect, the messages and what is expected of each stand in a file: a test
of the policy, to be run before it is put to work.

Exit status: 0 all were decided, as expected; 1 an expectation is not met; 2 the
policy or a message could not be read.`

const policyTestExample = `  gatepost policy test policy.toml --received ~/Maildir
  gatepost policy test policy.toml evaluations.json --trace
  gatepost policy test policy.toml --expect expectations.toml`

func policyTestCommand() *cobra.Command {
	var client clientFlags
	var expect string
	var trace bool
	cmd := &cobra.Command{
		Use:     "test POLICY [MESSAGE|EVALUATIONS.json...]",
		Short:   "Run a policy against messages, or against expectations",
		Long:    policyTestHelp,
		Example: policyTestExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return onePolicy(cmd, args)
			}
			p, err := readPolicy(cmd, "", args[0])
			if err != nil {
				return err
			}
			job, err := newVerifyJob(cmd, &client, "")
			if err != nil {
				return err
			}
			job.policy = p
			t := &policyTest{job: job, trace: trace, json: commonFlags(cmd).JSON, cmd: cmd,
				out: newScreen(cmd.OutOrStdout(), commonFlags(cmd).NoColor)}
			if expect == "" {
				return t.run(args[1:])
			}
			if len(args) > 1 {
				return usageError(cmd, "%q: with --expect the messages are those that the file names", args[1])
			}
			return t.expectations(expect)
		},
	}
	client.add(cmd.Flags())
	client.addSealers(cmd.Flags())
	cmd.Flags().StringVar(&expect, "expect", "", "hold the policy to the expectations in this `FILE`")
	cmd.Flags().BoolVar(&trace, "trace", false, "say what every rule says")
	return cmd
}

// A policyTest is one run of "policy test".
type policyTest struct {
	job    *verifyJob
	trace  bool
	json   bool
	cmd    *cobra.Command
	out    screen
	done   int
	failed int
	err    error
}

// A tested is what became of one message.
type tested struct {
	File    string         `json:"file"`
	Verdict policy.Verdict `json:"verdict"`
	Steps   []policy.Step  `json:"steps,omitempty"`
	err     error
}

// A subject is one message that is still to be evaluated, or was.
type testSubject struct {
	input
	evaluation *verify.Evaluation
}

func (t *policyTest) run(paths []string) error {
	in := &inputs{paths: paths, stdin: t.cmd.InOrStdin()}
	defer in.Close()
	v := verify.New(t.job.options)
	inOrder(subjects(in.all()), func(s testSubject) *tested { return t.one(t.cmd.Context(), v, s) }, t.print)
	if t.failed > 0 {
		return cmp.Or(t.err, exit(StatusUndone))
	}
	return t.err
}

// subjects looks into each file, whether it is a message or evaluations. Of these it gives one after the other.
func subjects(all iter.Seq[input]) iter.Seq[testSubject] {
	return func(yield func(testSubject) bool) {
		for in := range all {
			if in.err != nil {
				if !yield(testSubject{input: in}) {
					return
				}
				continue
			}
			if !lookInto(in, yield) {
				return
			}
		}
	}
}

func lookInto(in input, yield func(testSubject) bool) bool {
	r, err := in.open()
	if err != nil {
		in.err = err
		return yield(testSubject{input: in})
	}
	buffered := bufio.NewReaderSize(r, 32<<10)
	if top, _ := buffered.Peek(1); len(top) == 0 || top[0] != '{' {
		in.open = func() (io.ReadCloser, error) { return part{buffered, r}, nil }
		return yield(testSubject{input: in})
	}
	defer r.Close()
	decoder := json.NewDecoder(buffered)
	for n := 1; ; n++ {
		var d struct {
			File string `json:"file"`
			verify.Evaluation
		}
		err := decoder.Decode(&d)
		if err == io.EOF {
			return true
		}
		s := testSubject{input: input{name: cmp.Or(d.File, fmt.Sprintf("%s#%d", in.name, n))}, evaluation: &d.Evaluation}
		if err != nil {
			s.err = fmt.Errorf("%s: evaluation %d: %w; give it what \"gatepost verify --json\" prints", display(in.name), n, err)
			return yield(s)
		}
		if !yield(s) {
			return false
		}
	}
}

// one decides on one message.
func (t *policyTest) one(ctx context.Context, v *verify.Verifier, s testSubject) *tested {
	if s.evaluation == nil {
		o := t.job.message(ctx, v, s.input)
		if s.err = o.err; o.err == nil {
			s.evaluation = o.Evaluation
		}
	}
	r := &tested{File: s.name, err: s.err}
	if s.err == nil {
		t.decide(r, s.evaluation, t.job.options.Now)
	}
	return r
}

func (t *policyTest) decide(r *tested, e *verify.Evaluation, now time.Time) {
	r.Verdict = t.job.policy.DecideAt(e, now)
	if t.trace {
		r.Steps = t.job.policy.Trace(e, now)
	}
}

func (t *policyTest) print(r *tested) {
	if r.err != nil {
		t.failed++
		complain(t.cmd.ErrOrStderr(), t.cmd, r.err)
		return
	}
	t.done++
	if t.json {
		if err := printJSONLine(t.out.w, r); err != nil {
			t.err = errors.Join(t.err, err)
		}
		return
	}
	t.out.line(t.out.paint(bold, printable(display(r.File))))
	t.out.result(examine.VerdictRow(r.Verdict))
	t.out.watched(r.Verdict)
	t.out.policySteps(r.Steps)
}

// watched writes what rules would have done that only watch.
func (s screen) watched(v policy.Verdict) {
	for _, w := range v.Watched {
		s.row("watched", string(w.Action), "by the rule "+w.Rule+", which only watches", printable(cmp.Or(w.Reply, w.Reason)))
	}
}

// policySteps writes what each rule said.
func (s screen) policySteps(steps []policy.Step) {
	for _, step := range steps {
		said := "false"
		if step.Matches {
			said = "true"
		}
		if step.Error != "" {
			said = "error"
		}
		note := ""
		switch {
		case step.Decides:
			note = "this rule decides"
		case step.Monitor && step.Matches:
			note = "this rule only watches"
		case step.Skipped:
			said, note = "-", "not asked about our own users: it does not name authenticated"
		}
		s.row("rule", said, printable(step.Rule)+": "+printable(oneLine(step.When)), note, printable(step.Error))
	}
}
