package notice

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/alert"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// What was mended longer ago is told no longer.
const toldFor = 7 * day

// tell tells of the cases that were mended in the last days. It goes by the store, so that what could not be told, or was lost in a crash,
// is told the next time; what was told is known there too.
func (o *Office) tell(ctx context.Context, now time.Time) error {
	if o.Tell == nil {
		return nil
	}
	mended, err := o.Store.Notices(ctx, store.NoticeFilter{States: []string{store.NoticeMended}})
	if err != nil {
		return err
	}
	var all []alert.Alert
	for i := range mended {
		if n := &mended[i]; now.Sub(n.Mended) < toldFor {
			all = append(all, mendedAlert(n))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return o.Tell(ctx, all, now, Quiet)
}

// days says a time for people.
func days(d time.Duration) string {
	if n := int((d + day/2) / day); n != 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "a day"
}

func mendedAlert(n *store.Notice) alert.Alert {
	written := "Nobody was written to."
	for i := range n.Letters {
		if l := &n.Letters[i]; l.State == store.LetterSent {
			written = "The letter went out on " + l.At.UTC().Format(time.DateOnly) + "."
		}
	}
	return alert.Alert{
		Kind: alert.NoticeMended, Domain: n.Domain, Subject: fmt.Sprint("case ", n.ID),
		Title: fmt.Sprintf("%s: mended, and the case %d is closed", n.Domain, n.ID),
		Text: outbox.Plain(fmt.Sprintf("What is gone: %s. %s It took %s.", strings.ReplaceAll(strings.Join(n.Faults, ", "), seenInMail, ""), written,
			days(n.Mended.Sub(n.Opened))), longestValue),
	}
}
