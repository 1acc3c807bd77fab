package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/people"
)

// maxPasskeys is how many bytes the passkeys of a person may take.
const maxPasskeys = 256 << 10

// answersOfPeople tells errors that are the store's own answer to a question about people.
func answersOfPeople(err error) bool {
	return slices.ContainsFunc([]error{people.ErrNobody, people.ErrTaken, people.ErrChanged, people.ErrNoPerson, people.ErrNoLink, people.ErrLast},
		func(own error) bool { return errors.Is(err, own) })
}

const selectPeople = `SELECT id, name, roles, password, totp, last_totp, recovery, passkeys, subject, disabled, created, seen, version FROM people`

func scanPerson(rows *sql.Rows) (p people.Person, err error) {
	var roles, passkeys string
	var recovery []byte
	var disabled, created, seen int64
	err = rows.Scan(&p.ID, &p.Name, &roles, &p.Password, &p.TOTP, &p.LastTOTP, &recovery, &passkeys, &p.Subject, &disabled, &created, &seen, &p.Version)
	if err != nil {
		return p, err
	}
	if err := errors.Join(json.Unmarshal([]byte(roles), &p.Grants), json.Unmarshal([]byte(passkeys), &p.Passkeys)); err != nil {
		return p, fmt.Errorf("the user %d: %w", p.ID, err)
	}
	for some := range slices.Chunk(recovery, len(people.Hash{})) {
		p.Recovery = append(p.Recovery, people.Hash(some))
	}
	p.Disabled, p.Created, p.Seen = disabled != 0, moment(created), moment(seen)
	return p, nil
}

// personColumns are the values of a person, from the name on to what was seen.
func personColumns(p *people.Person) ([]any, error) {
	roles, err := json.Marshal(append([]people.Grant{}, p.Grants...))
	if err != nil {
		return nil, err
	}
	passkeys, err := json.Marshal(append([]people.Passkey{}, p.Passkeys...))
	if err != nil {
		return nil, err
	}
	if len(passkeys) > maxPasskeys {
		return nil, fmt.Errorf("the passkeys of %s take %d bytes, of at most %d", p.Name, len(passkeys), maxPasskeys)
	}
	recovery := []byte{}
	for _, h := range p.Recovery {
		recovery = append(recovery, h[:]...)
	}
	return []any{clean(p.Name, maxDomain), string(roles), clean(p.Password, maxText), clean(p.TOTP, maxText), p.LastTOTP, recovery, string(passkeys),
		clean(p.Subject, maxText), int64(number(p.Disabled)), micros(p.Created), micros(p.Seen)}, nil
}

// peopleAlone keeps all others out that change people, until the transaction ends: who is there stays so. It gives the next number.
func peopleAlone(ctx context.Context, tx *transaction, n int64) (int64, error) {
	return take(ctx, tx, "person", n)
}

// AddPerson is as people.Store says.
func (d *database) AddPerson(ctx context.Context, p people.Person) (id int64, err error) {
	values, err := personColumns(&p)
	if err != nil {
		return 0, err
	}
	err = d.change(ctx, func(tx *transaction) error {
		if id, err = peopleAlone(ctx, tx, 1); err != nil {
			return err
		}
		if err := free(ctx, tx, id, values); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO people (id, name, roles, password, totp, last_totp, recovery, passkeys, subject, disabled, created, seen, version)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)`, append([]any{id}, values...)...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// free tells whether nobody else has the name, or the subject.
func free(ctx context.Context, tx *transaction, id int64, values []any) error {
	name, subject := values[0], values[7]
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM people WHERE id <> $1 AND (name = $2 OR subject = $3 AND subject <> '')`, id, name, subject).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%s: %w", name, people.ErrTaken)
	}
	return err
}

// PutPerson is as people.Store says.
func (d *database) PutPerson(ctx context.Context, p people.Person) error {
	values, err := personColumns(&p)
	if err != nil {
		return err
	}
	return d.change(ctx, func(tx *transaction) error {
		if _, err := peopleAlone(ctx, tx, 0); err != nil {
			return err
		}
		old, err := onePerson(ctx, tx, p.ID)
		switch {
		case err != nil:
			return err
		case old.Version != p.Version:
			return fmt.Errorf("%s: %w", p.Name, people.ErrChanged)
		}
		if err := free(ctx, tx, p.ID, values); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE people SET name = $2, roles = $3, password = $4, totp = $5, last_totp = $6, recovery = $7, passkeys = $8,
			subject = $9, disabled = $10, created = $11, seen = $12, version = version + 1 WHERE id = $1`, append([]any{p.ID}, values...)...)
		if err != nil {
			return err
		}
		return someoneRules(ctx, tx, &old, p.Rules())
	})
}

// RemovePerson is as people.Store says.
func (d *database) RemovePerson(ctx context.Context, id int64) error {
	return d.change(ctx, func(tx *transaction) error {
		if _, err := peopleAlone(ctx, tx, 0); err != nil {
			return err
		}
		old, err := onePerson(ctx, tx, id)
		if err != nil {
			return err
		}
		for _, statement := range []string{`DELETE FROM people WHERE id = $1`, `DELETE FROM sessions WHERE person = $1`,
			`DELETE FROM links WHERE person = $1`, `DELETE FROM tokens WHERE person = $1`} {
			if _, err := tx.ExecContext(ctx, statement, id); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE author = $1`, old.Name); err != nil {
			return err
		}
		return someoneRules(ctx, tx, &old, false)
	})
}

func onePerson(ctx context.Context, tx *transaction, id int64) (people.Person, error) {
	found, err := gather(ctx, tx, selectPeople+` WHERE id = $1`, []any{id}, scanPerson)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%d: %w", id, people.ErrNoPerson)
	}
	if err != nil {
		return people.Person{}, err
	}
	return found[0], nil
}

// someoneRules tells whether, after somebody was changed, there is anybody left who rules.
func someoneRules(ctx context.Context, tx *transaction, before *people.Person, after bool) error {
	if !before.Rules() || after {
		return nil
	}
	all, err := gather(ctx, tx, selectPeople, nil, scanPerson)
	if err == nil && !slices.ContainsFunc(all, func(p people.Person) bool { return p.Rules() }) {
		err = fmt.Errorf("%s: %w", before.Name, people.ErrLast)
	}
	return err
}

// People is as people.Store says.
func (d *database) People(ctx context.Context) ([]people.Person, error) {
	return collect(ctx, d, selectPeople+` ORDER BY name`, nil, scanPerson)
}

// PersonByID is as people.Store says.
func (d *database) PersonByID(ctx context.Context, id int64) (people.Person, error) {
	return d.person(ctx, ` WHERE id = $1`, id)
}

// PersonByName is as people.Store says.
func (d *database) PersonByName(ctx context.Context, name string) (people.Person, error) {
	return d.person(ctx, ` WHERE name = $1`, clean(name, maxDomain))
}

// PersonBySubject is as people.Store says.
func (d *database) PersonBySubject(ctx context.Context, subject string) (people.Person, error) {
	return d.person(ctx, ` WHERE subject = $1 AND subject <> ''`, clean(subject, maxText))
}

func (d *database) person(ctx context.Context, where string, value any) (people.Person, error) {
	found, err := collect(ctx, d, selectPeople+where, []any{value}, scanPerson)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("%v: %w", value, people.ErrNoPerson)
	}
	if err != nil {
		return people.Person{}, err
	}
	return found[0], nil
}
