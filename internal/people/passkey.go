package people

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

const mostPasskeys = 20

// ErrNoPasskey is that of a passkey that a person does not have, or has no more.
var ErrNoPasskey = errors.New("no such passkey")

func indexOf(p *Person, id []byte) int {
	return slices.IndexFunc(p.Passkeys, func(k Passkey) bool { return bytes.Equal(k.ID, id) })
}

// AddPasskey gives somebody a passkey. It wraps ErrTaken or an Unfit.
func (o *Office) AddPasskey(ctx context.Context, id int64, k Passkey) error {
	_, err := o.change(ctx, id, func(p *Person) error {
		switch {
		case indexOf(p, k.ID) >= 0:
			return fmt.Errorf("passkey: %w", ErrTaken)
		case len(p.Passkeys) >= mostPasskeys:
			return &Unfit{"name", fmt.Sprintf("There are %d passkeys, and no more are kept. Remove those that are not used.", mostPasskeys)}
		}
		p.Passkeys = append(slices.Clone(p.Passkeys), k)
		return nil
	})
	return err
}

// UpdatePasskey changes the passkey with the same ID. It wraps ErrNoPasskey.
func (o *Office) UpdatePasskey(ctx context.Context, id int64, k Passkey) error {
	return o.changePasskey(ctx, id, k.ID, func(p *Person, i int) { p.Passkeys[i] = k })
}

// RemovePasskey takes one away. It wraps ErrNoPasskey, or ErrLast.
func (o *Office) RemovePasskey(ctx context.Context, id int64, key []byte) error {
	return o.changePasskey(ctx, id, key, func(p *Person, i int) { p.Passkeys = slices.Delete(p.Passkeys, i, i+1) })
}

func (o *Office) changePasskey(ctx context.Context, id int64, key []byte, how func(p *Person, i int)) error {
	_, err := o.change(ctx, id, func(p *Person) error {
		i := indexOf(p, key)
		if i < 0 {
			return ErrNoPasskey
		}
		how(p, i)
		return nil
	})
	return err
}
