//go:build !windows

package observe

import (
	"syscall"
	"testing"
	"time"
)

// What the processor pays for a message, from Record to the row in SQLite.
func BenchmarkWholeWay(b *testing.B) {
	r := start(b, b.TempDir(), Options{Store: newDoor(b), MaxBytes: 64 << 30, interval: 20 * time.Millisecond})
	b.ReportAllocs()
	before := processor()
	for n := range b.N {
		r.Record(decision(n))
		if n%500 == 499 {
			if err := r.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := r.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64((processor()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processor is the time that all threads have had of one.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
