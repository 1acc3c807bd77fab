package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// An unmet expectation is a case that came out otherwise.
type unmet struct {
	Case        string              `json:"case"`
	Line        int                 `json:"line"`
	Rule        string              `json:"rule"`
	Differences []policy.Difference `json:"differences"`
	Steps       []policy.Step       `json:"steps,omitempty"`
}

// expectations holds the policy to a file.
func (t *policyTest) expectations(path string) error {
	x, err := policy.LoadExpectations(path)
	if err != nil {
		return err
	}
	var all []unmet
	for i := range x.Cases {
		c := &x.Cases[i]
		e, err := t.caseEvaluation(path, c)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %w", path, c.Line, c.Name, err)
		}
		now := c.Now
		if now.IsZero() {
			now = t.job.options.Now
		}
		r := &tested{File: c.Name}
		t.decide(r, e, now)
		if d := c.Differences(r.Verdict); len(d) > 0 {
			all = append(all, unmet{c.Name, c.Line, r.Verdict.Rule, d, r.Steps})
		}
	}
	if t.json {
		err = printJSON(t.out.w, struct {
			Cases int     `json:"cases"`
			Unmet []unmet `json:"unmet"`
		}{len(x.Cases), append([]unmet{}, all...)})
	} else {
		t.printUnmet(path, len(x.Cases), all)
	}
	if len(all) > 0 {
		return cmp.Or(err, exit(StatusFails))
	}
	return err
}

func (t *policyTest) printUnmet(path string, cases int, all []unmet) {
	for _, u := range all {
		t.out.line(fmt.Sprintf("%s:%d: %s", printable(path), u.Line, printable(u.Case)))
		for _, d := range u.Differences {
			for i, text := range []string{d.Want, d.Got} {
				label := [...]string{"  " + d.What + " wanted", "  " + d.What + " came"}[i]
				for j, line := range wrap(cmp.Or(printable(text), "(nothing)"), t.out.width-20) {
					if j > 0 {
						label = ""
					}
					t.out.line(pad(label, 20) + t.out.paint([...]string{green, red}[i], line))
				}
			}
		}
		t.out.policySteps(u.Steps)
	}
	met := cases - len(all)
	t.out.line(fmt.Sprintf("%s, %d met, %d not", plural(cases, "expectation"), met, len(all)))
}

// caseEvaluation is what the case is about. Paths are as seen from the file of expectations.
func (t *policyTest) caseEvaluation(file string, c *policy.Case) (*verify.Evaluation, error) {
	from := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(file), path)
	}
	switch {
	case c.Recorded != "":
		return recorded(from(c.Recorded))
	case c.Message == "":
		return c.Given, nil
	}
	o := t.job.options
	if !c.Now.IsZero() {
		o.Now = c.Now
	}
	if c.Zone != "" {
		zone, err := readZone(from(c.Zone))
		if err != nil {
			return nil, err
		}
		o.Resolver = zone
	}
	job := *t.job
	job.query.Client = c.Given.Client
	job.query.Given.Helo, job.query.Given.MailFrom = true, true
	path := from(c.Message)
	r := job.message(t.cmd.Context(), verify.New(o), input{name: path, open: func() (io.ReadCloser, error) { return os.Open(path) }})
	if r.err != nil {
		return nil, r.err
	}
	return r.Evaluation, nil
}

func readZone(path string) (dns.Resolver, error) {
	return common{Zone: path}.resolver()
}

// recorded reads the one Evaluation of a file.
func recorded(path string) (*verify.Evaluation, error) {
	var e *verify.Evaluation
	err := error(nil)
	lookInto(input{name: path, open: func() (io.ReadCloser, error) { return openFile(path) }}, func(s testSubject) bool {
		e, err = s.evaluation, s.err
		return false
	})
	if err == nil && e == nil {
		err = fmt.Errorf("%s: no evaluation in it; give it what \"gatepost verify --json\" prints", path)
	}
	return e, err
}
