package store

import (
	"context"
	"time"
)

func (k *kept) ProposeNotice(ctx context.Context, n Notice) (Notice, bool, error) {
	var opened bool
	n, err := ask(ctx, k, func(s Store) (got Notice, err error) {
		got, opened, err = s.ProposeNotice(ctx, n)
		return got, err
	})
	return n, opened, err
}

func (k *kept) Notices(ctx context.Context, f NoticeFilter) ([]Notice, error) {
	return ask(ctx, k, func(s Store) ([]Notice, error) { return s.Notices(ctx, f) })
}

func (k *kept) Notice(ctx context.Context, id int64) (Notice, error) {
	return ask(ctx, k, func(s Store) (Notice, error) { return s.Notice(ctx, id) })
}

func (k *kept) MoveNotice(ctx context.Context, id int64, from []string, m NoticeMove) (Notice, error) {
	return ask(ctx, k, func(s Store) (Notice, error) { return s.MoveNotice(ctx, id, from, m) })
}

func (k *kept) ClaimNotice(ctx context.Context, l NoticeLetter, limits NoticeLimits) (NoticeLetter, error) {
	return ask(ctx, k, func(s Store) (NoticeLetter, error) { return s.ClaimNotice(ctx, l, limits) })
}

func (k *kept) SettleNotice(ctx context.Context, l NoticeLetter) error {
	return tell(ctx, k, func(s Store) error { return s.SettleNotice(ctx, l) })
}

func (k *kept) AnswerNotice(ctx context.Context, token string, a NoticeAnswer) (Notice, error) {
	return ask(ctx, k, func(s Store) (Notice, error) { return s.AnswerNotice(ctx, token, a) })
}

func (k *kept) CheckedNotice(ctx context.Context, id int64, at time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.CheckedNotice(ctx, id, at) })
}

func (k *kept) Legitimate(ctx context.Context, domain string) (string, error) {
	return ask(ctx, k, func(s Store) (string, error) { return s.Legitimate(ctx, domain) })
}

func (k *kept) Suppress(ctx context.Context, s Suppression) error {
	return tell(ctx, k, func(open Store) error { return open.Suppress(ctx, s) })
}

func (k *kept) Unsuppress(ctx context.Context, subject string) (bool, error) {
	return ask(ctx, k, func(s Store) (bool, error) { return s.Unsuppress(ctx, subject) })
}

func (k *kept) Suppressions(ctx context.Context) ([]Suppression, error) {
	return ask(ctx, k, func(s Store) ([]Suppression, error) { return s.Suppressions(ctx) })
}
