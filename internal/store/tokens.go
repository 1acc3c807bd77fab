package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
)

const selectTokens = `SELECT id, hash, name, person, role, over_group, created, used, expires FROM tokens`

func scanToken(rows *sql.Rows) (t people.Token, err error) {
	var hash []byte
	var role string
	var created, used, expires int64
	if err = rows.Scan(&t.ID, &hash, &t.Name, &t.Person, &role, &t.Over, &created, &used, &expires); err != nil {
		return t, err
	}
	if t.Role, err = people.ParseRole(role); err != nil {
		return t, fmt.Errorf("the token %d: %w", t.ID, err)
	}
	copy(t.Hash[:], hash)
	t.Created, t.Used, t.Expires = moment(created), moment(used), moment(expires)
	return t, nil
}

// AddToken is as people.Store says.
func (d *database) AddToken(ctx context.Context, t people.Token) (id int64, err error) {
	err = d.change(ctx, func(tx *transaction) (err error) {
		if id, err = take(ctx, tx, "token", 1); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, name, person, role, over_group, created, used, expires)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, id, t.Hash[:], clean(t.Name, maxDomain), t.Person, t.Role.String(), clean(t.Over, maxDomain),
			micros(t.Created), micros(t.Used), micros(t.Expires))
		return err
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

// TokenByHash is as people.Store says.
func (d *database) TokenByHash(ctx context.Context, h people.Hash, now time.Time) (people.Token, error) {
	found, err := collect(ctx, d, selectTokens+` WHERE hash = $1 AND (expires = 0 OR expires > $2)`, []any{h[:], micros(now)}, scanToken)
	if err == nil && len(found) == 0 {
		err = people.ErrNobody
	}
	if err != nil {
		return people.Token{}, err
	}
	return found[0], nil
}

// TouchToken is as people.Store says.
func (d *database) TouchToken(ctx context.Context, id int64, used time.Time) error {
	return d.once(ctx, `UPDATE tokens SET used = $2 WHERE id = $1 AND used < $2`, id, micros(used))
}

// Tokens is as people.Store says.
func (d *database) Tokens(ctx context.Context, person int64) ([]people.Token, error) {
	var c conditions
	if person != 0 {
		c.add("person = ?", person)
	}
	return collect(ctx, d, selectTokens+c.where()+` ORDER BY id`, c.args, scanToken)
}

// RemoveToken is as people.Store says.
func (d *database) RemoveToken(ctx context.Context, id int64) error {
	return d.once(ctx, `DELETE FROM tokens WHERE id = $1`, id)
}
