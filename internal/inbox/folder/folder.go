// Package folder takes reports from files: single ones, all in a directory, a Maildir, an mbox.
//
//	in, err := folder.New(folder.Options{Paths: []string{"/var/spool/reports"}, After: folder.Move, Done: "/var/spool/reports-done"})
//	err = in.Run(ctx, importer) // watches
//
// What a path is shows by itself: a directory with cur and new in it is a Maildir, a file that begins with "From " an mbox. Of a
// directory the regular files count: no symbolic links, no names that begin with a dot or end as those of files that are not whole
// yet (~, .tmp, .part), and none that was written to a moment ago.
//
// An mbox that is named in Paths belongs to others and is only read; a file in a directory may be moved or deleted after what it holds
// is committed. What cannot be read goes to another directory, with the reason in NAME.reason.txt beside it.
package folder

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// What becomes of a file after what it holds is committed.
const (
	Keep   = "keep"   // it stays as it is
	Move   = "move"   // to another directory
	Seen   = "seen"   // of a Maildir: it is marked as read
	Delete = "delete" // it is deleted
)

// Options say which files. Paths are needed.
type Options struct {
	Name      string   // of the input; file if empty
	Paths     []string // files, directories, Maildirs, mboxes
	Folders   []string // of a Maildir: the folders below it to be read, as ".Reports"; the inbox if empty ("." is the inbox)
	Recursive bool     // the directories in a directory too

	After   string        // keep, move, seen or delete; keep if empty
	Done    string        // the directory to move to; for a Maildir a folder of it, as ".Done", or the path of another Maildir
	Bad     string        // likewise for what cannot be read; if empty it stays where it is
	MaxSize int64         // of a file, and of a message in an mbox; 50 MiB if zero
	Settle  time.Duration // how long a file must not have changed; 2 s if zero
	Rescan  time.Duration // how often to look without being called; 1 min if zero

	Spool *spool.Room // its zero value if nil
	Log   *slog.Logger

	unwatched bool // for tests: nobody calls
}

// New makes an input of options, or says what is wrong with them, naming the field.
func New(o Options) (*Input, error) {
	o.Name = cmp.Or(o.Name, "file")
	o.After = cmp.Or(o.After, Keep)
	switch {
	case len(o.Paths) == 0:
		return nil, option.Errorf("Paths", "are missing")
	case slices.Contains(o.Paths, ""):
		return nil, option.Errorf("Paths", "one is empty")
	case !slices.Contains([]string{Keep, Move, Seen, Delete}, o.After):
		return nil, option.Errorf("After", "%q is not known; there are keep, move, seen and delete", o.After)
	case o.After == Move && o.Done == "":
		return nil, option.Errorf("Done", "is missing, and After is move")
	case o.MaxSize < 0:
		return nil, option.Errorf("MaxSize", "is negative")
	case o.Settle < 0:
		return nil, option.Errorf("Settle", "is negative")
	case o.Rescan < 0:
		return nil, option.Errorf("Rescan", "is negative")
	}
	for _, f := range o.Folders {
		if f != "." && !isFolder(f) {
			return nil, option.Errorf("Folders", "%q is not one of a Maildir; they are as .Reports, and the inbox is .", f)
		}
	}
	for field, target := range map[string]string{"Done": o.Done, "Bad": o.Bad} {
		if target == "" {
			continue
		}
		for _, p := range o.Paths {
			if !isFolder(target) && filepath.Clean(p) == filepath.Clean(target) || slices.Contains(o.Folders, target) {
				return nil, option.Errorf(field, "%s is where the reports are taken from", target)
			}
		}
	}
	o.MaxSize = cmp.Or(o.MaxSize, inbox.DefaultMaxSize)
	o.Settle = cmp.Or(o.Settle, 2*time.Second)
	o.Rescan = cmp.Or(o.Rescan, time.Minute)
	if o.Spool == nil {
		o.Spool = new(spool.Room)
	}
	return &Input{o: o, status: inbox.NewStatus(o.Name, o.Log), seen: map[mark]struct{}{}, fresh: map[string]sight{},
		later: map[string]*trouble{}, boxes: map[string]*progress{}}, nil
}

// An Input is some paths.
type Input struct {
	o      Options
	status *inbox.Status

	fresh map[string]sight // files that may still be written to

	// What is remembered while the program runs.
	mu      sync.Mutex
	seen    map[mark]struct{}    // files that are done with
	later   map[string]*trouble  // files that could not be read or stored
	boxes   map[string]*progress // mboxes
	waiting []disposal           // files that could not be moved or deleted
	until   time.Time            // when that is tried again
	backoff inbox.Backoff
}

// trouble is that a file could not be read or stored.
type trouble struct {
	times int
	next  time.Time
}

const longestTrouble = 6 * time.Hour

// Name is as in the options.
func (in *Input) Name() string { return in.o.Name }

// State tells how it does.
func (in *Input) State() inbox.State { return in.status.State() }

// Once takes in what is there now. It waits for files that may still be written to, but for those that Paths name.
func (in *Input) Once(ctx context.Context, im inbox.Importer) error {
	defer in.status.Down()
	var trouble error
	for {
		found, paths, err := in.scan(ctx, im, true)
		if err != nil {
			in.status.Failed(err)
			return err
		}
		trouble = paths
		if found == 0 && len(in.fresh) == 0 {
			break
		}
		if found == 0 {
			inbox.Sleep(ctx, min(in.o.Settle, 200*time.Millisecond))
		}
	}
	switch {
	case trouble != nil:
		in.status.Failed(trouble)
		return trouble
	case len(in.waiting) > 0:
		return fmt.Errorf("%d files are in the store but could not be moved or deleted: %s", len(in.waiting), in.State().LastError)
	case len(in.later) > 0:
		return fmt.Errorf("%d files could not be read or stored: %s", len(in.later), in.State().LastError)
	}
	in.status.Succeeded()
	return nil
}

// Run takes in what is there and what comes, until ctx ends.
func (in *Input) Run(ctx context.Context, im inbox.Importer) error {
	in.status.Repeat(ctx, inbox.Backoff{}, func(ctx context.Context) error {
		w := in.watch()
		defer w.close()
		for {
			w.refresh()
			started := time.Now()
			found, paths, err := in.scan(ctx, im, false)
			switch {
			case err != nil || ctx.Err() != nil:
				return err
			case paths != nil:
				in.status.Failed(paths)
			case len(in.waiting) > 0:
			case len(in.later) > 0:
				in.status.Through()
			default:
				in.status.Succeeded()
			}
			if found > 0 {
				continue
			}
			w.wait(ctx, in.pause(), 4*time.Since(started))
			if ctx.Err() != nil {
				return nil
			}
		}
	})
	return nil
}

// pause is how long there is nothing to do, if nobody calls.
func (in *Input) pause() time.Duration {
	now := time.Now()
	next := now.Add(in.o.Rescan)
	if len(in.fresh) > 0 {
		next = now.Add(min(in.o.Settle/2+time.Millisecond, in.o.Rescan))
	}
	for _, t := range in.later {
		if t.next.Before(next) {
			next = t.next
		}
	}
	if len(in.waiting) > 0 && in.until.Before(next) {
		next = in.until
	}
	return max(next.Sub(now), 0)
}

// isMaildir tells whether a directory is one.
func isMaildir(dir string) bool {
	for _, sub := range []string{"cur", "new"} {
		if info, err := os.Lstat(filepath.Join(dir, sub)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}
