package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
)

// numbered is a batch in which every message has a row of its own.
func numbered(source string, number int64) store.Batch {
	b := store.Batch{Source: source, Number: number}
	for n := range 20 {
		d := message(int(number)*20 + n)
		d.Reference = fmt.Sprint(source, ".", number, ".", n)
		b.Decisions = append(b.Decisions, d)
		b.Counts = append(b.Counts, store.Count{Observation: store.Observe(&d), Count: 1})
	}
	return b
}

// holdsAll holds a store to having each message of so many batches of each source once.
func holdsAll(t *testing.T, s store.Store, sources []string, batches int) {
	t.Helper()
	found, err := s.Decisions(t.Context(), store.DecisionFilter{Limit: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	last := map[string]int{}
	for _, d := range found {
		seen[d.Reference]++
		var number, n int
		source, rest, _ := strings.Cut(d.Reference, ".")
		fmt.Sscanf(rest, "%d.%d", &number, &n)
		if at := number*100 + n; at <= last[source] {
			t.Errorf("%s came after %d", d.Reference, last[source])
		} else {
			last[source] = at
		}
	}
	for _, source := range sources {
		for number := 1; number <= batches; number++ {
			for n := range 20 {
				if r := fmt.Sprint(source, ".", number, ".", n); seen[r] != 1 {
					t.Errorf("%s is there %d times", r, seen[r])
				}
			}
		}
	}
	sum := int64(0)
	for n, err := range s.Observations(t.Context(), store.ObservationFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		sum += n.Count
	}
	if want := int64(len(sources) * batches * 20); sum != want || int64(len(found)) != want {
		t.Errorf("%d decisions and %d messages counted, want %d", len(found), sum, want)
	}
}

func TestAPostgreSQLThatIsKilledAgainAndAgainLosesNothingAndCountsNothingTwice(t *testing.T) {
	server := pgtest.New(t)
	address := server.Database(t)
	const batches = 40
	sources := []string{"a", "b", "c"}
	var all sync.WaitGroup
	var failed atomic.Int64
	for _, source := range sources {
		all.Go(func() {
			k := store.Keep(address, store.Options{Create: true})
			defer k.Close()
			for number := int64(1); number <= batches; {
				_, late := k.AddArrivals(t.Context(), []store.Arrival{arrival(source, number)})
				if err := errors.Join(late, k.AddBatch(t.Context(), numbered(source, number))); err != nil {
					if failed.Add(1); t.Context().Err() != nil {
						return
					}
					time.Sleep(10 * time.Millisecond)
					continue
				}
				number++
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	kills := 0
	for over := false; !over; {
		select {
		case <-done:
			over = true
		case <-time.After(time.Duration(100+100*kills) * time.Millisecond):
			server.Kill()
			server.Start(t)
			kills++
		}
	}
	t.Logf("killed %d times; %d attempts failed", kills, failed.Load())
	if kills < 2 || failed.Load() == 0 {
		t.Errorf("killed %d times, and %d attempts failed: it was no test", kills, failed.Load())
	}
	s := opened(t, address, store.Options{})
	holdsAll(t, s, sources, batches)
	reports, err := s.Reports(t.Context(), store.ReportFilter{Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	days, err := s.ReportDays(t.Context(), store.Question{})
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, d := range days {
		sum += d.Messages
	}
	if want := len(sources) * batches; len(reports) != want || sum != 3*int64(want) {
		t.Errorf("%d reports with %d messages, want %d with %d", len(reports), sum, want, 3*want)
	}
}

// arrival is a report of three messages.
func arrival(source string, number int64) store.Arrival {
	text := fmt.Sprint(source, ".", number)
	row := store.Row{SourceIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(number)}), Count: 3, DKIM: "pass", HeaderFrom: "example.com"}
	return store.Arrival{
		Raw: store.Raw{Hash: sha256.Sum256([]byte(text)), Size: int64(len(text)), At: message(0).Time,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }},
		Reports: []store.Report{{Kind: store.Aggregate, Reporter: "Example Inc.", ReportID: text, Domain: "example.com", Content: sha256.Sum256([]byte(text)),
			Begin: message(0).Time, End: message(0).Time, Document: json.RawMessage("{}"), Rows: storetest.Rows(row)}},
	}
}

// A deaf proxy hands on what a client says, and closes the connection in place of the answer to what it is told to.
type deaf struct {
	listener net.Listener
	server   string
	cut      atomic.Bool // the next commit
}

func newDeaf(t *testing.T, server string) *deaf {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &deaf{listener: l, server: server}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(client)
		}
	}()
	return d
}

func (d *deaf) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp4", d.server)
	if err != nil {
		return
	}
	defer server.Close()
	var silent atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || silent.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("commit\x00")) && d.cut.CompareAndSwap(true, false) {
			silent.Store(true)
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

func TestABatchWhoseCommitWasNotHeardOfIsKnownByItsNumber(t *testing.T) {
	server := pgtest.Shared(t)
	address := server.Database(t)
	port := fmt.Sprintf(":%d/", server.Port())
	proxy := newDeaf(t, "127.0.0.1"+strings.TrimSuffix(port, "/"))
	_, proxied, _ := net.SplitHostPort(proxy.listener.Addr().String())
	k := store.Keep(strings.Replace(address, port, ":"+proxied+"/", 1)+"?sslmode=disable", store.Options{Create: true})
	defer k.Close()
	const batches = 10
	for number := int64(1); number <= batches; number++ {
		proxy.cut.Store(true)
		if err := k.AddBatch(t.Context(), numbered("a", number)); number > 1 && (err == nil || !strings.Contains(err.Error(), "connection")) {
			t.Errorf("batch %d: %v", number, err)
		}
		proxy.cut.Store(false)
		for range 2 {
			if err := k.AddBatch(t.Context(), numbered("a", number)); err != nil {
				t.Errorf("batch %d again: %v", number, err)
			}
		}
	}
	holdsAll(t, opened(t, address, store.Options{}), []string{"a"}, batches)
}

func TestAConnectionThatTheServerEndedIsMadeAnew(t *testing.T) {
	server := pgtest.Shared(t)
	s := opened(t, server.Database(t), store.Options{Create: true})
	for number := int64(1); number <= 3; number++ {
		_ = s.AddBatch(t.Context(), numbered("a", number))
		if err := s.AddBatch(t.Context(), numbered("a", number)); err != nil {
			t.Errorf("batch %d: %v", number, err)
		}
		server.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatepost' AND datname NOT IN ('postgres')")
	}
}
