package dashboard

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// mostQuestions is how many questions that anybody can make up one person may ask within a minute. Those whose answers are there count
// for nothing.
const mostQuestions = 10

// offeredDays are the periods that pages lead to. Others are made up.
var offeredDays = []int{7, 30, 90, 365, mostReportsDays}

// mayAsk bounds how much one person has worked out: each question that is new takes its time.
func (d *Desk) mayAsk(who *people.Access, key string) error {
	if d.Answers.Has(key) || d.questions.take(who, key, mostQuestions, time.Now()) {
		return nil
	}
	return invalid("", "You asked %d new questions within a minute, and each takes its time to answer. Wait a minute, and ask again.", mostQuestions)
}

// mayAskDays bounds how many periods that no page offers one person asks about.
func (d *Desk) mayAskDays(who *people.Access, n int) error {
	if slices.Contains(offeredDays, n) {
		return nil
	}
	return d.mayAsk(who, fmt.Sprint("days ", n))
}
