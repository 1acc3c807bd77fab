//go:build linux

package reports

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store/pgtest"
)

// Two nodes share a PostgreSQL. They believe that they are the same node, so that no lease keeps one of them from the mailbox while the
// other fetches from it: whatever leases do, nothing may be lost or count twice.
func TestNoReportIsLostAndNoneCountsTwiceWhenNodesAndPostgreSQLAreKilled(t *testing.T) {
	t.Parallel()
	r, n := dice(t), kills(t, 12)
	server := pgtest.New(t)
	s := setScene(t, 2, server.Database(t)+"?connect_timeout=2")
	for _, gate := range s.nodes {
		if err := os.MkdirAll(gate.state, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(gate.state, "node"), "one and the same\n")
	}
	w := newWorld(r, n*reportsPerKill)
	f := startFeeders(t, s, len(w.parcels))
	for _, gate := range s.nodes {
		gate.launch(t)
	}
	for _, gate := range s.nodes {
		gate.wait(t)
	}
	began, killed := time.Now(), map[string]int{}
	for i := range n {
		f.give(w.parcels[i*len(w.parcels)/n : (i+1)*len(w.parcels)/n])
		f.moment(r)
		gate := s.nodes[r.IntN(len(s.nodes))]
		switch r.IntN(8) {
		case 0, 1, 2:
			killed["PostgreSQL"]++
			server.Kill()
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			server.Start(t)
		case 3: // both at once
			killed["both"]++
			gate.kill()
			server.Kill()
			gate.launch(t) // while the database is away
			time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
			server.Start(t)
			gate.wait(t)
		case 4:
			killed["a node, by SIGTERM"]++
			gate.terminate(t)
			gate.start(t)
		default:
			killed["a node"]++
			gate.kill()
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
			gate.start(t)
		}
	}
	took := time.Since(began)
	s.taken(t, f)
	t.Logf("killed %v in %v, %v in all; %d parcels acknowledged, %d asked to come again, %d connections broken", killed,
		took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), f.acknowledged.Load(), f.refused.Load(), f.broken.Load())
	for _, gate := range s.nodes {
		gate.terminate(t)
	}
	if again := w.check(t, s); again == 0 && n >= 100 {
		t.Error("nothing was offered again after it was in the store: the test shows nothing")
	}
}
