package cli

import (
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/store"
)

const storeHelp = `Look after the store, in which the gate keeps decisions, counts, exceptions and
reports: a SQLite file, or a PostgreSQL database.

Exit status: that of the command beneath.`

func storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store COMMAND",
		Short: "Back up, restore, copy and migrate the store",
		Long:  storeHelp,
		Example: `  gatepost store backup gatepost-2026-11-25.db
  gatepost store copy --from /var/lib/gatepost/gatepost.db \
      --to postgres://gatepost@db.example.com/gatepost`,
		Args: noSuchCommand,
		RunE: needCommand,
	}
	cmd.AddCommand(storeBackupCommand(), storeRestoreCommand(), storeCopyCommand(), storeMigrateCommand())
	return cmd
}

const storeBackupHelp = `Write the store into a new file, as it is at one moment. The gate goes on.

The file is a SQLite database, whichever the store is, and can be restored into
either. It holds what the store holds; keep it as safe.

Exit status: 0 written; 2 it could not be done, and there is no file.`

func storeBackupCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "backup FILE",
		Short:   "Write a copy into a file while the gate goes on",
		Long:    storeBackupHelp,
		Example: "  gatepost store backup /var/backups/gatepost-$(date +%F).db",
		Args:    arguments(1, 1, "FILE"),
	}
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		address, err := o.address(cmd)
		if err != nil {
			return err
		}
		show, clear := copyProgress(cmd)
		err = store.Backup(ctx, address, args[0], show)
		if clear(); err != nil {
			return err
		}
		if commonFlags(cmd).JSON {
			return printJSON(cmd.OutOrStdout(), map[string]string{"file": args[0]})
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s written\n", printable(args[0]))
		return nil
	}
	return cmd
}

const storeRestoreHelp = `Put what a backup holds into the store, which is made if it is not there. All of
it is restored, or nothing. A store that has something is refused; with
--replace, what it has is deleted.

Stop the gate first, and run this as the user that it runs as. A backup of an
older gatepost is brought up to date on the way; the file stays as it is.

Exit status: 0 restored; 2 it could not be done, and nothing changed.`

func storeRestoreCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:     "restore FILE [--replace]",
		Short:   "Put what a backup holds into the store",
		Long:    storeRestoreHelp,
		Example: "  sudo -u gatepost gatepost store restore --replace gatepost-2026-11-25.db",
		Args:    arguments(1, 1, "FILE"),
	}
	replace := cmd.Flags().Bool("replace", false, "delete what the store has")
	o.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		address, err := o.address(cmd)
		if err != nil {
			return err
		}
		show, clear := copyProgress(cmd)
		copied, err := store.Restore(ctx, args[0], address, store.CopyOptions{Replace: *replace, Progress: show})
		if clear(); err != nil {
			return err
		}
		return printCopied(cmd, "restored", copied)
	}
	return cmd
}

const storeCopyHelp = `Copy a store to another, of whatever engine, as it is at one moment: from a
SQLite file to PostgreSQL when it has grown, or back. All of it is copied, or
nothing. The other store is made if it is not there; one that has something is
refused, or with --replace emptied first.

Stop the gate first: what it writes into the old store meanwhile is not copied.
Then set store.url to the new address and start it again.

Exit status: 0 copied, and every row counted; 2 it could not be done, and
nothing was changed.`

func storeCopyCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "copy --from STORE --to STORE [--replace]",
		Short: "Copy a store to another, of whatever engine",
		Long:  storeCopyHelp,
		Example: `  gatepost store copy --from /var/lib/gatepost/gatepost.db \
      --to postgres://gatepost@db.example.com/gatepost`,
		Args: noArguments,
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the `STORE` that is copied: a file or postgres://USER@HOST/DATABASE")
	f.StringVar(&to, "to", "", "the `STORE` that it is copied to")
	replace := f.Bool("replace", false, "delete what the other store has")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := require(cmd, "from", "to"); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		show, clear := copyProgress(cmd)
		copied, err := store.Copy(ctx, from, to, store.CopyOptions{Replace: *replace, Progress: show})
		if clear(); err != nil {
			return err
		}
		return printCopied(cmd, "copied", copied)
	}
	return cmd
}

// copyProgress shows on a terminal how far a copy is.
func copyProgress(cmd *cobra.Command) (show func(table string, rows, of int64), clear func()) {
	p := newProgress(cmd.ErrOrStderr(), false)
	return func(table string, rows, of int64) {
		if p.due() {
			fmt.Fprintf(p.w, "\r\x1b[K%s: %d of %s", table, rows, plural(int(of), "row"))
		}
	}, p.clear
}

func printCopied(cmd *cobra.Command, verb string, copied []store.Copied) error {
	w := cmd.OutOrStdout()
	if commonFlags(cmd).JSON {
		return printJSON(w, copied)
	}
	var sum int64
	for _, c := range copied {
		sum += c.Rows
		if c.Rows > 0 {
			fmt.Fprintf(w, "%-20s %d\n", c.Table, c.Rows)
		}
	}
	_, err := fmt.Fprintf(w, "%s %s\n", plural(int(sum), "row"), verb)
	return err
}

const storeMigrateHelp = `Bring the tables of the store up to date, as "gatepost serve" does by itself
when it starts. With --status, show which steps there are and which were done.

With --down-to, go back to the tables of an older gatepost, before it is
installed again. What it has no place for is deleted: back up first, and stop
the gate.

Exit status: 0 done; 1 with --status, there are steps to do; 2 it could not be
done.`

func storeMigrateCommand() *cobra.Command {
	var o storeFlags
	cmd := &cobra.Command{
		Use:   "migrate [--status] [--down-to N]",
		Short: "Bring the tables up to date, or back",
		Long:  storeMigrateHelp,
		Example: `  gatepost store migrate --status
  gatepost store migrate --down-to 3`,
		Args: noArguments,
	}
	status := cmd.Flags().Bool("status", false, "only show the steps")
	downTo := cmd.Flags().Int64("down-to", 0, "go back to the tables of version `N`")
	o.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("status", "down-to")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		address, err := o.address(cmd)
		if err != nil {
			return err
		}
		down := cmd.Flags().Changed("down-to")
		switch {
		case *status:
		case down && *downTo < 0:
			return usageError(cmd, "--down-to %d: a version is 0 or more", *downTo)
		case down:
			err = store.Migrate(ctx, address, *downTo)
		default:
			err = store.Migrate(ctx, address, -1)
		}
		if err != nil {
			return err
		}
		steps, err := store.Steps(ctx, address)
		if err != nil {
			return err
		}
		pending, err := printSteps(cmd, steps, *status)
		if err == nil && pending && *status {
			return exit(StatusFails)
		}
		return err
	}
	return cmd
}

// printSteps shows the steps, or in short where the tables are, and tells whether there is one to do.
func printSteps(cmd *cobra.Command, steps []store.Step, whole bool) (pending bool, err error) {
	version := int64(0)
	for _, s := range steps {
		if s.At.IsZero() {
			pending = true
		} else {
			version = max(version, s.Version)
		}
	}
	w := cmd.OutOrStdout()
	switch {
	case commonFlags(cmd).JSON:
		return pending, printJSON(w, map[string]any{"version": version, "steps": steps})
	case whole:
		for _, s := range steps {
			if _, err := io.WriteString(w, stepLine(s)); err != nil {
				return pending, err
			}
		}
		return pending, nil
	}
	_, err = fmt.Fprintf(w, "The tables have version %d.\n", version)
	return pending, err
}

func stepLine(s store.Step) string {
	done := "to do"
	if !s.At.IsZero() {
		done = s.At.Format("2006-01-02 15:04") + " UTC"
	}
	_, name, _ := strings.Cut(s.Name, "_")
	return fmt.Sprintf("%3d  %-20s  %s\n", s.Version, strings.ReplaceAll(name, "_", " "), done)
}
