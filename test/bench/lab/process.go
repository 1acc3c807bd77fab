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
	cmd    *exec.Cmd
	log    string
	exited chan struct{}
}

// Start runs a program, with its output in a file of that directory, and waits until it listens.
func Start(dir, name string, listens mta.Filter, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, log: filepath.Join(dir, name+".out"), exited: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { defer close(p.exited); p.cmd.Wait() }()
	if err := p.await(listens); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
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

// Log is the end of what the program said.
func (p *Process) Log() string {
	text, _ := os.ReadFile(p.log)
	return string(bytes.TrimSpace(text[max(0, len(text)-2000):]))
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

// Stop ends the program, gently at first, and all that it started.
func (p *Process) Stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
	}
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
