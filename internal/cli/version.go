package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what this program is, as its builder wrote it down.
type version struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"` // of the source; empty if unknown
	Time     string `json:"time"`   // of that commit
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, commit, Go version and platform",
		Long: `Print the version, commit, Go version and platform.

Exit status: 0; 2 if it could not be printed.`,
		Example: `  gatepost version --json`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersion()
			if commonFlags(cmd).JSON {
				return printJSON(cmd.OutOrStdout(), v)
			}
			fmt.Fprintln(cmd.OutOrStdout(), v)
			return nil
		},
	}
}

func readVersion() version {
	v := version{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = cmp.Or(info.Main.Version, v.Version)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

func (v version) String() string {
	s := "gatepost " + v.Version
	if v.Commit != "" {
		s += fmt.Sprintf("\ncommit   %s", v.Commit)
		if v.Modified {
			s += " with changes"
		}
		s += fmt.Sprintf("\nof       %s", v.Time)
	}
	return s + fmt.Sprintf("\ngo       %s\nplatform %s", v.Go, v.Platform)
}
