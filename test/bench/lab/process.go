// Package lab is what the measurements share: processes and what the kernel says of them, a DNS server on loopback, and mail.
package lab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A Process is a program that was started, with those that it starts in its turn.
type Process struct {
	Name   string
	Log    func() string // the end of what it said
	Err    error         // how it ended, once it has
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start runs a program, with its output in a file of that directory, and waits until it listens.
func Start(dir, name string, listens mta.Filter, program string, args ...string) (*Process, error) {
	log := filepath.Join(dir, name+".out")
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, out
	p := &Process{Name: name, cmd: cmd, exited: make(chan struct{}), Log: func() string {
		text, _ := os.ReadFile(log)
		return string(bytes.TrimSpace(text[max(0, len(text)-2000):]))
	}}
	return p, p.start(listens)
}

// StartCommand runs a program whose output somebody listens to.
func StartCommand(name string, listens mta.Filter, cmd *exec.Cmd, log func() string) (*Process, error) {
	p := &Process{Name: name, cmd: cmd, exited: make(chan struct{}), Log: log}
	return p, p.start(listens)
}

func (p *Process) start(listens mta.Filter) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() { defer close(p.exited); p.Err = p.cmd.Wait() }()
	if err := p.await(listens); err != nil {
		p.Stop()
		return err
	}
	return nil
}

const startTime = 30 * time.Second

func (p *Process) await(f mta.Filter) error {
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		if conn, err := net.Dial(f.Network, f.Address); err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %s", p.Name, p.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not listen on %s after %v: %s", p.Name, f.Address, startTime, p.Log())
}

// PID is the program's own process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal to the program.
func (p *Process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Running is false once the program has ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Terminate asks the program to end, and is false where it did not within that time.
func (p *Process) Terminate(limit time.Duration) bool {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return true
	case <-time.After(limit):
		return false
	}
}

// Stop ends the program, gently at first, and all that it started.
func (p *Process) Stop() {
	p.Terminate(5 * time.Second)
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// Tree is the process and all that descend from it.
func (p *Process) Tree() []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if fields, err := stat(pid); err == nil {
			parent, _ := strconv.Atoi(string(fields[1]))
			children[parent] = append(children[parent], pid)
		}
	}
	tree := []int{p.PID()}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree
}

// FreeAddress is one on loopback that nobody listens on.
func FreeAddress() (string, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// Build compiles the program that is measured, and gives its path.
func Build(dir string) (string, error) {
	program := filepath.Join(dir, "gatepost")
	build := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/gatepost-mail/gatepost/cmd/gatepost")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New("go build: " + string(bytes.TrimSpace(out)))
	}
	return program, nil
}

// Known asks the gate whether it has every key of a configuration; if not, it gives what it says.
func Known(program, dir, config string) (bool, string) {
	file := filepath.Join(dir, "check.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return false, err.Error()
	}
	out, err := exec.Command(program, "serve", "--check", "--config", file).CombinedOutput()
	return err == nil, string(bytes.TrimSpace(out))
}
