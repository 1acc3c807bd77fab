//go:build linux

package domain

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/test/named"
)

// watched is a domain that nobody remembers for longer than a second.
const watched = "@ 1 MX 10 mx\n@ 1 TXT \"v=spf1 mx -all\"\n_dmarc 1 TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example.com\"\nmx 1 A 192.0.2.1\n"

// A guard are nodes that watch example.com and share a store, and whom they tell.
type guard struct {
	dns   *named.Tree
	hook  *hook
	store string // its address
	nodes []*node
}

func setGuard(t *testing.T, nodes int, address string) *guard {
	t.Helper()
	g := &guard{dns: named.Grow(t, map[string]named.Zone{"example.com": {Text: watched}}), hook: startHook(t), store: address}
	for range nodes {
		dir, err := os.MkdirTemp("/tmp", "gp-watch-") // a short name: it has sockets in it
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		n := &node{config: filepath.Join(dir, "gatepost.toml")}
		if g.store == "" {
			g.store = filepath.Join(dir, "gatepost.db")
		}
		text := fmt.Sprintf("log.level = \"debug\"\nlisten = [\"unix:%[1]s/milter\"]\nauthserv_id = \"mx.example.org\"\nstate_dir = \"%[1]s/state\"\n[web]\nlisten = []\n"+
			"[store]\nurl = %[2]q\n[resolver]\nservers = [%[3]q]\n[watch]\ndomains = [\"example.com\"]\nevery = \"10m\"\n[alerts]\nwebhook = %[4]q\n",
			dir, g.store, g.dns.Validating, g.hook.URL)
		if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			n.end(syscall.SIGKILL)
			if t.Failed() {
				log, _ := os.ReadFile(n.config + ".log")
				t.Logf("the log of a node:\n%s", log)
			}
		})
		g.nodes = append(g.nodes, n)
	}
	return g
}

// A node is a gatepost that runs, or does not.
type node struct {
	config string
	cmd    *exec.Cmd
}

func (n *node) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(n.config+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.cmd = exec.Command(binary, "serve", "--config", n.config)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (n *node) end(signal syscall.Signal) {
	if n.cmd != nil {
		n.cmd.Process.Signal(signal)
		n.cmd.Wait()
		n.cmd = nil
	}
}

// again ends all nodes, makes it time to look at the domain, starts them, and waits until one of them looked.
func (g *guard) again(t *testing.T, signal syscall.Signal) {
	t.Helper()
	for _, n := range g.nodes {
		n.end(signal)
	}
	g.look(t)
}

// look starts all nodes, and waits until one of them looked at the domain.
func (g *guard) look(t *testing.T) {
	t.Helper()
	s, err := store.Open(t.Context(), g.store, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	audit := func() (p store.Published) {
		all, err := s.Published(t.Context(), "example.com")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Kind == "audit" && p.Present {
				return p
			}
		}
		return p
	}
	due := time.Now().Add(-time.Hour)
	if last := audit(); last.Present {
		if err := s.SeePublished(t.Context(), "example.com", []store.Published{last}, due); err != nil {
			t.Fatal(err)
		}
	}
	ended := g.ended()
	for _, n := range g.nodes {
		n.start(t)
	}
	waitFor(t, "a look at the domain", func() bool { return audit().Last.After(due.Add(time.Minute)) && g.ended() > ended })
	time.Sleep(500 * time.Millisecond) // until the store knows too that the job was done: by a kill before that it is another's only in minutes
}

// ended is how often a node did the job to its end, or failed to.
func (g *guard) ended() int {
	n := 0
	for _, node := range g.nodes {
		log, _ := os.ReadFile(node.config + ".log")
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "watch") && (strings.Contains(line, "job done") || strings.Contains(line, "job failed")) {
				n++
			}
		}
	}
	return n
}

// A hook takes alerts, or does not.
type hook struct {
	*httptest.Server

	mu      sync.Mutex
	refuses bool
	refused int
	told    []alert.Alert
}

func startHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// ServeHTTP implements http.Handler.
func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuses {
		h.refused++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var a alert.Alert
	body, _ := io.ReadAll(r.Body)
	if json.Unmarshal(body, &a) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.told = append(h.told, a)
}

// refuse has it take no more alerts, or take them again.
func (h *hook) refuse(refuses bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuses = refuses
}

func (h *hook) count() (told, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.told), h.refused
}

// patience is what no machine needs that is alive.
const patience = 5 * time.Minute

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// weaken has the domain ask for less, and gives what that is.
func (g *guard) weaken(t *testing.T) string {
	t.Helper()
	const record = "v=DMARC1; p=none; rua=mailto:dmarc@example.com"
	g.dns.Authority.Replace(t, "example.com", "_dmarc.example.com. 1 TXT \""+record+"\"")
	resolver := dns.NewClient(dns.ClientOptions{Servers: []string{g.dns.Validating}, CacheEntries: -1})
	waitFor(t, "the resolver to see it", func() bool {
		a, err := resolver.Lookup(t.Context(), "_dmarc.example.com", dns.TypeTXT)
		return err == nil && slices.Equal(a.TXT, []string{record})
	})
	return record
}

// once looks at what was told.
func (g *guard) once(t *testing.T, record string) {
	t.Helper()
	g.hook.mu.Lock()
	defer g.hook.mu.Unlock()
	if len(g.hook.told) != 1 {
		t.Fatalf("told %d times, want once: %+v", len(g.hook.told), g.hook.told)
	}
	if a := g.hook.told[0]; a.Kind != alert.PolicyWeaker || a.Domain != "example.com" || !strings.Contains(a.Text, record) || !strings.Contains(a.Text, "p=reject") {
		t.Errorf("told %+v", a)
	}
}

func TestAWeakerPolicyIsToldOnceThoughTheWatcherIsKilled(t *testing.T) {
	t.Parallel()
	g := setGuard(t, 1, "")
	g.look(t)
	record := g.weaken(t)
	g.hook.refuse(true)
	g.again(t, syscall.SIGTERM)
	waitFor(t, "an alert that is refused", func() bool { _, refused := g.hook.count(); return refused > 0 })
	g.nodes[0].end(syscall.SIGKILL)
	g.hook.refuse(false)
	g.again(t, syscall.SIGKILL)
	waitFor(t, "the alert", func() bool { told, _ := g.hook.count(); return told > 0 })
	g.again(t, syscall.SIGTERM)
	g.nodes[0].end(syscall.SIGTERM) // what it began to tell it ends
	g.once(t, record)
}

func TestTwoNodesTellOfAWeakerPolicyOnceThoughBothAreKilled(t *testing.T) {
	t.Parallel()
	g := setGuard(t, 2, pgtest.Database(t))
	g.look(t)
	record := g.weaken(t)
	g.again(t, syscall.SIGKILL)
	waitFor(t, "the alert", func() bool { told, _ := g.hook.count(); return told > 0 })
	g.again(t, syscall.SIGTERM)
	for _, n := range g.nodes {
		n.end(syscall.SIGTERM)
	}
	g.once(t, record)
}
