// Package cli is the command line of Gatepost, one file a command.
//
// Every command keeps the contracts that scripts rely on: its exit status ([Status]), its JSON, and one line on standard error for
// what could not be done, which names the thing and says how to mend it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// A Status is what the program exits with.
type Status int

// The statuses.
const (
	StatusFine      Status = 0
	StatusFails     Status = 1 // the thing asked about fails: a message is not accepted
	StatusUndone    Status = 2 // it could not be done: usage, an unreadable file, a bad configuration
	StatusTemporary Status = 3 // ask again later: DNS
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs the command line that the program was started with.
func Main() Status {
	return Run(context.Background(), os.Args[1:], Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
}

// Run runs one command line, without the program's own name.
func Run(ctx context.Context, args []string, s Streams) Status {
	out := &output{w: s.Out}
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(out)
	root.SetErr(s.Err)

	cmd, err := root.ExecuteContextC(ctx)
	if out.err != nil {
		err = fmt.Errorf("standard output: %w; what was printed is not all", out.err)
	}
	if err == nil {
		return StatusFine
	}
	var status *statusError
	if errors.As(err, &status) && status.err == nil {
		return status.status
	}
	complain(s.Err, cmd, err)
	if status != nil {
		return status.status
	}
	return StatusUndone
}

// statusError is an error with a status other than StatusUndone. Without an err nothing is printed: the output said it all.
type statusError struct {
	status Status
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// exit gives the error that ends a command with a status and no word.
func exit(s Status) error {
	if s == StatusFine {
		return nil
	}
	return &statusError{status: s}
}

// complain writes the one line that says what could not be done.
func complain(w io.Writer, cmd *cobra.Command, err error) {
	path := strings.ReplaceAll(cmd.CommandPath(), " ", ": ")
	fmt.Fprintf(w, "%s: %s\n", path, printable(describe(err)))
}

// output remembers the first error of writing, so that commands need not look at each.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	return n, err
}
