package postfix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Postfix is one instance, by its configuration folder; that of the system if empty.
type Postfix struct{ ConfigDir string }

// ErrNone says that there is no Postfix here.
var ErrNone = errors.New("there is no postconf here: install Postfix, or see what to write with --print")

// A Change is a parameter of main.cf with its new value.
type Change struct {
	Name, Old, New string
	set            bool // Old stands in main.cf, and is not Postfix's default
}

// Command is what makes the change, for a shell.
func (c Change) Command(p Postfix) string {
	words := []string{"postconf"}
	if p.ConfigDir != "" {
		words = append(words, "-c", quote(p.ConfigDir))
	}
	return strings.Join(append(words, "-e", quote(c.Name+" = "+c.New)), " ")
}

func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

const (
	smtp      = "smtpd_milters"
	submitted = "non_smtpd_milters"
)

// Enable says what to change so that Postfix asks the gate; nothing where it does already. The notes are what a person should know.
func (p Postfix) Enable(ctx context.Context, g Gate) (changes []Change, notes []string, err error) {
	if err := p.version(ctx); err != nil {
		return nil, nil, err
	}
	if g.Address, err = p.reachable(ctx, g.Address); err != nil {
		return nil, nil, err
	}
	lists := []string{smtp}
	if g.Sign {
		lists = append(lists, submitted)
	}
	changes, err = p.changes(ctx, lists, func(old string) (string, error) { return put(old, g.entry(), g.is) })
	if err != nil {
		return nil, nil, err
	}
	return changes, p.overrides(ctx), nil
}

// EnableNew is Enable for a Postfix that is not here: one without other milters.
func EnableNew(g Gate) []Change {
	changes := []Change{{Name: smtp, New: g.entry()}}
	if g.Sign {
		changes = append(changes, Change{Name: submitted, New: g.entry()})
	}
	return changes
}

// Disable says what to change so that Postfix does not ask the gate.
func (p Postfix) Disable(ctx context.Context, g Gate) ([]Change, error) {
	if err := p.version(ctx); err != nil {
		return nil, err
	}
	if near, err := p.reachable(ctx, g.Address); err == nil {
		g.Address = near
	}
	return p.changes(ctx, []string{smtp, submitted}, func(old string) (string, error) { return take(old, g.is) })
}

func (p Postfix) changes(ctx context.Context, names []string, edit func(string) (string, error)) ([]Change, error) {
	var changes []Change
	for _, name := range names {
		old, err := p.get(ctx, name)
		if err != nil {
			return nil, err
		}
		value, err := edit(old)
		if err != nil {
			return nil, fmt.Errorf("main.cf: %s = %s: %w; mend it first", name, old, err)
		}
		if value == old {
			continue
		}
		set, err := p.run(ctx, "postconf", "-n", name)
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{name, old, value, strings.TrimSpace(set) != ""})
	}
	return changes, nil
}

// version refuses a Postfix that does not know settings for one milter: before 3.0.
func (p Postfix) version(ctx context.Context) error {
	v, err := p.get(ctx, "mail_version")
	if err != nil {
		return err
	}
	major, _, _ := strings.Cut(v, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 3 {
		return fmt.Errorf("this is Postfix %s; 3.0 or later is needed, or write main.cf by hand: docs/postfix.md", v)
	}
	return nil
}

// reachable is the address as Postfix's smtpd finds it. A socket below the queue directory is named from there: that is right in a
// chroot and outside (MILTER_README). One elsewhere cannot be seen from a chroot.
func (p Postfix) reachable(ctx context.Context, address string) (string, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix || !strings.HasPrefix(path, "/") {
		return address, nil
	}
	queue, err := p.get(ctx, "queue_directory")
	if err != nil {
		return "", err
	}
	if below, err := filepath.Rel(queue, path); err == nil && filepath.IsLocal(below) {
		return "unix:" + below, nil
	}
	services, err := p.run(ctx, "postconf", "-M", "smtp/inet")
	if err != nil {
		return "", err
	}
	if fields := strings.Fields(services); len(fields) >= 5 && fields[4] == "y" {
		return "", fmt.Errorf("smtpd runs in a chroot and cannot see %s; let the gate listen on a socket below %s", path, queue)
	}
	return address, nil
}

// overrides notes the services of master.cf that have milters of their own, which main.cf does not change.
func (p Postfix) overrides(ctx context.Context) []string {
	out, err := p.run(ctx, "postconf", "-P", "*/*/"+smtp)
	if err != nil {
		return nil
	}
	var notes []string
	for line := range strings.Lines(out) {
		if service, value, found := strings.Cut(strings.TrimSpace(line), "/"+smtp); found {
			notes = append(notes, fmt.Sprintf("master.cf: %s has %s%s of its own, which stays", service, smtp, value))
		}
	}
	return notes
}

func (p Postfix) get(ctx context.Context, name string) (string, error) {
	out, err := p.run(ctx, "postconf", "-h", name)
	return strings.TrimSpace(out), err
}

// Apply makes the changes, has Postfix look at its configuration, and puts everything back if that finds fault. It tells whether
// Postfix runs and so took them up.
func (p Postfix) Apply(ctx context.Context, changes []Change) (running bool, err error) {
	for i, c := range changes {
		if _, err := p.run(ctx, "postconf", "-e", c.Name+" = "+c.New); err != nil {
			return false, errors.Join(err, p.undo(ctx, changes[:i]))
		}
	}
	if _, err := p.run(ctx, "postfix", "check"); err != nil {
		return false, errors.Join(fmt.Errorf("%w; main.cf is as it was", err), p.undo(ctx, changes))
	}
	if _, err := p.run(ctx, "postfix", "status"); err != nil {
		return false, nil
	}
	_, err = p.run(ctx, "postfix", "reload")
	return true, err
}

func (p Postfix) undo(ctx context.Context, changes []Change) error {
	ctx = context.WithoutCancel(ctx)
	for _, c := range slices.Backward(changes) {
		args := []string{"-e", c.Name + " = " + c.Old}
		if !c.set {
			args = []string{"-X", c.Name}
		}
		if _, err := p.run(ctx, "postconf", args...); err != nil {
			return fmt.Errorf("and main.cf could not be put back: %w", err)
		}
	}
	return nil
}

// run runs one of Postfix's commands. Its error is the last thing that the command said.
func (p Postfix) run(ctx context.Context, name string, args ...string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // which is not in everybody's PATH
	}
	if err != nil {
		return "", ErrNone
	}
	if p.ConfigDir != "" {
		args = append([]string{"-c", p.ConfigDir}, args...)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(errs.String())
		said = said[strings.LastIndexByte(said, '\n')+1:]
		if said == "" { // without a terminal they speak to the mail log alone
			said = err.Error() + "; the mail log says why"
		}
		return "", fmt.Errorf("%s %s: %s", name, strings.Join(args, " "), said)
	}
	return out.String(), nil
}
