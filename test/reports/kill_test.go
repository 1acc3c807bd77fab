//go:build linux

package reports

import (
	"math/rand/v2"
	"testing"
	"time"
)

// reportsPerKill keeps every feeder busy while the program is up.
const reportsPerKill = 25

// moment waits until something was acknowledged, or for half a second, and then a little longer.
func (f *feeders) moment(r *rand.Rand) {
	before := f.acknowledged.Load()
	for end := time.Now().Add(500 * time.Millisecond); f.acknowledged.Load() == before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	most := 290
	if r.IntN(2) == 0 {
		most = 60
	}
	time.Sleep(time.Duration(r.IntN(most)) * time.Millisecond)
}

func TestNoReportIsLostAndNoneCountsTwiceWhenGatepostIsKilled(t *testing.T) {
	t.Parallel()
	r, n := dice(t), kills(t, 40)
	s := setScene(t, 1, "")
	w := newWorld(r, n*reportsPerKill)
	f := startFeeders(t, s, len(w.parcels))
	gate := s.nodes[0]
	gate.start(t)
	began := time.Now()
	for i := range n {
		f.give(w.parcels[i*len(w.parcels)/n : (i+1)*len(w.parcels)/n])
		f.moment(r)
		if r.IntN(8) == 0 {
			gate.terminate(t)
		} else {
			gate.kill()
		}
		if r.IntN(5) == 0 { // it is killed while it starts
			gate.launch(t)
			time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
			gate.kill()
		}
		gate.start(t)
	}
	killed := time.Since(began)
	s.taken(t, f)
	t.Logf("%d times killed in %v, %v in all; %d parcels acknowledged, %d asked to come again, %d connections broken", n,
		killed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond), f.acknowledged.Load(), f.refused.Load(), f.broken.Load())
	if f.broken.Load() == 0 {
		t.Error("no sender met a gatepost that was away: the test shows nothing")
	}
	gate.terminate(t)
	if again := w.check(t, s); again == 0 && n >= 100 {
		t.Error("nothing was offered again after it was in the store: the test shows nothing")
	}
}
