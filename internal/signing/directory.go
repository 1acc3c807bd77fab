package signing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/owner"
)

const (
	stateName = "state.json"
	lockName  = "lock"
)

// A Directory holds the keys of all domains. Its files belong to whoever the directory belongs to, so that root can work on the keys of
// a gate that is not root.
type Directory struct {
	path string
	hook func(step string) // before every change, here and in DNS; tests end the process in it
}

// OpenDirectory opens a key directory, and makes it where it is not there yet.
func OpenDirectory(path string) (*Directory, error) {
	d := &Directory{path: path, hook: func(string) {}}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("the key directory: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err == nil {
		if err := owner.As(filepath.Dir(path), path); err != nil {
			return nil, fmt.Errorf("the key directory: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("the key directory: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the key directory: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("the key directory: %s is a file; name a directory", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("the key directory: others than its owner may write to %s (mode %04o): chmod 700 %s", path, info.Mode().Perm(), path)
	}
	return d, nil
}

// Path is where the directory is.
func (d *Directory) Path() string { return d.path }

func (d *Directory) file(domain, name string) string { return filepath.Join(d.path, domain, name) }

// Domains lists the domains that have keys, in order.
func (d *Directory) Domains() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("the key directory: %w", err)
	}
	var domains []string
	for _, e := range entries {
		name, err := DomainName(e.Name())
		if err != nil || name != e.Name() || !e.IsDir() {
			continue // not ours
		}
		if _, err := os.Stat(d.file(name, stateName)); err == nil {
			domains = append(domains, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the keys of %s: %w", name, err)
		}
	}
	slices.Sort(domains)
	return domains, nil
}

// Load reads the state of a domain. One that there is nothing of yet has no keys.
func (d *Directory) Load(domain string) (*Domain, error) {
	path := d.file(domain, stateName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Domain{Name: domain}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the keys of %s: %w", domain, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, fmt.Errorf("the keys of %s: %w", domain, err)
	}
	state, err := ParseState(text)
	if err == nil && state.Name != domain {
		err = fmt.Errorf("it is about %s", state.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("the keys of %s: %s: %w", domain, path, err)
	}
	return state, nil
}

// lockPatience bounds how long another process is waited for.
const lockPatience = 30 * time.Second

// Update changes the state of a domain, with nobody else doing so meanwhile. The state is written each time that save is called.
func (d *Directory) Update(ctx context.Context, domain string, change func(state *Domain, save func() error) error) error {
	folder := filepath.Join(d.path, domain)
	if err := d.makeFolder(folder); err != nil {
		return fmt.Errorf("the keys of %s: %w", domain, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	unlock, err := lock(ctx, filepath.Join(folder, lockName))
	cancel()
	if err != nil {
		return fmt.Errorf("the keys of %s: %w", domain, err)
	}
	defer unlock()
	if err := owner.As(d.path, filepath.Join(folder, lockName)); err != nil {
		return fmt.Errorf("the keys of %s: %w", domain, err)
	}
	state, err := d.Load(domain)
	if err != nil {
		return err
	}
	return change(state, func() error {
		text, err := state.format()
		if err == nil {
			err = d.write(folder, stateName, text)
		}
		if err != nil {
			return fmt.Errorf("the keys of %s: %w", domain, err)
		}
		return nil
	})
}

func (d *Directory) makeFolder(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	d.hook("make " + filepath.Base(folder))
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := owner.As(d.path, folder); err != nil {
		return err
	}
	return syncFolder(d.path)
}

// write replaces a file as a whole: after a crash it is the old one or the new one.
func (d *Directory) write(folder, name string, text []byte) error {
	temporary := filepath.Join(folder, "."+name+".new")
	d.hook("write " + name)
	os.Remove(temporary) // of a crash, or a link that lies in wait for root to write where it leads
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(temporary)
		return err
	}
	return d.install(folder, temporary, name)
}

// install gives a file that is complete its name, for good.
func (d *Directory) install(folder, temporary, name string) error {
	if err := owner.As(d.path, temporary); err != nil {
		return err
	}
	d.hook("rename " + name)
	if err := os.Rename(temporary, filepath.Join(folder, name)); err != nil {
		return err
	}
	d.hook("sync " + name)
	return syncFolder(folder)
}
