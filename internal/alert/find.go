package alert

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A share of few messages says nothing.
const enough = 50

const silentNews = 7 * oneDay

// find looks for what is to be told of a domain. Its period is the window, and its days are those of the baseline too.
func (c *Config) find(d *insight.Domain) []Alert {
	var all []Alert
	add := func(kind Kind, subject, title, text string) {
		all = append(all, Alert{Kind: kind, Domain: d.Name, Subject: subject, Title: title, Text: text})
	}
	if c.NewSource > 0 {
		for i := range d.Groups {
			if g := &d.Groups[i]; g.New && g.Messages >= c.NewSource {
				title := fmt.Sprintf("%s: a new source, %s", d.Name, name(g.Name))
				text := fmt.Sprintf("%s messages since %s, of which %s passed. %s", insight.Number(g.Messages), insight.Date(g.First),
					insight.Percent(insight.Share(g.Figures)), g.Class.Reason)
				if g.Class.Advice != "" {
					text += " " + g.Class.Advice
				}
				add(NewSource, g.Key, title, text)
			}
		}
	}
	if title, text := c.drop(d); title != "" {
		add(PassRateDrops, "", title, text)
	}
	if c.SilentReporter {
		for _, r := range d.Silent {
			if len(d.Days) == 0 || d.Days[len(d.Days)-1].Day.Sub(r.Since) > silentNews {
				continue // whoever begins to be told of alerts need not be told of what was before
			}
			add(SilentReporter, r.Name, fmt.Sprintf("%s: %s fell silent", d.Name, name(r.Name)),
				fmt.Sprintf("It sent %s reports in the last months, about every %s, and none of any day since %s.", insight.Number(r.Reports),
					days(r.Usual), insight.Date(r.Last)))
		}
	}
	if c.PolicyDiffers && len(d.Policy.Differs) > 0 {
		var subject, seen []string
		for _, diff := range d.Policy.Differs {
			subject = append(subject, fmt.Sprintf("%s=%s/%s", diff.Tag, diff.Published, diff.Seen))
			seen = append(seen, fmt.Sprintf("%s=%s", diff.Tag, name(diff.Seen)))
		}
		first := d.Policy.Differs[0]
		add(PolicyDiffers, strings.Join(subject, " "), fmt.Sprintf("%s: reporters see another policy than is published", d.Name),
			fmt.Sprintf("Published is %s; reporters saw %s, last on %s. If it was changed lately, they will follow; else look at what each of your name servers says.",
				d.Policy.Published, strings.Join(seen, " "), insight.Date(first.Last)))
	}
	return all
}

func days(d time.Duration) string {
	if n := int((d + 12*time.Hour) / (24 * time.Hour)); n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "day"
}

// drop compares the share that passed in the window with that before.
func (c *Config) drop(d *insight.Domain) (title, text string) {
	if c.PassRateDrops <= 0 || len(d.Days) <= window {
		return "", ""
	}
	var before store.Figures
	for _, day := range d.Days[:len(d.Days)-window] {
		before.Messages += day.Messages()
		before.Passed += day.Passed
	}
	was, is := insight.Share(before), insight.Share(d.Now)
	if before.Messages < enough || d.Now.Messages < enough || was-is < float64(c.PassRateDrops) {
		return "", ""
	}
	text = fmt.Sprintf("Of %s messages in the last %d days %s passed; in the %d days before it was %s.", insight.Number(d.Now.Messages), window,
		insight.Percent(is), baseline, insight.Percent(was))
	var worst *insight.Group
	for i := range d.Groups {
		if g := &d.Groups[i]; worst == nil || g.Failed() > worst.Failed() {
			worst = g
		}
	}
	if worst != nil && worst.Failed() > 0 {
		text += fmt.Sprintf(" Most of what failed, %s messages, came from %s: %s", insight.Number(worst.Failed()), name(worst.Name), worst.Class.Reason)
		if worst.Class.Advice != "" && worst.Class.Kind != senders.Abuse {
			text += " " + worst.Class.Advice
		}
	}
	return fmt.Sprintf("%s: less mail passes, %s", d.Name, insight.Percent(is)), text
}

// unread counts what came and could not be read. It remembers what it looked at, so that it need not go through all of it each time.
type unread struct {
	after int64       // an ID
	times []time.Time // of the last day
	why   string
}

const oneDay = 24 * time.Hour

func (r *Runner) unreadReports(ctx context.Context, now time.Time) ([]Alert, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := &r.unread
	for raw, err := range r.Store.Raws(ctx, store.RawFilter{Refusals: true, After: u.after}) {
		if err != nil {
			return nil, err
		}
		u.after = max(u.after, raw.ID)
		if now.Sub(raw.At) < oneDay && len(raw.Refusals) > 0 && !intake.IsSettled(raw.Refusals) {
			u.times, u.why = append(u.times, raw.At), raw.Refusals[len(raw.Refusals)-1]
		}
	}
	for len(u.times) > 0 && now.Sub(u.times[0]) >= oneDay {
		u.times = u.times[1:]
	}
	n := int64(len(u.times))
	if n < r.Config.UnreadReports {
		return nil, nil
	}
	return []Alert{{Kind: UnreadReports, Title: fmt.Sprintf("%s reports could not be read", insight.Number(n)),
		Text: fmt.Sprintf("%s of what came in the last day could not be read, or not all of it. It is kept, and \"gatepost reports reparse\" reads it again. The last reason: %s",
			insight.Number(n), name(u.why))}}, nil
}

// line is a text as a letter says it.
func line(s string) string { return outbox.Plain(s, 1000) }

// name is one that a stranger chose, short.
func name(s string) string { return outbox.PlainName(s, 100) }
