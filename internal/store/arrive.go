package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// An arriving is a transaction that adds reports, or reads them again.
type arriving struct {
	d      *database
	epoch  string
	ctx    context.Context // asked now and then; statements are given one that does not end
	tx     *transaction
	bulk   bulkWriter
	tally  *tally
	gone   map[gone]bool
	absent map[string]bool    // keys that the store does not have
	given  map[string][]int64 // numbers of rows that are about to be added, by table
	values []any
	chunk  []byte

	// What the store has once the transaction is committed.
	names     map[string]int64
	facets    []int64
	addresses []netip.Addr
}

// arrivals runs one transaction of arrivals. What it learns is remembered only if it is committed.
func (d *database) arrivals(ctx context.Context, steps func(*arriving, context.Context) error, needs ...need) error {
	if err := d.ready(); err != nil {
		return err
	}
	if err := d.bulk.ready(ctx); err != nil {
		return d.explain(err)
	}
	var w *arriving
	err := d.change(ctx, func(tx *transaction) error {
		run := d.run(ctx)
		if err := d.alone(run, tx); err != nil {
			return err
		}
		epoch, err := d.epoch(run, tx)
		if err != nil {
			return err
		}
		d.known.during(epoch)
		w = &arriving{d: d, epoch: epoch, ctx: ctx, tx: tx, bulk: d.bulk, tally: newTally(), gone: map[gone]bool{}, names: map[string]int64{}}
		if err := steps(w, run); err != nil {
			return err
		}
		if err := w.write(run); err != nil {
			return err
		}
		if err := w.first(run); err != nil {
			return err
		}
		return ctx.Err()
	}, needs...)
	if err != nil {
		return err
	}
	d.known.learn(w)
	return nil
}

// AddArrivals is as Reports says.
func (d *database) AddArrivals(ctx context.Context, all []Arrival) ([]Added, error) {
	added := make([]Added, len(all))
	err := d.arrivals(ctx, func(w *arriving, run context.Context) (err error) {
		if err := w.lookAhead(run, all); err != nil {
			return err
		}
		for i := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			if added[i], err = w.arrive(run, &all[i]); err != nil {
				return err
			}
		}
		return nil
	}, reportNeeds(all)...)
	if err != nil {
		return nil, err
	}
	return added, nil
}

// reportNeeds are the days that arrivals bring figures of.
func reportNeeds(all []Arrival) []need {
	seen := map[int64]bool{}
	for i := range all {
		for j := range all[i].Reports {
			r, at := &all[i].Reports[j], moment(micros(all[i].Raw.At))
			seen[reportDay(clampTime(r.Begin), clampTime(r.End), at)] = true
			seen[max(days(at), days(minDay))] = true // what is in the future now need not be then
		}
	}
	days := slices.Sorted(maps.Keys(seen))
	return []need{{"report_details", days}, {"report_sources", days}}
}

func (w *arriving) arrive(ctx context.Context, a *Arrival) (added Added, err error) {
	var raw storedRaw
	found := false
	if !w.isAbsent(a.Raw.Hash[:]) {
		if raw, found, err = w.findRaw(ctx, a.Raw.Hash); err != nil {
			return added, err
		}
	}
	if found {
		return w.again(ctx, a, raw)
	}
	if raw, err = w.addRaw(ctx, a); err != nil {
		return added, err
	}
	for i := range a.Reports {
		state, err := w.report(ctx, raw, &a.Reports[i])
		if err != nil {
			return added, err
		}
		added.Reports = append(added.Reports, state)
	}
	return added, w.settle(ctx, raw, slices.Contains(added.Reports, ReportKnown))
}

// again notes that bytes came which the store has. They may have come by a way that is trusted more, and an older gatepost may have read
// less in them.
func (w *arriving) again(ctx context.Context, a *Arrival, raw storedRaw) (added Added, err error) {
	err = w.tx.later(ctx, `UPDATE raws SET times = times + 1, last_at = CASE WHEN last_at < $2 THEN $2 ELSE last_at END WHERE id = $1`, raw.id,
		micros(a.Raw.At))
	if err != nil {
		return added, err
	}
	if err := w.trust(ctx, &raw, &a.Raw); err != nil {
		return added, err
	}
	if raw.refused && int64(len(a.Reports)) > raw.reports {
		raw.at = micros(a.Raw.At) // there was no report before
		return w.reread(ctx, raw, a)
	}
	added.Known = true
	for range a.Reports {
		added.Reports = append(added.Reports, ReportKnown)
	}
	return added, nil
}

// settle counts the reports of a raw, and lets go of its bytes if they are those of a report that was redacted, which only one can be
// that was known before.
func (w *arriving) settle(ctx context.Context, raw storedRaw, known bool) error {
	redacted := 0
	if known {
		err := w.tx.QueryRowContext(ctx, `SELECT count(*) FROM report_raws JOIN failures ON failures.report = report_raws.report
			WHERE raw = $1 AND redacted = 1`, raw.id).Scan(&redacted)
		if err != nil {
			return err
		}
	}
	if redacted > 0 {
		if err := dropPersonal(ctx, w.tx, raw.id); err != nil {
			return err
		}
	}
	return w.tx.later(ctx, `UPDATE raws SET reports = (SELECT count(*) FROM report_raws WHERE raw = $1) WHERE id = $1`, raw.id)
}

// dropPersonal lets go of bytes that tell of a person. A reason may quote what it complains of, and a name be that of a person.
func dropPersonal(ctx context.Context, tx *transaction, raw int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM raw_chunks WHERE raw = $1`, raw); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE raws SET chunks = 0, refusals = '', name = '' WHERE id = $1`, raw)
	return err
}

// A storedReport is what a transaction needs to know of a report.
type storedReport struct {
	place
	id          int64
	content     Hash
	same        []byte
	kind        string
	conflicting bool
	records     int64
	chunks      int64
	document    string
	warnings    string
}

// whole tells whether the store has all that the report brought into the figures.
func (r *storedReport) whole() bool { return r.chunks > 0 || r.records == 0 }

const selectSame = `SELECT id, content, same, kind, domain, reporter, day, verified, conflicting, records, chunks, document, warnings FROM reports `

func (w *arriving) stored(ctx context.Context, where string, args ...any) ([]storedReport, error) {
	rows, err := w.tx.QueryContext(ctx, selectSame+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []storedReport
	for rows.Next() {
		var r storedReport
		var content []byte
		if err := rows.Scan(&r.id, &content, &r.same, &r.kind, &r.domain, &r.reporter, &r.day, &r.verified, &r.conflicting, &r.records, &r.chunks,
			&r.document, &r.warnings); err != nil {
			return nil, err
		}
		copy(r.content[:], content)
		all = append(all, r)
	}
	return all, rows.Err()
}

// identity is the hash of what makes a report the same as another but for its content. Times are the clamped ones.
func identity(r *Report) []byte {
	var b []byte
	for _, s := range []string{r.Kind, r.Reporter, r.ReportID, strings.ToLower(r.Domain)} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendVarint(b, micros(r.Begin))
	b = binary.AppendVarint(b, micros(r.End))
	hash := sha256.Sum256(b)
	return hash[:16]
}

// The times that a report may name: it can say anything.
var (
	minTime = time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC)
	maxTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	minDay  = time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
)

func clampTime(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return t
	case t.Before(minTime):
		return minTime
	case t.After(maxTime):
		return maxTime
	}
	return t
}

// reportDay is the day that a report counts on: the UTC day that holds the middle of its period, but none before 2010, when there was no
// DMARC, nor one in the future: then it is the day on which it came. That it came before its period is no reason for another day: when a
// file came, only its file system knows.
func reportDay(begin, end, at time.Time) int64 {
	if begin.IsZero() {
		begin = end
	}
	if end.Before(begin) {
		end = begin
	}
	middle := begin.Add(end.Sub(begin) / 2)
	if begin.IsZero() || middle.After(at) && !at.IsZero() && middle.After(time.Now()) {
		middle = at
	}
	return max(days(middle), days(minDay))
}

// reportDomains are the domains in whose figures a report counts. A TLS report has policies of several domains, if its reporter likes.
func reportDomains(r *Report) []string {
	domains := []string{r.Domain}
	if r.Kind == TLS {
		for i := range r.TLS[:min(len(r.TLS), maxTLSPolicies)] {
			if domain := lower(r.TLS[i].Domain); domain != "" && !slices.Contains(domains, domain) {
				domains = append(domains, domain)
			}
		}
	}
	return domains
}

const maxDocument = 4 << 20

// bounded gives a report as it is kept, without its rows.
func bounded(from *Report) (Report, error) {
	r := *from
	r.Reporter, r.Email = clean(r.Reporter, maxText), clean(r.Email, maxAddress)
	r.ReportID, r.Domain = clean(r.ReportID, maxText), strings.ToLower(clean(r.Domain, maxDomain))
	r.Part = clean(r.Part, maxText)
	r.Begin, r.End = clampTime(r.Begin), clampTime(r.End)
	switch r.Kind {
	case Aggregate, Failure, TLS:
	default:
		return r, fmt.Errorf("store: no kind of report: %q", r.Kind)
	}
	switch {
	case len(r.Document) == 0, len(r.Document) > maxDocument:
		r.Document = json.RawMessage("{}")
	case !json.Valid(r.Document):
		return r, fmt.Errorf("store: the document of report %q is no JSON", r.ReportID)
	case !utf8.Valid(r.Document): // which JSON can be, and not every engine takes
		r.Document = bytes.ToValidUTF8(r.Document, []byte("\ufffd"))
	}
	return r, nil
}

// policy is the member of a report's document that tells what its reporter saw published.
func policyOf(document json.RawMessage) string {
	var d struct {
		Policy json.RawMessage `json:"policy"`
	}
	if json.Unmarshal(document, &d) != nil || len(d.Policy) == 0 || d.Policy[0] != '{' || len(d.Policy) > 2*maxLongText {
		return ""
	}
	return clean(string(d.Policy), 2*maxLongText)
}

var insertReport = newNumbered("reports", `same, content, kind, domain, reporter, policy, email, report_id, begins, ends, day, at, part, verified,
	conflicting, records, messages, chunks, warnings, document`,
	`$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, 0, $16, $17`, 17)

// report adds a report, unless the store has it. Of reports that differ only in their content, all are kept and counted: some
// reporters give the parts of one period the same id, and to leave one out would lose its messages. Each is marked, for people to
// look at.
func (w *arriving) report(ctx context.Context, raw storedRaw, from *Report) (state string, err error) {
	r, err := bounded(from)
	if err != nil {
		return "", err
	}
	same := identity(&r)
	var others []storedReport
	if !w.isAbsent(same) {
		if others, err = w.stored(ctx, `WHERE same = $1`, same); err != nil {
			return "", err
		}
	}
	for i := range others {
		if others[i].content == r.Content {
			if err := w.link(ctx, others[i].id, raw.id); err != nil {
				return "", err
			}
			if !others[i].verified && raw.verified(reportDomains(&r)...) {
				return ReportKnown, w.verify(ctx, &others[i], true)
			}
			return ReportKnown, nil
		}
	}
	p := storedReport{kind: r.Kind, conflicting: len(others) > 0}
	p.verified = raw.verified(reportDomains(&r)...)
	p.day = reportDay(r.Begin, r.End, moment(raw.at))
	if p.domain, err = w.name(ctx, "domains", "name", r.Domain); err != nil {
		return "", err
	}
	if p.reporter, err = w.name(ctx, "texts", "text", r.Reporter); err != nil {
		return "", err
	}
	policy := int64(0)
	if text := policyOf(r.Document); text != "" && r.Kind == Aggregate {
		if policy, err = w.name(ctx, "texts", "text", text); err != nil {
			return "", err
		}
	}
	p.id, err = w.insert(ctx, insertReport, same, r.Content[:], r.Kind, p.domain, p.reporter, policy, r.Email, r.ReportID, micros(r.Begin),
		micros(r.End), p.day, raw.at, r.Part, number(p.verified), number(p.conflicting), texts(r.Warnings), string(r.Document))
	if err != nil {
		return "", err
	}
	if err := w.link(ctx, p.id, raw.id); err != nil {
		return "", err
	}
	if err := w.contents(ctx, &p, &r); err != nil {
		return "", err
	}
	if !p.conflicting {
		return ReportNew, nil
	}
	_, err = w.tx.ExecContext(ctx, `UPDATE reports SET conflicting = 1 WHERE same = $1`, same)
	return ReportConflicting, err
}

// contents writes what a new report has, by its kind.
func (w *arriving) contents(ctx context.Context, p *storedReport, r *Report) error {
	switch r.Kind {
	case Failure:
		return w.addFailure(ctx, p, r)
	case TLS:
		return w.addTLS(ctx, p, r)
	}
	if r.Rows == nil {
		return nil
	}
	out := rowChunks{w: w, report: p.id}
	for row, err := range r.Rows {
		if err != nil {
			return &ArrivalError{r.Part, fmt.Errorf("record %d of report %q: %w", out.records+1, r.ReportID, err)}
		}
		if err := w.addRow(ctx, &out, p.place, &row); err != nil {
			return err
		}
	}
	return out.finish(ctx)
}

func (w *arriving) link(ctx context.Context, report, raw int64) error {
	return w.tx.later(ctx, `INSERT INTO report_raws (report, raw) VALUES ($1, $2) ON CONFLICT (report, raw) DO NOTHING`, report, raw)
}

// name gives the number of a name in a dictionary.
func (w *arriving) name(ctx context.Context, table, column, name string) (int64, error) {
	key := table + ":" + name
	if id, ok := w.d.known.names.Get(key); ok {
		return id, nil
	}
	if id, ok := w.names[key]; ok {
		return id, nil
	}
	var id int64
	find := func() error {
		return w.tx.QueryRowContext(ctx, `SELECT id FROM `+table+` WHERE `+column+` = $1`, name).Scan(&id)
	}
	err := find()
	if errors.Is(err, sql.ErrNoRows) {
		if _, err = w.tx.ExecContext(ctx, `INSERT INTO `+table+` (`+column+`) VALUES ($1) ON CONFLICT (`+column+`) DO NOTHING`, name); err == nil {
			err = find()
		}
	}
	if err != nil {
		return 0, err
	}
	w.names[key] = id
	return id, nil
}

func (w *arriving) knowsFacet(id int64) bool { return w.d.known.facets.Contains(id) }

// rowChunks writes the rows of a report.
type rowChunks struct {
	w                 *arriving
	report            int64
	n                 int64 // chunks written
	buf               []byte
	held              int // rows in buf
	records, messages int64
}

// addRow keeps a row and counts it.
func (w *arriving) addRow(ctx context.Context, out *rowChunks, p place, r *Row) error {
	start := len(out.buf)
	out.buf = appendRow(out.buf, r)
	var row Row
	if _, err := cutRow(out.buf[start:], &row); err != nil { // within bounds, and clean
		return err
	}
	w.tally.row(p, &row, 1, w.knowsFacet)
	out.records++
	out.messages += row.Count
	if out.held++; out.held >= chunkRows || len(out.buf) >= chunkBytes {
		if err := out.flush(ctx); err != nil {
			return err
		}
	}
	return w.breathe(ctx)
}

// breathe writes the sums if there are many, and asks the context.
func (w *arriving) breathe(ctx context.Context) error {
	if !w.tally.full() {
		return nil
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	return w.write(ctx)
}

func (c *rowChunks) flush(ctx context.Context) error {
	if c.held == 0 {
		return nil
	}
	if err := c.w.ctx.Err(); err != nil {
		return err
	}
	data := c.w.d.packer.encoder().EncodeAll(c.buf, nil)
	err := c.w.tx.later(ctx, `INSERT INTO report_rows (report, n, data) VALUES ($1, $2, $3)`, c.report, c.n, data)
	c.n++
	c.buf, c.held = c.buf[:0], 0
	return err
}

func (c *rowChunks) finish(ctx context.Context) error {
	if err := c.flush(ctx); err != nil {
		return err
	}
	return c.w.tx.later(ctx, `UPDATE reports SET records = $2, messages = $3, chunks = $4 WHERE id = $1`, c.report, c.records, c.messages, c.n)
}

// An asker is a database or a transaction.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// storedRows gives the rows of a report as they were kept, and the bytes of each; both are valid until the next. One chunk is held at a
// time.
func (d *database) storedRows(ctx context.Context, db asker, report int64) iter.Seq2[keptRow, error] {
	return func(yield func(keptRow, error) bool) {
		for last := int64(-1); ; {
			var data []byte
			err := db.QueryRowContext(ctx, `SELECT n, data FROM report_rows WHERE report = $1 AND n > $2 ORDER BY n LIMIT 1`, report, last).
				Scan(&last, &data)
			if errors.Is(err, sql.ErrNoRows) {
				return
			}
			if err == nil {
				data, err = d.packer.unpack(data)
			}
			if err != nil {
				yield(keptRow{}, err)
				return
			}
			for len(data) > 0 {
				var k keptRow
				rest, err := cutRow(data, &k.Row)
				if err != nil {
					yield(keptRow{}, err)
					return
				}
				k.encoded = data[:len(data)-len(rest)]
				data = rest
				if !yield(k, nil) {
					return
				}
			}
		}
	}
}

type keptRow struct {
	Row
	encoded []byte
}
