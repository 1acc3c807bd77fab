package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
)

// A bulk is a table that many rows are written to at once. A row whose key is there already is as then says.
type bulk struct {
	table   string
	columns []string
	key     int // so many of the first columns
	then    clash
}

// A clash is what becomes of a row whose key is there already.
type clash int

const (
	clashFail clash = iota
	clashKeep       // the old row stays
	clashSum        // the columns that are no key are added up
	clashLess       // the one column that is no key becomes the lesser of both
)

var (
	bulkFacets = &bulk{"facets", []string{"id", "header_from", "envelope_from", "dkim", "spf", "disposition", "auth"}, 1, clashKeep}

	bulkAddresses = &bulk{"addresses", []string{"ip", "ptr", "confirmed", "asn", "as_name", "country", "service", "looked_at"}, 1, clashKeep}

	bulkDetails = &bulk{"report_details", []string{"domain", "day", "source", "verified", "reporter", "facet", "messages"}, 6, clashSum}

	bulkSources = &bulk{"report_sources", []string{"domain", "day", "source", "verified", "messages", "passed", "dkim", "spf",
		"quarantined", "rejected"}, 4, clashSum}

	bulkDays = &bulk{"report_days", []string{"domain", "reporter", "day", "verified", "messages", "passed", "dkim", "spf", "quarantined",
		"rejected"}, 4, clashSum}

	bulkFirsts = &bulk{"domain_sources", []string{"domain", "source", "verified", "first"}, 3, clashLess}

	bulkTLS = &bulk{"tls_results", []string{"report", "n", "domain", "policy_type", "mx", "result", "sessions", "sending_ip", "receiving_ip",
		"helo", "reason", "information"}, 2, clashFail}

	bulkTLSDays = &bulk{"tls_days", []string{"domain", "day", "reporter", "verified", "policy_type", "mx", "result", "sessions"}, 7, clashSum}
)

var bulks = []*bulk{bulkFacets, bulkAddresses, bulkDetails, bulkSources, bulkDays, bulkFirsts, bulkTLS, bulkTLSDays}

// statement is the INSERT of so many rows, in SQLite's words: its driver looks for the name of each placeholder that has one among all of
// the statement, which is most of the time that this takes.
func (b *bulk) statement(rows int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "INSERT INTO %s (%s) VALUES ", b.table, strings.Join(b.columns, ", "))
	for i := range rows * len(b.columns) {
		switch {
		case i == 0:
			s.WriteString("(?")
		case i%len(b.columns) == 0:
			s.WriteString("), (?")
		default:
			s.WriteString(", ?")
		}
	}
	s.WriteString(")")
	s.WriteString(b.conflict())
	return s.String()
}

// conflict is what follows the rows in the words that engines share.
func (b *bulk) conflict() string {
	if b.then == clashFail {
		return ""
	}
	on := " ON CONFLICT (" + strings.Join(b.columns[:b.key], ", ") + ") DO "
	switch b.then {
	case clashSum:
		var sums []string
		for _, c := range b.columns[b.key:] {
			sums = append(sums, fmt.Sprintf("%s = %s.%s + excluded.%s", c, b.table, c, c))
		}
		return on + "UPDATE SET " + strings.Join(sums, ", ")
	case clashLess:
		c := b.columns[b.key]
		return on + fmt.Sprintf("UPDATE SET %s = excluded.%s WHERE excluded.%s < %s.%s", c, c, c, b.table, c)
	}
	return on + "NOTHING"
}

// A bulkWriter writes many rows within a transaction, of which no two have the same key. values are row after row.
type bulkWriter interface {
	ready(ctx context.Context) error // called before the transaction begins
	write(ctx context.Context, tx *transaction, b *bulk, values []any) error
}

// rowsAtOnce is how many rows one statement writes. SQLite takes as long to begin one as to write several rows.
const rowsAtOnce = 64

// manyValues writes rows by statements that have several, which are prepared once.
type manyValues struct {
	db *sql.DB

	mu       sync.Mutex
	prepared map[*bulk]*sql.Stmt // of rowsAtOnce rows
}

func (m *manyValues) write(ctx context.Context, tx *transaction, b *bulk, values []any) error {
	width := len(b.columns)
	if len(values) >= rowsAtOnce*width {
		s := tx.StmtContext(ctx, m.prepared[b])
		defer s.Close()
		for ; len(values) >= rowsAtOnce*width; values = values[rowsAtOnce*width:] {
			if _, err := s.ExecContext(ctx, values[:rowsAtOnce*width]...); err != nil {
				return err
			}
		}
	}
	if len(values) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, b.statement(len(values)/width), values...)
	return err
}

// ready prepares the statements. Within the transaction it would wait for the connection that this has.
func (m *manyValues) ready(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.prepared != nil {
		return nil
	}
	prepared := map[*bulk]*sql.Stmt{}
	for _, b := range bulks {
		s, err := m.db.PrepareContext(ctx, b.statement(rowsAtOnce))
		if err != nil {
			return err
		}
		prepared[b] = s
	}
	m.prepared = prepared
	return nil
}
