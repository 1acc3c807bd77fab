//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// A gate is the running program.
type gate struct {
	process *lab.Process
	filters []mta.Filter // over TCP and a Unix socket
	config  string       // the file's path
	text    string
	metrics string // where the figures are served; empty if this build does not
	log     watcher
	reloads int
}

// eventually gives something that begins beside others time to begin.
func eventually(try func() error) error {
	err := try()
	for range 50 {
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
		err = try()
	}
	return err
}

// configuration is all there is to know here of the gate's settings: those that every build has, and those that it may not have yet.
func configuration(dir, address, metrics, dns string) (base string, optional []string) {
	base = fmt.Sprintf("listen = [%q, %q]\nauthserv_id = %q\nresolver.servers = [%q]\n", address, "unix:"+filepath.Join(dir, "socket"), authservID, dns)
	return base, []string{
		fmt.Sprintf("state_dir = %q\n", filepath.Join(dir, "state")),
		fmt.Sprintf("web.listen = [%q]\n", metrics),
	}
}

func startGate(dir, dns string) (*gate, error) {
	program, err := lab.Build(dir)
	if err != nil {
		return nil, err
	}
	address, err := lab.FreeAddress()
	if err != nil {
		return nil, err
	}
	metrics, err := lab.FreeAddress()
	if err != nil {
		return nil, err
	}
	g := &gate{config: filepath.Join(dir, "gatepost.toml")}
	g.filters = []mta.Filter{{Network: "tcp", Address: address}, {Network: "unix", Address: filepath.Join(dir, "socket")}}
	var optional []string
	if g.text, optional = configuration(dir, address, metrics, dns); err != nil {
		return nil, err
	}
	for _, line := range optional {
		if ok, reason := lab.Known(program, dir, g.text+line); !ok {
			fmt.Printf("left out, since this build does not know it (%s)\n", reason)
			continue
		}
		g.text += line
		if strings.Contains(line, metrics) {
			g.metrics = "http://" + metrics + "/metrics"
		}
	}
	if err := os.WriteFile(g.config, []byte(g.text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "serve", "--config", g.config)
	cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1") // tells the heap that is alive, whatever the build
	cmd.Stderr = &g.log
	if g.process, err = lab.StartCommand("gatepost", g.filters[0], cmd, g.log.last); err != nil {
		return nil, err
	}
	if g.metrics != "" {
		if err := eventually(func() error { _, err := scrape(g.metrics); return err }); err != nil {
			fmt.Printf("no metrics, since this build does not serve them: %v\n", err)
			g.metrics = ""
		}
	}
	return g, nil
}

// reload changes something of the configuration that changes no answer. Every fourth file is one that the gate must not take.
func (g *gate) reload() error {
	g.reloads++
	text := g.text
	switch g.reloads % 4 {
	case 1:
		text = "received_spf = true\n" + text
	case 3:
		text = "policy = \"stict\"\n" + text
		g.log.mayComplain.Add(1)
	}
	temporary := g.config + ".new"
	if err := os.WriteFile(temporary, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Rename(temporary, g.config); err != nil {
		return err
	}
	return g.process.Signal(syscall.SIGHUP)
}

// A watcher reads what the gate says: its complaints, and after each garbage collection the size of the heap.
type watcher struct {
	heap        atomic.Int64 // octets
	reloaded    atomic.Int64
	mayComplain atomic.Int64 // files that it is right to complain about
	complaints  atomic.Int64

	mu   sync.Mutex
	rest []byte
	said []string // the first complaints
	tail [20]string
	n    int
}

var collected = regexp.MustCompile(`^gc \d+ .*->(\d+) MB, `)

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rest = append(w.rest, p...)
	for {
		line, rest, found := bytes.Cut(w.rest, []byte("\n"))
		if !found {
			break
		}
		w.line(string(line))
		w.rest = rest
	}
	w.rest = append([]byte(nil), w.rest...)
	return len(p), nil
}

func (w *watcher) line(line string) {
	if m := collected.FindStringSubmatch(line); m != nil {
		mib, _ := strconv.ParseInt(m[1], 10, 64)
		w.heap.Store(mib << 20)
		return
	}
	w.tail[w.n%len(w.tail)] = line
	w.n++
	switch {
	case strings.Contains(line, "configuration read again"):
		w.reloaded.Add(1)
	case strings.Contains(line, "no such preset") && w.mayComplain.Load() > 0:
		w.mayComplain.Add(-1)
	case strings.Contains(line, "level=ERROR"), strings.Contains(line, "panic:"), strings.Contains(line, "fatal error:"):
		w.complaints.Add(1)
		if len(w.said) < 10 {
			w.said = append(w.said, line)
		}
	}
}

func (w *watcher) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for i := range w.tail {
		if line := w.tail[(w.n+i)%len(w.tail)]; line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
