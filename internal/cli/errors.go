package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/message"
)

// describe says what went wrong, of a file in fewer words than the operating system does, and how to mend it.
func describe(err error) string {
	var path *fs.PathError
	var beyond *message.LimitError
	var client *examine.ClientError
	switch {
	case errors.As(err, &client) && client.Path:
		return err.Error() + "; give --mail-from"
	case errors.As(err, &client):
		return err.Error() + "; give --ip, --helo and --mail-from"
	case errors.As(err, &beyond):
		return err.Error() + "; no mail server takes such a message, so shorten its header"
	case errors.Is(err, message.ErrNoHeader):
		return err.Error() + "; give it a message with its header, as it came over the wire"
	case !errors.As(err, &path):
		return err.Error()
	}
	why := path.Err.Error()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "no such file; check the path"
	case errors.Is(err, fs.ErrPermission) && path.Op == "mkdir":
		why = "permission denied; run as a user who may write there"
	case errors.Is(err, fs.ErrPermission):
		why = "permission denied; run as a user who may read it"
	case errors.Is(err, fs.ErrExist):
		why = "the file exists, and is not overwritten; move it away or name another"
	case errors.Is(err, syscall.EISDIR):
		why = "a directory; name a file"
	}
	// What was being done stands before the PathError's own text, if anything.
	before, _, _ := strings.Cut(err.Error(), path.Error())
	return before + path.Path + ": " + why
}

// usageError is a command line that makes no sense.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s; see %q", fmt.Sprintf(format, args...), cmd.CommandPath()+" --help")
}

// flagError names a flag that does not exist, or its bad value.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return usageError(cmd, "no such flag -%s", unknown.GetSpecifiedName())
		}
		return usageError(cmd, "no such flag --%s%s", unknown.GetSpecifiedName(),
			didYouMean("--", nearest.Word(unknown.GetSpecifiedName(), flagNames(cmd))))
	case errors.As(err, &missing):
		return usageError(cmd, "--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &bad):
		return usageError(cmd, "--%s %q: %s", bad.GetFlag().Name, bad.GetValue(), whyBad(bad.Unwrap()))
	}
	return usageError(cmd, "%v", err)
}

// whyBad says of a number what people say.
func whyBad(err error) string {
	var number *strconv.NumError
	switch {
	case !errors.As(err, &number):
		return err.Error()
	case errors.Is(number, strconv.ErrRange):
		return "there is no room for such a number"
	case number.Func == "ParseFloat":
		return "not a number"
	case number.Func == "ParseBool":
		return "neither true nor false"
	}
	return "not a whole number"
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// noSuchCommand is the Args of a command that only holds others.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return usageError(cmd, "no such command %q%s", args[0], didYouMean("", nearest.Word(args[0], names)))
}

// needCommand is the Run of a command that only holds others.
func needCommand(cmd *cobra.Command, _ []string) error {
	cmd.SetOut(cmd.ErrOrStderr())
	if err := cmd.Help(); err != nil {
		return err
	}
	return exit(StatusUndone)
}

// noArguments is the Args of a command that takes flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(cmd, "%q: it takes flags only", args[0])
	}
	return nil
}

// oneMessage is the Args of a command that works on a single file.
func oneMessage(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError(cmd, "%q: it takes one message at a time", args[1])
	}
	return nil
}

// require asks for flags that have no default.
func require(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if !cmd.Flags().Changed(name) {
			return usageError(cmd, "--%s is missing", name)
		}
	}
	return nil
}

func didYouMean(prefix, word string) string {
	if word == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s%s?", prefix, word)
}

// stdinName is how arguments and JSON call standard input.
const stdinName = "-"

// display is what people call an input.
func display(name string) string {
	if name == stdinName || strings.HasPrefix(name, stdinName+"#") {
		return "standard input" + name[len(stdinName):]
	}
	return name
}

func openFile(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if info.IsDir() {
		f.Close()
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	return f, nil
}
