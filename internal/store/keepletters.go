package store

import (
	"context"
	"time"
)

func (k *kept) ClaimLetter(ctx context.Context, l Letter, again bool) (Letter, bool, error) {
	var claimed bool
	l, err := ask(ctx, k, func(s Store) (got Letter, err error) {
		got, claimed, err = s.ClaimLetter(ctx, l, again)
		return got, err
	})
	return l, claimed, err
}

func (k *kept) SettleLetter(ctx context.Context, l Letter) error {
	return tell(ctx, k, func(s Store) error { return s.SettleLetter(ctx, l) })
}

func (k *kept) Letters(ctx context.Context, name string, limit int) ([]Letter, error) {
	return ask(ctx, k, func(s Store) ([]Letter, error) { return s.Letters(ctx, name, limit) })
}

func (k *kept) ClaimAlerts(ctx context.Context, all []Alert, now, quiet, since, forget time.Time) ([]Alert, error) {
	return ask(ctx, k, func(s Store) ([]Alert, error) { return s.ClaimAlerts(ctx, all, now, quiet, since, forget) })
}

func (k *kept) SettleAlerts(ctx context.Context, all []Alert, told bool, now time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.SettleAlerts(ctx, all, told, now) })
}
