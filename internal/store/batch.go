package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"
)

const (
	noteSource = `INSERT INTO sources (source, number, at) VALUES ($1, $2, $3)
		ON CONFLICT (source) DO UPDATE SET number = excluded.number, at = excluded.at WHERE sources.number < excluded.number`

	countUse = `UPDATE exceptions SET uses = uses + $1, last_used = CASE WHEN last_used < $2 THEN $2 ELSE last_used END WHERE id = $3`
)

// errKnown ends the transaction of a batch that the store has already.
var errKnown = errors.New("known")

// AddBatch is as Store says.
func (d *database) AddBatch(ctx context.Context, b Batch) error {
	if b.Source == "" || b.Number < 1 {
		return fmt.Errorf("store: a batch needs a source and a number from 1: %q, %d", b.Source, b.Number)
	}
	err := d.change(ctx, func(tx *transaction) error {
		run := d.run(ctx)
		res, err := tx.ExecContext(run, noteSource, b.Source, b.Number, time.Now().UnixMicro())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errKnown)
		}
		if err := d.addDecisions(ctx, run, tx, b.Decisions); err != nil {
			return err
		}
		if err := d.addCounts(ctx, run, tx, b.Counts); err != nil {
			return err
		}
		for i, u := range b.Uses {
			if i%patience == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if _, err := tx.ExecContext(run, countUse, u.Count, micros(u.Last), u.Exception); err != nil {
				return err
			}
		}
		return ctx.Err()
	}, need{"observations", daysIn(b.Counts)})
	if errors.Is(err, errKnown) {
		return nil
	}
	return err
}

// patience is how many rows are written before the context is asked.
const patience = 128

var decisionColumns = []string{"id", "time", "reference", "author_domain", "envelope_domain", "verdict", "rule", "document"}

func (d *database) addDecisions(ctx, run context.Context, tx *transaction, decisions []Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	last, err := take(run, tx, "decision", int64(len(decisions)))
	if err != nil {
		return err
	}
	return d.insert(run, tx, "decisions", decisionColumns, decisionRows(ctx, decisions, last-int64(len(decisions))))
}

// decisionRows gives decisions the numbers that follow one.
func decisionRows(ctx context.Context, decisions []Decision, before int64) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		var encoded []byte
		var document bytes.Buffer
		encoder := json.NewEncoder(&document)
		encoder.SetEscapeHTML(false) // a Message-ID is written in < and >
		values := make([]any, len(decisionColumns))
		for i := range decisions {
			if i%patience == 0 && ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			var row Decision
			encoded, _ = decisions[i].AppendBinary(encoded[:0])
			if err := row.UnmarshalBinary(encoded); err != nil { // within bounds, and clean
				yield(nil, err)
				return
			}
			row.ID = before + int64(1+i)
			document.Reset()
			if err := encoder.Encode(&row); err != nil {
				yield(nil, err)
				return
			}
			values = append(values[:0], row.ID, micros(row.Time), row.Reference, row.AuthorDomain, row.EnvelopeDomain, row.Verdict, row.Rule,
				strings.TrimSuffix(document.String(), "\n"))
			if !yield(values, nil) {
				return
			}
		}
	}
}

// micros is a time as rows have it; 0 stands for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

const daySeconds = 24 * 60 * 60

// days counts from 1970.
func days(t time.Time) int64 { return day(t).Unix() / daySeconds }

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
