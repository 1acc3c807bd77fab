package imap

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
)

// A proxy stands between an input and its server and cuts each connection after some bytes of what the server sends.
type proxy struct {
	to    string
	l     net.Listener
	after func() int64
	cuts  atomic.Int64
}

func newProxy(t *testing.T, to string, after func() int64) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{to: to, l: l, after: after}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	go io.Copy(server, client)
	if n, _ := io.CopyN(client, server, p.after()); n > 0 {
		p.cuts.Add(1)
	}
}

func TestAConnectionThatIsCutAnywhereLosesAndDoublesNothing(t *testing.T) {
	a := accountOf(t, server(t, ""))
	const n = 100
	for i := range n {
		a.deliver("INBOX", mail(fmt.Sprint("report ", i)))
	}
	p := newProxy(t, a.d.Plain, func() int64 { return 500 + rand.Int64N(6000) })
	a.o.TLS, a.o.Address = Plain, p.l.Addr().String()
	a.o.backoff = inbox.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond}
	im := &inboxtest.Importer{Batch: 3}
	in := run(t, a.o, im)
	until(t, "all are moved", func() bool { return in.State().Waiting == 0 && len(a.seen("INBOX")) == 0 })
	t.Logf("%d messages offered over %d connections", im.Count(), p.cuts.Load())
	if im.New() != n {
		t.Errorf("%d of %d messages are new", im.New(), n)
	}
	if done := a.seen("Gatepost-Done"); len(done) != n {
		t.Errorf("%d of %d messages are in Gatepost-Done", len(done), n)
	}
	if p.cuts.Load() < 5 {
		t.Error("the connection was hardly cut")
	}
	for _, taken := range im.Taken() {
		if len(taken.Body) < len(mail("report 0")) {
			t.Errorf("%s was taken in cut off: %q", taken.Item.Name, taken.Body)
		}
	}
}

// fill makes a Maildir of n small mails without going through the server.
func fill(t *testing.T, a *account, n int) {
	t.Helper()
	dir := filepath.Join(a.home, "Maildir")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{a.home, dir, filepath.Join(dir, "cur"), filepath.Join(dir, "new"), filepath.Join(dir, "tmp")} {
		if err := os.Chown(d, a.d.UID, a.d.GID); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		writeOwned(t, a, fmt.Sprintf("Maildir/new/%d.M%dP1.host", 1700000000+i, i), mail(fmt.Sprint("report ", i)))
	}
}

// peak watches how much memory the program has from the system for the heap and all else.
func peak(t *testing.T) func() uint64 {
	runtime.GC()
	var most atomic.Uint64
	quit, ended := make(chan struct{}), sync.WaitGroup{}
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if now := m.Sys - m.HeapReleased; now > most.Load() {
			most.Store(now)
		}
	}
	ended.Go(func() {
		for {
			look()
			select {
			case <-quit:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() uint64 {
		close(quit)
		ended.Wait()
		look()
		return most.Load()
	}
}

func TestAMailboxOf20000MailsTakesLittleMemory(t *testing.T) {
	const n = 20_000
	a := accountOf(t, server(t, ""))
	fill(t, a, n)
	a.o.After = Flag // on a busy machine Dovecot takes a minute to move as many
	im := &inboxtest.Importer{Batch: 500, Forget: true}
	most := peak(t)
	started := time.Now()
	in := run(t, a.o, im)
	until(t, "all are taken in and moved", func() bool { return im.Count() >= n && in.State().Waiting == 0 && !in.State().LastSuccess.IsZero() })
	got := most()
	t.Logf("%d mails in %v with at most %.1f MiB", im.Count(), time.Since(started).Round(time.Millisecond), float64(got)/(1<<20))
	if im.Count() != n || im.New() != n {
		t.Errorf("%d items, %d new, of %d", im.Count(), im.New(), n)
	}
	if got > 150<<20 {
		t.Errorf("%d MiB were in use", got>>20)
	}
	if err := once(t, a.o, im); err != nil || im.Count() != n {
		t.Errorf("%d were offered again; error %v", im.Count()-n, err)
	}
}
