package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func TestHelpFitsIntoATerminal(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	var look func(path []string, c *cobra.Command)
	look = func(path []string, c *cobra.Command) {
		var out bytes.Buffer
		if status := Run(t.Context(), append(path, "--help"), Streams{In: strings.NewReader(""), Out: &out, Err: &out}); status != 0 || out.Len() == 0 {
			t.Errorf("%v: status %d\n%s", path, status, out.String())
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%v: %d columns: %s", path, n, line)
			}
		}
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" { // whose texts are its library's
				look(append(path[:len(path):len(path)], sub.Name()), sub)
			}
		}
	}
	look(nil, rootCommand())
}
