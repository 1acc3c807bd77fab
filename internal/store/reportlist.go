package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const selectReports = `SELECT reports.id, kind, domains.name, texts.text, email, report_id, begins, ends, day, at, part, verified, conflicting, records,
	messages, chunks, warnings`

const fromReports = ` FROM reports JOIN domains ON domains.id = reports.domain JOIN texts ON texts.id = reports.reporter`

func scanReport(rows interface{ Scan(...any) error }, more ...any) (r ReportInfo, err error) {
	var begin, end, day, at, chunks int64
	var warnings string
	err = rows.Scan(append([]any{&r.ID, &r.Kind, &r.Domain, &r.Reporter, &r.Email, &r.ReportID, &begin, &end, &day, &at, &r.Part, &r.Verified,
		&r.Conflicting, &r.Records, &r.Messages, &chunks, &warnings}, more...)...)
	if err != nil {
		return r, err
	}
	r.Begin, r.End, r.Day, r.At = moment(begin), moment(end), dayTime(day), moment(at)
	r.Kept = chunks > 0
	r.Warnings, err = splitTexts(warnings)
	return r, err
}

// Reports is as Reports says.
func (d *database) Reports(ctx context.Context, f ReportFilter) ([]ReportInfo, error) {
	query, args := selectFiltered(f)
	return collect(ctx, d, query, args, func(rows *sql.Rows) (ReportInfo, error) { return scanReport(rows) })
}

func selectFiltered(f ReportFilter) (string, []any) {
	var c conditions
	if f.Kind != "" {
		c.add("kind = ?", f.Kind)
		if f.Kind != Aggregate {
			c.terms = append(c.terms, "kind <> 'aggregate'") // in the words of its index
		}
	}
	if f.Domain != "" {
		c.add("reports.domain = (SELECT id FROM domains WHERE name = ?)", lower(f.Domain))
	}
	if f.Domains != nil {
		c.among("reports.domain", f.Domains)
	}
	if f.Reporter != "" {
		c.add("reports.reporter = (SELECT id FROM texts WHERE text = ?)", clean(f.Reporter, maxText))
	}
	if !f.From.IsZero() {
		c.add("day >= ?", days(f.From))
	}
	if !f.To.IsZero() {
		c.add("day <= ?", days(f.To))
	}
	if f.Conflicting {
		c.terms = append(c.terms, "conflicting = 1")
	}
	if f.Unverified {
		c.terms = append(c.terms, "verified = 0")
	}
	if f.Raw > 0 {
		c.add("reports.id IN (SELECT report FROM report_raws WHERE raw = ?)", f.Raw)
	}
	if f.Same > 0 {
		c.add("same = (SELECT same FROM reports WHERE id = ?)", f.Same)
	}
	if f.Text != "" {
		like := "%" + strings.NewReplacer(`!`, `!!`, `%`, `!%`, `_`, `!_`).Replace(strings.ToLower(clean(f.Text, maxText))) + "%"
		// A backslash stands for itself only where standard_conforming_strings is on.
		c.add(`(lower(report_id) LIKE ? ESCAPE '!' OR lower(texts.text) LIKE ? ESCAPE '!' OR lower(email) LIKE ? ESCAPE '!' OR
			domains.name LIKE ? ESCAPE '!')`, like, like, like, like)
	}
	if f.Before > 0 {
		c.add("(day, reports.id) < (SELECT day, id FROM reports WHERE id = ?)", f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = defaultLimit
	}
	c.args = append(c.args, f.Limit)
	return selectReports + fromReports + c.where() + ` ORDER BY day DESC, reports.id DESC LIMIT ` + c.last(), c.args
}

// Report is as Reports says.
func (d *database) Report(ctx context.Context, id int64) (ReportInfo, error) {
	if err := d.ready(); err != nil {
		return ReportInfo{}, err
	}
	var document string
	r, err := scanReport(d.read.QueryRowContext(ctx, selectReports+`, document`+fromReports+` WHERE reports.id = $1`, id), &document)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%w: %d", ErrNoReport, id)
	}
	if err != nil {
		return r, d.explain(err)
	}
	r.Document = json.RawMessage(document)
	r.Raws, err = collect(ctx, d, `SELECT hash FROM report_raws JOIN raws ON raws.id = report_raws.raw WHERE report = $1 ORDER BY raws.id`, []any{id},
		func(rows *sql.Rows) (h Hash, err error) {
			var b []byte
			err = rows.Scan(&b)
			copy(h[:], b)
			return h, err
		})
	return r, err
}

// ReportRows is as Reports says.
func (d *database) ReportRows(ctx context.Context, id int64) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := d.ready(); err != nil {
			yield(Row{}, err)
			return
		}
		for row, err := range d.storedRows(ctx, d.read, id) {
			if !yield(row.Row, d.explained(err)) {
				return
			}
		}
	}
}

// rawsAtOnce is how many are read before they are handed on: nobody knows what takes place meanwhile.
const rawsAtOnce = 100

// Raws is as Reports says.
func (d *database) Raws(ctx context.Context, f RawFilter) iter.Seq2[RawInfo, error] {
	return func(yield func(RawInfo, error) bool) {
		for left := f.Limit; ; {
			n := rawsAtOnce
			if f.Limit > 0 {
				n = min(n, left)
			}
			some, err := d.someRaws(ctx, f, n)
			if err != nil {
				yield(RawInfo{}, err)
				return
			}
			for _, r := range some {
				if !yield(r, nil) {
					return
				}
				if f.Latest {
					f.Before = r.ID
				} else {
					f.After = r.ID
				}
			}
			if left -= n; len(some) < n || f.Limit > 0 && left == 0 {
				return
			}
		}
	}
}

func (d *database) someRaws(ctx context.Context, f RawFilter, limit int) ([]RawInfo, error) {
	var c conditions
	if f.Refusals || f.Refused {
		c.terms = append(c.terms, "refusals <> ''")
	}
	if f.Refused {
		c.terms = append(c.terms, "reports = 0")
	}
	if f.Kept {
		c.terms = append(c.terms, "chunks > 0")
	}
	if f.Hash != "" {
		first, last, err := hashRange(f.Hash)
		if err != nil {
			return nil, err
		}
		c.add("hash BETWEEN ? AND ?", first, last)
	}
	if f.Report > 0 {
		c.add("id IN (SELECT raw FROM report_raws WHERE report = ?)", f.Report)
	}
	c.add("id > ?", f.After)
	order := " ORDER BY id LIMIT "
	if f.Latest {
		order = " ORDER BY id DESC LIMIT "
		if f.Before > 0 {
			c.add("id < ?", f.Before)
		}
	}
	c.args = append(c.args, limit)
	return collect(ctx, d, `SELECT id, hash, size, chunks, reports, name, input, at, client_ip, mail_from, author_domain, dmarc, token_domain, refusals,
		times, last_at FROM raws`+c.where()+order+c.last(), c.args, func(rows *sql.Rows) (r RawInfo, err error) {
		var hash []byte
		var at, last, chunks int64
		var refusals string
		if err := rows.Scan(&r.ID, &hash, &r.Size, &chunks, &r.Reports, &r.Name, &r.Input, &at, &r.ClientIP, &r.MailFrom, &r.AuthorDomain, &r.DMARC,
			&r.TokenDomain, &refusals, &r.Times, &last); err != nil {
			return r, err
		}
		copy(r.Hash[:], hash)
		r.At, r.Last, r.Kept = moment(at), moment(last), chunks > 0
		r.Refusals, err = splitTexts(refusals)
		return r, err
	})
}

// hashRange gives the first and the last hash that begin with hexadecimal digits.
func hashRange(digits string) (first, last []byte, err error) {
	const all = 2 * len(Hash{})
	if len(digits) > all {
		return nil, nil, fmt.Errorf("%w: %q", ErrNotHash, digits)
	}
	first, err = hex.DecodeString(digits + strings.Repeat("0", all-len(digits)))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %q", ErrNotHash, digits)
	}
	last, err = hex.DecodeString(digits + strings.Repeat("f", all-len(digits)))
	return first, last, err
}

// among takes the condition that a column is the number of one of some domains.
func (c *conditions) among(column string, domains []string) {
	if len(domains) == 0 {
		c.terms = append(c.terms, "1 = 0")
		return
	}
	marks, names := make([]string, len(domains)), make([]any, len(domains))
	for i, name := range domains {
		marks[i], names[i] = "?", lower(name)
	}
	c.add(column+" IN (SELECT id FROM domains WHERE name IN ("+strings.Join(marks, ", ")+"))", names...)
}

// Inputs is as Reports says.
func (d *database) Inputs(ctx context.Context, since time.Time) ([]InputFigures, error) {
	return collect(ctx, d, `SELECT input, count(*), sum(reports), sum(CASE WHEN reports = 0 THEN 1 ELSE 0 END), max(last_at) FROM raws
		WHERE chunks > 0 AND at >= $1 GROUP BY input ORDER BY input`, []any{micros(since)}, func(rows *sql.Rows) (f InputFigures, err error) {
		var last int64
		err = rows.Scan(&f.Input, &f.Arrived, &f.Reports, &f.Refused, &last)
		f.Last = moment(last)
		return f, err
	})
}

// OpenRaw is as Reports says.
func (d *database) OpenRaw(ctx context.Context, h Hash) (io.ReadCloser, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	var id, chunks int64
	err := d.read.QueryRowContext(ctx, `SELECT id, chunks FROM raws WHERE hash = $1`, h[:]).Scan(&id, &chunks)
	if errors.Is(err, sql.ErrNoRows) || err == nil && chunks == 0 {
		return nil, fmt.Errorf("%w: %x", ErrNoRaw, h)
	}
	if err != nil {
		return nil, d.explain(err)
	}
	r, err := zstd.NewReader(&chunkReader{ctx: ctx, d: d, raw: id, chunks: chunks}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return r.IOReadCloser(), nil
}

// A chunkReader reads the chunks of a raw, of which it holds one.
type chunkReader struct {
	ctx       context.Context
	d         *database
	raw       int64
	n, chunks int64
	data      []byte
}

func (c *chunkReader) Read(p []byte) (int, error) {
	for len(c.data) == 0 {
		if c.n == c.chunks {
			return 0, io.EOF
		}
		err := c.d.read.QueryRowContext(c.ctx, `SELECT data FROM raw_chunks WHERE raw = $1 AND n = $2`, c.raw, c.n).Scan(&c.data)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, fmt.Errorf("%w: deleted while they were read", ErrNoRaw)
		}
		if err != nil {
			return 0, c.d.explain(err)
		}
		c.n++
	}
	n := copy(p, c.data)
	c.data = c.data[n:]
	return n, nil
}
