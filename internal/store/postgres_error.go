package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A postgresError says how to mend what PostgreSQL complains of.
type postgresError struct {
	text string
	err  error
}

func (e *postgresError) Error() string { return e.text }
func (e *postgresError) Unwrap() error { return e.err }

// By code, or by its first two characters (PostgreSQL, appendix A).
var advicePostgres = map[string]string{
	"28": "the server refuses the user; see its pg_hba.conf, and give the password in PGPASSWORD, ~/.pgpass or the file that passfile= names",
	"3D": `there is no such database; make it with "createdb --owner USER DATABASE"`,
	"42501": "the user lacks a right; make it the owner of the database, with all its tables: " +
		`ALTER DATABASE … OWNER TO …, REASSIGN OWNED BY … TO …`,
	"42P01": `a table is missing; restore a backup, or give the store a database of its own`,
	"53100": "the disk of the server is full; make room",
	"53200": "the server has no memory left; give it more, or lower its shared_buffers and work_mem",
	"53300": "the server has no connection free; raise its max_connections",
	"57P01": "the server ended the connection; try again",
	"57P02": "the server ended the connection; try again",
	"57P03": "the server takes no connections yet; try again",
	"25006": "the server may only be read from; name the one that is written to (several hosts with target_session_attrs=read-write)",
	"58030": "the server's disk fails to read or write; see the system's log",
	"XX001": "the database is damaged; restore it from a backup",
	"XX002": "an index of the database is damaged; REINDEX it, and see the system's log for why",
}

func (p *postgresEngine) explain(err error) error {
	if answers(err) {
		return err
	}
	return fmt.Errorf("store %s: %w", p.name, explainPostgres(err))
}

func explainPostgres(err error) error {
	var explained *postgresError
	if errors.As(err, &explained) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		text := fmt.Sprintf("PostgreSQL %s: %s", said.Code, line(said.Message))
		for _, code := range []string{said.Code, said.Code[:min(2, len(said.Code))]} {
			if advice, ok := advicePostgres[code]; ok {
				return &postgresError{text: fmt.Sprintf("%s (%s)", advice, text), err: err}
			}
		}
		return &postgresError{text: text, err: err}
	}
	var refused *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		return &postgresError{text: "no connection to the server: " + postgresComplaint(err) + "; see that it runs, and listens there", err: err}
	case lost(err):
		return &postgresError{text: "the connection to the server was lost; try again (" + line(err.Error()) + ")", err: err}
	}
	return err
}

// postgresComplaint is the innermost of what pgx says: around it are the address, which is shown already, and each way that it tried.
func postgresComplaint(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		where := ""
		if op.Addr != nil {
			where = op.Addr.String() + ": "
		}
		return where + line(op.Err.Error())
	}
	var config *pgconn.ParseConfigError
	if errors.As(err, &config) {
		text := err.Error()
		if _, rest, ok := strings.Cut(text, "`: "); ok { // after the address
			text = rest
		}
		return line(text)
	}
	for {
		switch wrapped := err.(type) {
		case interface{ Unwrap() error }:
			if wrapped.Unwrap() == nil {
				return line(err.Error())
			}
			err = wrapped.Unwrap()
		case interface{ Unwrap() []error }:
			err = wrapped.Unwrap()[0]
		default:
			return line(err.Error())
		}
	}
}

// line makes one line of a text.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// lost tells whether the connection broke, and not what was asked.
func lost(err error) bool {
	var own *ArrivalError
	if errors.As(err, &own) { // another connection, by which it came
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}

// brokenPostgres tells whether it is better to open the store anew than to go on with it: another server may answer, or an empty one.
func brokenPostgres(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		var refused *pgconn.ConnectError
		return errors.As(err, &refused) || lost(err)
	}
	switch said.Code[:min(2, len(said.Code))] {
	case "08", "25", "28", "3D", "3F", "57", "XX":
		return true
	}
	return said.Code == "42P01" || said.Code == "42703" // a table or a column is missing
}

// again is so for a deadlock, where another added the same, where a month was dropped after it had been seen, and for a connection that the server had closed before
// it was used; after a commit, who asked must find out what became of it.
func (p *postgresEngine) again(err error) bool {
	var said *pgconn.PgError
	var commit *commitError
	var refused *pgconn.ConnectError
	if !errors.As(err, &said) {
		return lost(err) && !errors.As(err, &commit) && !errors.As(err, &refused)
	}
	switch {
	case said.Code == "57P01":
		return !errors.As(err, &commit) && !errors.As(err, &refused)
	case said.Code == "40001" || said.Code == "40P01" || said.Code == "23505": // the last: another was the first to add the same
		return true
	case said.Code == "23514" && said.ConstraintName == "": // no partition for the row
		p.mu.Lock()
		defer p.mu.Unlock()
		clear(p.known)
		return true
	}
	return false
}
