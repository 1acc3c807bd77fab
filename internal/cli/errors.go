package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatepost-mail/gatepost/message"
)

// describe says what went wrong, of a file in fewer words than the operating system does, and how to mend it.
func describe(err error) string {
	var path *fs.PathError
	var beyond *message.LimitError
	switch {
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
			didYouMean("--", nearest(unknown.GetSpecifiedName(), flagNames(cmd))))
	case errors.As(err, &missing):
		return usageError(cmd, "--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &bad):
		return usageError(cmd, "--%s %q: %v", bad.GetFlag().Name, bad.GetValue(), bad.Unwrap())
	}
	return usageError(cmd, "%v", err)
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
	return usageError(cmd, "no such command %q%s", args[0], didYouMean("", nearest(args[0], names)))
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

// nearest is the word that was likely meant: the one that begins so, or the one with the fewest letters to change.
func nearest(typed string, words []string) string {
	best, distance := "", 3
	for _, word := range slices.Sorted(slices.Values(words)) {
		d := editDistance(typed, word)
		if len(typed) > 1 && strings.HasPrefix(word, typed) {
			d = 1
		}
		if d < distance && d < len(word) {
			best, distance = word, d
		}
	}
	return best
}

// maxTyped bounds what is compared: what is longer is no slip of the finger.
const maxTyped = 64

// editDistance is the number of letters to insert, leave out, replace or swap with the next.
func editDistance(a, b string) int {
	if len(a) > maxTyped {
		return len(a)
	}
	var before, last, row [maxTyped + 1]int
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(b); i++ {
		before, last = last, row
		row[0] = i
		for j := 1; j <= len(a); j++ {
			cost := 1
			if a[j-1] == b[i-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[j-1] == b[i-2] && a[j-2] == b[i-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(a)]
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
