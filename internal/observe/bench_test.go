package observe

import (
	"testing"
	"time"
)

// What mail pays: sixteen sessions record at once, while the background writes to SQLite.
func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name string
		way  Sync
		shut bool
	}{{"store", SyncSecond, false}, {"away", SyncSecond, true}, {"each", SyncEach, false}} {
		b.Run(c.name, func(b *testing.B) {
			d := newDoor(b)
			d.shut.Store(c.shut)
			r := start(b, b.TempDir(), Options{Store: d, Sync: c.way, MaxBytes: 64 << 30, interval: time.Second})
			m := decision(7)
			b.ReportAllocs()
			b.SetParallelism(8) // of two processors, sixteen
			b.ResetTimer()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					r.Record(m)
				}
			})
		})
	}
}
