package folder

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

// A watch calls when something happens in a directory. It is a help only: where it cannot be had, the rescan finds what came.
type watch struct {
	in     *Input
	w      *fsnotify.Watcher
	events chan fsnotify.Event
	errs   chan error
	there  map[string]bool
}

func (in *Input) watch() *watch {
	w := &watch{in: in, there: map[string]bool{}}
	if in.o.unwatched {
		return w
	}
	var err error
	if w.w, err = fsnotify.NewBufferedWatcher(64); err != nil {
		in.status.Log().Info("directories cannot be watched; they are looked at from time to time", "error", err, "every", in.o.Rescan)
		w.w = nil
		return w
	}
	w.events, w.errs = w.w.Events, w.w.Errors
	return w
}

// refresh sees to it that all directories are watched, those too that were made anew.
func (w *watch) refresh() {
	if w.w == nil {
		return
	}
	now := map[string]bool{}
	for _, dir := range w.w.WatchList() {
		now[dir] = true
	}
	for _, p := range w.in.o.Paths {
		for _, dir := range w.in.watched(p) {
			if now[dir] {
				continue
			}
			if err := w.w.Add(dir); err != nil && !w.there[dir] {
				w.there[dir] = true // said
				w.in.status.Log().Info("a directory cannot be watched; it is looked at from time to time", "directory", dir, "error", err)
			}
		}
	}
}

// watched are the directories in which something may come. Directories within a directory are not among them.
func (in *Input) watched(p string) []string {
	info, err := os.Stat(p)
	switch {
	case err != nil || !info.IsDir():
		return []string{filepath.Dir(p)}
	case !isMaildir(p):
		return []string{filepath.Clean(p)}
	}
	folders := in.o.Folders
	if len(folders) == 0 {
		folders = []string{"."}
	}
	var dirs []string
	for _, name := range folders {
		dirs = append(dirs, filepath.Join(folderPath(p, name), "new"), filepath.Join(folderPath(p, name), "cur"))
	}
	return dirs
}

// wait returns when something happened, or after d, and never before least has passed.
func (w *watch) wait(ctx context.Context, d, least time.Duration) {
	inbox.Sleep(ctx, min(max(least, 20*time.Millisecond), d))
	t := time.NewTimer(max(d-least, 0))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-w.events:
	case <-w.errs: // events were lost
	}
	for { // one look is enough for all
		select {
		case <-w.events:
		default:
			return
		}
	}
}

func (w *watch) close() {
	if w.w != nil {
		w.w.Close()
	}
}
