package dashboard

import (
	"context"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// AuditLogIn asks for lines of the audit log.
type AuditLogIn struct {
	Before int64 `query:"before" minimum:"0" doc:"Only lines older than the one with this id"`
	Limit  int   `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"The last so many"`
}

// AuditLog is a part of the audit log, the latest first.
type AuditLog struct {
	Events []people.Event `json:"events"`
	Older  int64          `json:"older,omitempty"` // what to ask for before, for those that come next; 0: there are none
	Newest bool           `json:"newest"`          // nothing later is left out
}

const mostLog = 1000

// AuditLog shows the audit log.
func (d *Desk) AuditLog(ctx context.Context, _ *people.Access, in *AuditLogIn) (*AuditLog, error) {
	limit := in.Limit
	if limit == 0 {
		limit = 100
	}
	if limit < 1 || limit > mostLog {
		return nil, invalid("limit", "Ask for 1 to %d lines.", mostLog)
	}
	if in.Before < 0 {
		return nil, invalid("before", "No line has such an id.")
	}
	events, err := d.Store.Events(ctx, in.Before, limit+1)
	if err != nil {
		return nil, err
	}
	answer := &AuditLog{Events: append([]people.Event{}, events...), Newest: in.Before == 0}
	if len(events) > limit {
		answer.Events = answer.Events[:limit]
		answer.Older = answer.Events[limit-1].ID
	}
	return answer, nil
}

// Tables has the lines.
func (l *AuditLog) Tables() []Table {
	return []Table{{
		Name: "log", Columns: []string{"time", "who", "address", "what", "about", "detail"},
		Rows: func(yield func([]string) bool) {
			for _, e := range l.Events {
				if !yield([]string{stamp(e.At), e.Who, e.Address, e.What, e.About, e.Detail}) {
					return
				}
			}
		},
	}}
}
