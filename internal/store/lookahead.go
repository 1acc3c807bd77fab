package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// What arrives is new, most of it. So it is asked once for all of it what the store has, and not for each again.

// lookAhead notes which raws and reports the store does not have.
func (w *arriving) lookAhead(ctx context.Context, all []Arrival) error {
	w.absent = map[string]bool{}
	var raws, reports [][]byte
	for i := range all {
		raws = append(raws, all[i].Raw.Hash[:])
		for j := range all[i].Reports {
			reports = append(reports, identityOf(&all[i].Reports[j]))
		}
	}
	if err := w.lookFor(ctx, `SELECT hash FROM raws WHERE hash IN (`, raws); err != nil {
		return err
	}
	fresh := len(w.absent)
	if err := w.lookFor(ctx, `SELECT same FROM reports WHERE same IN (`, reports); err != nil {
		return err
	}
	w.given = map[string][]int64{}
	for table, n := range map[string]int{"raws": fresh, "reports": len(w.absent) - fresh} {
		var err error
		if w.given[table], err = w.d.numbers(ctx, w.tx, table, n); err != nil {
			return err
		}
	}
	return nil
}

// A numbered insert is one of a row whose number others need.
type numbered struct{ table, plain, given string }

func newNumbered(table, columns, values string, n int) numbered {
	return numbered{
		table: table,
		plain: fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) RETURNING id", table, columns, values),
		given: fmt.Sprintf("INSERT INTO %s (%s, id) VALUES (%s, $%d)", table, columns, values, n+1),
	}
}

// insert adds a row and gives its number. Where that is known beforehand, nobody waits for the row.
func (w *arriving) insert(ctx context.Context, n numbered, args ...any) (id int64, err error) {
	if given := w.given[n.table]; len(given) > 0 {
		w.given[n.table] = given[1:]
		return given[0], w.tx.later(ctx, n.given, append(args, given[0])...)
	}
	return id, w.tx.QueryRowContext(ctx, n.plain, args...).Scan(&id)
}

// identityOf is the identity of a report that is not within bounds yet.
func identityOf(from *Report) []byte {
	r := Report{Kind: from.Kind, Reporter: clean(from.Reporter, maxText), ReportID: clean(from.ReportID, maxText),
		Domain: strings.ToLower(clean(from.Domain, maxDomain)), Begin: clampTime(from.Begin), End: clampTime(from.End)}
	return identity(&r)
}

// lookFor notes which keys a question does not find. Those of raws have another length than those of reports.
func (w *arriving) lookFor(ctx context.Context, question string, keys [][]byte) error {
	for part := range slices.Chunk(keys, maxAskedAtOne) {
		var c conditions
		var in inList
		for _, key := range part {
			w.absent[string(key)] = true
			in.add(&c, key)
		}
		found, err := gather(ctx, w.tx, question+in.text+`)`, c.args, func(rows *sql.Rows) (key []byte, err error) {
			err = rows.Scan(&key)
			return key, err
		})
		if err != nil {
			return err
		}
		for _, key := range found {
			delete(w.absent, string(key))
		}
	}
	return nil
}

// isAbsent tells whether the store is known not to have what is about to be added. It has it from then on.
func (w *arriving) isAbsent(key []byte) bool {
	absent := w.absent[string(key)]
	delete(w.absent, string(key))
	return absent
}
