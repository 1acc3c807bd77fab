package serve

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// A stoppable proxy hands on what both sides say, until one says a certain thing: then it says nothing any more, and closes nothing.
type stoppable struct {
	mu       sync.Mutex
	at       string
	stopped  chan struct{}
	listener net.Listener
}

func proxyTo(t *testing.T, server, at string) *stoppable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stoppable{listener: l, at: at, stopped: make(chan struct{})}
	t.Cleanup(func() { l.Close() })
	copying := func(to io.Writer, from io.Reader) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			s.mu.Lock()
			if strings.Contains(string(buf[:n]), s.at) {
				close(s.stopped)
				select {} // with the lock
			}
			s.mu.Unlock()
			if err != nil {
				return
			}
			to.Write(buf[:n])
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go func() { copying(up, client); up.Close() }()
			go func() { copying(client, up); client.Close() }()
		}
	}()
	return s
}

// put puts a report into a folder.
func put(t *testing.T, folder string, n int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(n, ".xml")), []byte(aReport(n)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func aReport(n int) string {
	return fmt.Sprintf(`<feedback><report_metadata><org_name>Example</org_name><email>a@example.net</email><report_id>%d</report_id>
<date_range><begin>1763942400</begin><end>1764028799</end></date_range></report_metadata><policy_published><domain>example.com</domain><p>none</p></policy_published>
<record><row><source_ip>192.0.2.%d</source_ip><count>3</count><policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row>
<identifiers><header_from>example.com</header_from></identifiers><auth_results/></record></feedback>`, n, n%250)
}

func TestTheEndDoesNotWaitForAStoreThatSaysNothing(t *testing.T) {
	address := pgtest.Database(t)
	at := address[strings.IndexByte(address, '@')+1 : strings.LastIndexByte(address, '/')]
	p := proxyTo(t, at, "INSERT INTO addresses (ip, ptr, confirmed, asn, as_name, country, service, looked_at)\n\t\t\tVALUES ($1")
	r := prepare(t, "")
	in := filepath.Join(r.dir, "in")
	if err := os.Mkdir(in, 0o700); err != nil {
		t.Fatal(err)
	}
	r.write(t, fmt.Sprintf("[store]\nurl = %q\n[[reports.folder]]\npath = %q\nrescan = \"1s\"\n", strings.Replace(address, at, p.listener.Addr().String(), 1), in))
	r.start(t)
	put(t, in, 1)
	select {
	case <-p.stopped:
	case <-time.After(time.Minute):
		t.Fatal("nothing was found out")
	}
	r.deliver(t)
	began := time.Now()
	r.stop <- syscall.SIGTERM
	select {
	case err := <-r.ended:
		r.ended <- err
	case <-time.After(2 * (drainTimeout + flushTimeout)):
		t.Errorf("it has not ended after %v\n%s", time.Since(began), r.log)
	}
}

func TestTheRecorderSeesToReportsWhereThereAreNoJobs(t *testing.T) {
	c := config.Default()
	s := &Server{running: &state{config: c}}
	var r store.Retention
	if s.retain(&r); r.Failures != time.Duration(c.Reports.FailureAge) || r.ReportRows == 0 || r.Raws == 0 {
		t.Errorf("without jobs: %+v", r)
	}
	r = store.Retention{}
	c.Reports.HTTP.Tokens = "tokens"
	if s.retain(&r); r != (store.Retention{}) {
		t.Errorf("with jobs: %+v", r)
	}
}

func TestWhoDoesNotWaitForTheStoreDoesNotSayThatItIsDown(t *testing.T) {
	w := &watchedStore{kept: store.Keep(filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})}
	defer w.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.AddArrivals(ctx, nil); err == nil {
		t.Error("written all the same")
	}
	if err := w.down(); err != nil {
		t.Errorf("it is down: %v", err)
	}
}
