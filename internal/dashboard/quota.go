package dashboard

import (
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// A quota bounds how much each person asks for within a minute. Its zero value bounds nobody who asked for nothing yet.
type quota struct {
	mu    sync.Mutex
	asked map[string][]recentAsk // by person
}

// A recentAsk is what somebody asked for.
type recentAsk struct {
	what string
	at   time.Time
}

const (
	quotaTime   = time.Minute
	quotaPeople = 10_000 // that are remembered; with more, all are forgotten
)

// take counts what somebody asks for, and tells whether it is among the most that they may. Whoever asks for the same again asks for no
// more; what has no name is never the same.
func (q *quota) take(who *people.Access, what string, most int, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.asked == nil || len(q.asked) > quotaPeople {
		q.asked = map[string][]recentAsk{}
	}
	recent := slices.DeleteFunc(q.asked[who.Asker()], func(x recentAsk) bool { return now.Sub(x.at) > quotaTime })
	same := what != "" && slices.ContainsFunc(recent, func(x recentAsk) bool { return x.what == what })
	may := same || len(recent) < most
	if may && !same {
		recent = append(recent, recentAsk{what, now})
	}
	q.asked[who.Asker()] = recent
	return may
}
