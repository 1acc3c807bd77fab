package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"time"
)

// Histories is the part of a [Store] that remembers what watched domains published.
type Histories interface {
	// SeePublished notes what a domain publishes now: of each name all that it has, in one text, which is empty where there is certainly
	// nothing. What is not among them stays as it was. Of a domain a bounded number of texts is kept: what was not seen for the longest
	// time goes, and what is there last of all.
	SeePublished(ctx context.Context, domain string, all []Published, now time.Time) error

	// Published gives what a domain published, by kind and name, the latest first.
	Published(ctx context.Context, domain string) ([]Published, error)
}

// A Published is one text that a record had.
type Published struct {
	Kind  string    `json:"kind"` // spf, dmarc, dkim, …
	Name  string    `json:"name"` // of the record
	Text  string    `json:"text"` // empty where there was certainly none
	Hash  string    `json:"hash"` // of all of the text, of which a long one is kept in part
	First time.Time `json:"first_seen"`
	Last  time.Time `json:"last_seen"`

	Present bool      `json:"present"` // it is the text that the record has now
	Since   time.Time `json:"since"`   // when that began, for the last time
}

// Bounds of what is kept of a domain, and of one text of it.
const (
	maxPublished     = 2000
	maxPublishedText = 16 << 10
)

// PublishedHash is how a text is told from others.
func PublishedHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// SeePublished is as Histories says.
func (d *database) SeePublished(ctx context.Context, domain string, all []Published, now time.Time) error {
	domain = lower(domain)
	return d.change(ctx, func(tx *transaction) error {
		run := d.run(ctx)
		for i := range all {
			if i%patience == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			p := &all[i]
			kind, name, hash := clean(p.Kind, maxWord), clean(p.Name, maxText), PublishedHash(p.Text)
			if _, err := tx.ExecContext(run, `UPDATE published SET present = 0 WHERE domain = $1 AND kind = $2 AND name = $3 AND hash <> $4 AND present = 1`,
				domain, kind, name, hash); err != nil {
				return err
			}
			if _, err := tx.ExecContext(run, `INSERT INTO published (domain, kind, name, hash, text, present, since, first_seen, last_seen)
				VALUES ($1, $2, $3, $4, $5, 1, $6, $6, $6) ON CONFLICT (domain, kind, name, hash) DO UPDATE SET last_seen = excluded.last_seen,
				since = CASE WHEN published.present = 1 THEN published.since ELSE excluded.since END, present = 1`,
				domain, kind, name, hash, clean(p.Text, maxPublishedText), micros(now)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(run, `DELETE FROM published WHERE domain = $1 AND (kind, name, hash) IN (SELECT kind, name, hash FROM published
			WHERE domain = $1 ORDER BY last_seen DESC, present DESC, kind, name, hash LIMIT $2 OFFSET $3)`, domain, 1<<30, maxPublished)
		return err
	})
}

// Published is as Histories says.
func (d *database) Published(ctx context.Context, domain string) ([]Published, error) {
	return collect(ctx, d, `SELECT kind, name, text, hash, present, since, first_seen, last_seen FROM published WHERE domain = $1
		ORDER BY kind, name, present DESC, last_seen DESC, hash`, []any{lower(domain)}, func(rows *sql.Rows) (p Published, err error) {
		var present, since, first, last int64
		err = rows.Scan(&p.Kind, &p.Name, &p.Text, &p.Hash, &present, &since, &first, &last)
		p.Present, p.Since, p.First, p.Last = present == 1, moment(since), moment(first), moment(last)
		return p, err
	})
}

func (k *kept) SeePublished(ctx context.Context, domain string, all []Published, now time.Time) error {
	return tell(ctx, k, func(s Store) error { return s.SeePublished(ctx, domain, all, now) })
}

func (k *kept) Published(ctx context.Context, domain string) ([]Published, error) {
	return ask(ctx, k, func(s Store) ([]Published, error) { return s.Published(ctx, domain) })
}
