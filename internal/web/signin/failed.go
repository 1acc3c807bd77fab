package signin

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// Failed sign-ins are in the audit log, but nobody may fill it with them. Those of each user are counted apart, and apart from those of
// nobody that we know: whoever makes many of one kind hides none of another.
const (
	failuresAtOnce = 100
	failureEvery   = 30 * time.Second
)

// failures count what of failed sign-ins was logged, and what was not.
type failures struct {
	mu  sync.Mutex
	all map[int64]*failureCount // by person; 0: nobody that we know
}

type failureCount struct {
	limit *rate.Limiter
	left  int // out of the log, since the line that was written last
}

// count tells whether a failure gets a line, and how many before it got none.
func (f *failures) count(person int64, now time.Time) (left int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = map[int64]*failureCount{}
	}
	c := f.all[person]
	if c == nil {
		c = &failureCount{limit: rate.NewLimiter(rate.Every(failureEvery), failuresAtOnce)}
		f.all[person] = c
	}
	if !c.limit.AllowN(now, 1) {
		c.left++
		return 0, false
	}
	left, c.left = c.left, 0
	return left, true
}

// failed leaves an event of a sign-in that failed. The name that was typed is in it if it is somebody's: others may be passwords that went
// into the wrong field.
func (d *Door) failed(r *http.Request, name, how string) {
	var p people.Person
	if name != "" {
		if found, err := d.Store.PersonByName(r.Context(), name); err == nil {
			p = found
		}
	}
	now := d.Now()
	left, ok := d.failures.count(p.ID, now)
	switch {
	case !ok:
		return
	case left == 1:
		how += "; … and 1 more before it that was not logged"
	case left > 1:
		how += fmt.Sprintf("; … and %d more before it that were not logged", left)
	}
	d.Office.Event(r.Context(), people.Event{At: now, Who: p.Name, Address: d.address(r), What: "sign-in failed", About: p.Name, Detail: how})
}
