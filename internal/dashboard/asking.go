package dashboard

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// How many questions that anybody can make up one person may ask within a time. Those whose answers are there count for nothing.
const (
	mostQuestions = 10
	questionsIn   = time.Minute
)

// offeredDays are the periods that pages lead to. Others are made up.
var offeredDays = []int{7, 30, 90, 365, mostReportsDays}

// curious keeps who asked what, and when.
type curious struct {
	mu  sync.Mutex
	all map[asking]time.Time
}

type asking struct{ who, key string }

// mayAsk bounds how much one person has worked out: each question that is new takes its time.
func (d *Desk) mayAsk(who *people.Access, key string) error {
	if d.Answers.Has(key) {
		return nil
	}
	now := time.Now()
	c := &d.curious
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.all, func(_ asking, at time.Time) bool { return now.Sub(at) > questionsIn })
	this := asking{who.Asker(), key}
	if _, ok := c.all[this]; ok {
		return nil
	}
	n := 0
	for a := range c.all {
		if a.who == this.who {
			n++
		}
	}
	if n >= mostQuestions {
		return invalid("", "You asked %d new questions within a minute, and each takes its time to answer. Wait a minute, and ask again.", n)
	}
	if c.all == nil {
		c.all = map[asking]time.Time{}
	}
	c.all[this] = now
	return nil
}

// mayAskDays bounds how many periods that no page offers one person asks about.
func (d *Desk) mayAskDays(who *people.Access, n int) error {
	if slices.Contains(offeredDays, n) {
		return nil
	}
	return d.mayAsk(who, fmt.Sprint("days ", n))
}
