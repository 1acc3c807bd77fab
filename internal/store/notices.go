package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The bounds of a case, in bytes and elements.
const (
	maxLetter        = 64 << 10
	mostFaults       = 100
	mostRecipients   = 10
	mostSuppressions = 100_000
)

const selectNotices = `SELECT id, domain, organization, state, opened, changed, checked, mended, author, detail, token, faults, document FROM notices`

func scanNotice(rows *sql.Rows) (n Notice, err error) {
	var opened, changed, checked, mended int64
	var faults, document string
	err = rows.Scan(&n.ID, &n.Domain, &n.Organization, &n.State, &opened, &changed, &checked, &mended, &n.Author, &n.Detail, &n.Token, &faults,
		&document)
	if err != nil {
		return n, err
	}
	n.Opened, n.Changed, n.Checked, n.Mended = moment(opened), moment(changed), moment(checked), moment(mended)
	if err := errors.Join(json.Unmarshal([]byte(faults), &n.Faults), json.Unmarshal([]byte(document), &n.Draft)); err != nil {
		return n, fmt.Errorf("the case %d: %w", n.ID, err)
	}
	n.Letters = []NoticeLetter{}
	return n, nil
}

const selectNoticeLetters = `SELECT notice, recipient, state, at, message_id, attempts, detail FROM notice_letters`

func scanNoticeLetter(rows *sql.Rows) (l NoticeLetter, err error) {
	var at int64
	err = rows.Scan(&l.Notice, &l.Recipient, &l.State, &at, &l.MessageID, &l.Attempts, &l.Detail)
	l.At = moment(at)
	return l, err
}

// states writes a condition that a column is one of some words, which are ours.
func states(column string, words []string) string {
	return column + " IN ('" + strings.Join(words, "', '") + "')"
}

// noticesAlone keeps all others out that change cases, until the transaction ends: what it counts stays so. It gives the next number.
func noticesAlone(ctx context.Context, tx *transaction, n int64) (int64, error) {
	return take(ctx, tx, "notice", n)
}

// ProposeNotice is as Notices says.
func (d *database) ProposeNotice(ctx context.Context, n Notice) (Notice, bool, error) {
	draft := n.Draft
	draft.Language, draft.Subject = clean(draft.Language, maxWord), clean(draft.Subject, maxText)
	draft.Text, draft.HTML = clean(draft.Text, maxLetter), clean(draft.HTML, maxLetter)
	draft.Reference, draft.Server = clean(draft.Reference, maxWord), clean(draft.Server, maxWord)
	draft.Recipients = []NoticeRecipient{}
	for _, r := range n.Draft.Recipients[:min(len(n.Draft.Recipients), mostRecipients)] {
		draft.Recipients = append(draft.Recipients, NoticeRecipient{clean(r.Address, maxAddress), clean(r.Source, maxWord)})
	}
	ids := []string{}
	for _, id := range n.Faults[:min(len(n.Faults), mostFaults)] {
		ids = append(ids, clean(id, maxWord))
	}
	document, err := json.Marshal(draft)
	if err != nil {
		return n, false, err
	}
	faults, err := json.Marshal(ids)
	if err != nil {
		return n, false, err
	}
	domain, organization := lower(n.Domain), lower(n.Organization)
	var id int64
	var opened bool
	err = d.change(ctx, func(tx *transaction) error {
		opened = false
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `SELECT id FROM notices WHERE domain = $1 AND `+states("state", OpenNotice), domain).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if id, err = noticesAlone(ctx, tx, 1); err != nil {
			return err
		}
		opened = true
		_, err = tx.ExecContext(ctx, `INSERT INTO notices (id, domain, organization, state, opened, changed, checked, mended, author, detail, token,
			faults, document) VALUES ($1, $2, $3, $4, $5, $5, $5, 0, $6, $7, $8, $9, $10)`, id, domain, organization, NoticeProposed, micros(n.Opened),
			clean(n.Author, maxDomain), clean(n.Detail, maxText), clean(n.Token, maxWord), string(faults), string(document))
		return err
	})
	if err != nil {
		return n, false, err
	}
	n, err = d.Notice(ctx, id)
	return n, opened, err
}

// Notice is as Notices says.
func (d *database) Notice(ctx context.Context, id int64) (Notice, error) {
	all, err := d.notices(ctx, selectNotices+" WHERE id = $1", []any{id})
	if err != nil {
		return Notice{}, err
	}
	if len(all) == 0 {
		return Notice{}, fmt.Errorf("%d: %w", id, ErrNoNotice)
	}
	return all[0], nil
}

// Notices is as Notices says.
func (d *database) Notices(ctx context.Context, f NoticeFilter) ([]Notice, error) {
	var c conditions
	order := " ORDER BY id DESC"
	if f.Domain != "" {
		c.add("domain = ?", lower(f.Domain))
	}
	if len(f.States) > 0 {
		places := strings.TrimSuffix(strings.Repeat("?, ", len(f.States)), ", ")
		var words []any
		for _, s := range f.States {
			words = append(words, clean(s, maxWord))
		}
		c.add("state IN ("+places+")", words...)
	}
	if !f.Before.IsZero() {
		c.add("checked < ?", micros(f.Before))
		order = " ORDER BY checked, id"
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	return d.notices(ctx, selectNotices+c.where()+order+fmt.Sprintf(" LIMIT %d", f.Limit), c.args)
}

// lettersAtOnce is how many cases' letters one statement asks for.
const lettersAtOnce = 500

func (d *database) notices(ctx context.Context, query string, args []any) ([]Notice, error) {
	all, err := collect(ctx, d, query, args, scanNotice)
	if err != nil {
		return nil, err
	}
	at := map[int64]int{}
	for i := range all {
		at[all[i].ID] = i
	}
	for some := range slices.Chunk(all, lettersAtOnce) {
		var ids []string
		for i := range some {
			ids = append(ids, fmt.Sprint(some[i].ID))
		}
		letters, err := collect(ctx, d, selectNoticeLetters+" WHERE notice IN ("+strings.Join(ids, ", ")+") ORDER BY notice, at, recipient", nil, scanNoticeLetter)
		if err != nil {
			return nil, err
		}
		for _, l := range letters {
			n := &all[at[l.Notice]]
			n.Letters = append(n.Letters, l)
		}
	}
	return all, nil
}

// MoveNotice is as Notices says.
func (d *database) MoveNotice(ctx context.Context, id int64, from []string, m NoticeMove) (Notice, error) {
	err := d.change(ctx, func(tx *transaction) error {
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		var state string
		err := tx.QueryRowContext(ctx, `SELECT state FROM notices WHERE id = $1`, id).Scan(&state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("%d: %w", id, ErrNoNotice)
		case err != nil:
			return err
		case !slices.Contains(from, state):
			return fmt.Errorf("%d: %w: it is %s", id, ErrNoticeState, state)
		}
		return moveNotice(ctx, tx, id, m)
	})
	if err != nil {
		return Notice{}, err
	}
	return d.Notice(ctx, id)
}

func moveNotice(ctx context.Context, tx *transaction, id int64, m NoticeMove) error {
	mended := int64(0)
	if m.State == NoticeMended {
		mended = micros(m.At)
	}
	_, err := tx.ExecContext(ctx, `UPDATE notices SET state = $1, changed = $2, author = $3, detail = $4, mended = $5 WHERE id = $6`,
		clean(m.State, maxWord), micros(m.At), clean(m.Author, maxDomain), clean(m.Detail, maxText), mended, id)
	return err
}

// prunedNotices is how many cases one transaction deletes at the most.
const prunedNotices = 100

// pruneNotices deletes cases that ended before a time, and tells whether that was all. Who wants no letters is remembered all the same.
func pruneNotices(ctx context.Context, tx *transaction, before time.Time) (all bool, err error) {
	ids, err := gather(ctx, tx, `SELECT id FROM notices WHERE NOT (`+states("state", OpenNotice)+`) AND changed < $1 ORDER BY id LIMIT $2`,
		[]any{micros(before), prunedNotices}, scanID)
	if err != nil || len(ids) == 0 {
		return true, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM notice_letters WHERE notice IN (`+integers(ids)+`)`); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM notices WHERE id IN (`+integers(ids)+`)`)
	return len(ids) < prunedNotices, err
}

// CheckedNotice is as Notices says.
func (d *database) CheckedNotice(ctx context.Context, id int64, at time.Time) error {
	return d.change(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `UPDATE notices SET checked = $1 WHERE id = $2`, micros(at), id)
		return err
	})
}

// AnswerNotice is as Notices says. What is said of a letter is said to us by whoever has the token: it reaches no further than the domain
// and the addresses of that case.
func (d *database) AnswerNotice(ctx context.Context, token string, a NoticeAnswer) (Notice, error) {
	var id int64
	err := d.change(ctx, func(tx *transaction) error {
		if _, err := noticesAlone(ctx, tx, 0); err != nil {
			return err
		}
		var domain, state string
		err := tx.QueryRowContext(ctx, `SELECT id, domain, state FROM notices WHERE token = $1 AND token <> ''`, clean(token, maxWord)).Scan(&id, &domain, &state)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoNotice
		}
		if err != nil {
			return err
		}
		letters, err := gather(ctx, tx, selectNoticeLetters+" WHERE notice = $1", []any{id}, scanNoticeLetter)
		if err != nil || len(letters) == 0 { // nothing was sent, and so nothing can come back
			return errors.Join(err, only(len(letters) == 0, ErrNoNotice))
		}
		detail := clean(a.Detail, maxText)
		if a.Unsubscribed {
			if err := suppress(ctx, tx, Suppression{Subject: domain, Reason: detail, Author: "its owner", At: a.At}); err != nil {
				return err
			}
		}
		for _, l := range letters {
			reason := detail
			if a.Bounced && l.State == LetterSent {
				if _, err := tx.ExecContext(ctx, `UPDATE notice_letters SET state = '`+LetterBounced+`', detail = $1 WHERE notice = $2 AND recipient = $3`,
					detail, id, l.Recipient); err != nil {
					return err
				}
			} else if !a.Unsubscribed {
				continue
			}
			if err := suppress(ctx, tx, Suppression{Subject: l.Recipient, Reason: reason, Author: "what came back", At: a.At}); err != nil {
				return err
			}
		}
		move := NoticeMove{State: NoticeBounced, Author: "what came back", Detail: detail, At: a.At}
		if a.Unsubscribed {
			move.State = NoticeClosed
		}
		if !slices.Contains(OpenNotice, state) || !a.Bounced && !a.Unsubscribed {
			return nil
		}
		return moveNotice(ctx, tx, id, move)
	})
	if err != nil {
		return Notice{}, err
	}
	return d.Notice(ctx, id)
}

func only(so bool, err error) error {
	if !so {
		return nil
	}
	return err
}
