package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

const selectSessions = `SELECT hash, person, created, seen, expires, address, agent, method FROM sessions`

func scanSession(rows *sql.Rows) (s people.Session, err error) {
	var hash []byte
	var created, seen, expires int64
	err = rows.Scan(&hash, &s.Person, &created, &seen, &expires, &s.Address, &s.Agent, &s.Method)
	copy(s.Hash[:], hash)
	s.Created, s.Seen, s.Expires = moment(created), moment(seen), moment(expires)
	return s, err
}

// once runs one statement in a transaction of its own.
func (d *database) once(ctx context.Context, statement string, args ...any) error {
	return d.change(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

// AddSession is as people.Store says.
func (d *database) AddSession(ctx context.Context, s people.Session) error {
	return d.once(ctx, `INSERT INTO sessions (hash, person, created, seen, expires, address, agent, method) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.Hash[:], s.Person, micros(s.Created), micros(s.Seen), micros(s.Expires), clean(s.Address, maxWord), clean(s.Agent, maxText), clean(s.Method, maxWord))
}

// Session is as people.Store says.
func (d *database) Session(ctx context.Context, h people.Hash, now time.Time) (people.Session, error) {
	found, err := collect(ctx, d, selectSessions+` WHERE hash = $1 AND expires > $2`, []any{h[:], micros(now)}, scanSession)
	if err == nil && len(found) == 0 {
		err = people.ErrNobody
	}
	if err != nil {
		return people.Session{}, err
	}
	return found[0], nil
}

// TouchSession is as people.Store says.
func (d *database) TouchSession(ctx context.Context, h people.Hash, seen time.Time) error {
	return d.once(ctx, `UPDATE sessions SET seen = $2 WHERE hash = $1 AND seen < $2`, h[:], micros(seen))
}

// Sessions is as people.Store says.
func (d *database) Sessions(ctx context.Context, person int64, now time.Time) ([]people.Session, error) {
	return collect(ctx, d, selectSessions+` WHERE person = $1 AND expires > $2 ORDER BY created DESC, hash`, []any{person, micros(now)}, scanSession)
}

// RemoveSession is as people.Store says.
func (d *database) RemoveSession(ctx context.Context, h people.Hash) error {
	return d.once(ctx, `DELETE FROM sessions WHERE hash = $1`, h[:])
}

// RemoveSessions is as people.Store says.
func (d *database) RemoveSessions(ctx context.Context, person int64, but people.Hash) error {
	return d.once(ctx, `DELETE FROM sessions WHERE person = $1 AND hash <> $2`, person, but[:])
}

const linkColumns = `hash, person, name, roles, enters, created, expires, author`

func scanLink(rows *sql.Rows) (l people.Link, err error) {
	var hash []byte
	var roles string
	var enters, created, expires int64
	if err = rows.Scan(&hash, &l.Person, &l.Name, &roles, &enters, &created, &expires, &l.Author); err != nil {
		return l, err
	}
	if err := json.Unmarshal([]byte(roles), &l.Grants); err != nil {
		return l, fmt.Errorf("the link of %s: %w", l.Author, err)
	}
	copy(l.Hash[:], hash)
	l.Enters, l.Created, l.Expires = enters != 0, moment(created), moment(expires)
	return l, nil
}

// AddLink is as people.Store says.
func (d *database) AddLink(ctx context.Context, l people.Link) error {
	roles, err := json.Marshal(append([]people.Grant{}, l.Grants...))
	if err != nil {
		return err
	}
	return d.once(ctx, `INSERT INTO links (`+linkColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, l.Hash[:], l.Person, clean(l.Name, maxDomain), string(roles),
		int64(number(l.Enters)), micros(l.Created), micros(l.Expires), clean(l.Author, maxDomain))
}

// Link is as people.Store says.
func (d *database) Link(ctx context.Context, h people.Hash, now time.Time) (people.Link, error) {
	return oneLink(collect(ctx, d, `SELECT `+linkColumns+` FROM links WHERE hash = $1 AND expires > $2`, []any{h[:], micros(now)}, scanLink))
}

// TakeLink is as people.Store says.
func (d *database) TakeLink(ctx context.Context, h people.Hash, now time.Time) (l people.Link, err error) {
	err = d.change(ctx, func(tx *transaction) (err error) {
		l, err = oneLink(gather(ctx, tx, `DELETE FROM links WHERE hash = $1 AND expires > $2 RETURNING `+linkColumns, []any{h[:], micros(now)}, scanLink))
		return err
	})
	return l, err
}

func oneLink(found []people.Link, err error) (people.Link, error) {
	if err == nil && len(found) == 0 {
		err = people.ErrNoLink
	}
	if err != nil {
		return people.Link{}, err
	}
	return found[0], nil
}

// Links is as people.Store says.
func (d *database) Links(ctx context.Context, now time.Time) ([]people.Link, error) {
	return collect(ctx, d, `SELECT `+linkColumns+` FROM links WHERE expires > $1 ORDER BY created DESC, hash`, []any{micros(now)}, scanLink)
}

// RemoveLink is as people.Store says.
func (d *database) RemoveLink(ctx context.Context, h people.Hash) error {
	return d.once(ctx, `DELETE FROM links WHERE hash = $1`, h[:])
}
