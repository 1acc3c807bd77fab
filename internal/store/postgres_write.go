package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	findKnown = `SELECT o.day, o.hash FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS k (author_domain, day, hash)
		JOIN observations o USING (author_domain, day, hash)`

	countKnown = `UPDATE observations o SET count = o.count + k.count FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[])
		AS k (author_domain, day, hash, count) WHERE o.author_domain = k.author_domain AND o.day = k.day AND o.hash = k.hash`

	pruneObservationsPostgres = `DELETE FROM observations WHERE (author_domain, day, hash) IN
		(SELECT author_domain, day, hash FROM observations WHERE day < $1 LIMIT $2)`
)

// commitFor is how long a commit goes on when its context has ended: cut off at once, nobody would know whether it was done.
const commitFor = 10 * time.Second

// asCommitted is how transactions see what others write, whatever the database's default is: who waited for another's lock shall see what
// that one did.
var asCommitted = &sql.TxOptions{Isolation: sql.LevelReadCommitted}

func (p *postgresEngine) begin(ctx context.Context) (*transaction, error) {
	conn, err := p.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	longer, end := lasting(ctx, commitFor)
	tx, err := conn.BeginTx(longer, asCommitted)
	if err != nil {
		end()
		return nil, errors.Join(err, conn.Close())
	}
	return &transaction{Tx: tx, conn: conn, release: end, queue: &pipeline{conn: conn}}, nil
}

// A pipeline sends statements together, and takes their answers together.
type pipeline struct {
	conn  *sql.Conn
	batch pgx.Batch
	size  int
}

// What a pipeline holds at most.
const (
	pipelineStatements = 256
	pipelineBytes      = 1 << 20
)

func (p *pipeline) add(statement string, args []any) (full bool) {
	for i := range args {
		if b, ok := args[i].([]byte); ok { // whose it is may use it for something else
			args[i] = bytes.Clone(b)
			p.size += len(b)
		}
	}
	p.batch.Queue(statement, args...)
	return p.batch.Len() >= pipelineStatements || p.size >= pipelineBytes
}

func (p *pipeline) run(ctx context.Context) error {
	if p.batch.Len() == 0 {
		return nil
	}
	err := p.conn.Raw(func(driver any) error { return driver.(*stdlib.Conn).Conn().SendBatch(ctx, &p.batch).Close() })
	p.batch, p.size = pgx.Batch{}, 0
	return err
}

// lasting is a context that ends a while after another, or when it is told to.
func lasting(ctx context.Context, while time.Duration) (context.Context, func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-longer.Done():
		case <-time.After(while):
			end()
		}
	})
	return longer, func() {
		stop()
		end()
	}
}

// run is the context itself: a server can be away in the middle of a statement.
func (p *postgresEngine) run(ctx context.Context) context.Context { return ctx }

func (p *postgresEngine) alone(ctx context.Context, tx *transaction) error {
	_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockReports))
	return err
}

// epoch is the file of a table: to empty the table makes another.
func (p *postgresEngine) epoch(ctx context.Context, tx *transaction) (epoch string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT pg_relation_filenode('domains'::regclass)::text`).Scan(&epoch)
	return epoch, err
}

// arrays write rows as one statement with an array a column, which PostgreSQL takes apart: so it is one way to the server and back,
// however many rows there are.
type arrays struct{}

func (arrays) ready(context.Context) error { return nil }

func (arrays) write(ctx context.Context, tx *transaction, b *bulk, values []any) error {
	if len(values) == 0 {
		return nil
	}
	width := len(b.columns)
	columns, kinds := make([]any, width), make([]string, width)
	for i := range columns {
		switch values[i].(type) {
		case []byte:
			columns[i], kinds[i] = column[[]byte](values[i:], width), "bytea"
		case string:
			columns[i], kinds[i] = column[string](values[i:], width), "text"
		case int:
			columns[i], kinds[i] = column[int](values[i:], width), "bigint"
		default:
			columns[i], kinds[i] = column[int64](values[i:], width), "bigint"
		}
		kinds[i] = fmt.Sprintf("$%d::%s[]", i+1, kinds[i])
	}
	statement := fmt.Sprintf("INSERT INTO %s (%s) SELECT * FROM unnest(%s)", b.table, strings.Join(b.columns, ", "), strings.Join(kinds, ", "))
	_, err := tx.ExecContext(ctx, statement+b.conflict(), columns...)
	return err
}

// column is every width-th value.
func column[T any](values []any, width int) []T {
	all := make([]T, 0, len(values)/width+1)
	for i := 0; i < len(values); i += width {
		all = append(all, values[i].(T))
	}
	return all
}

func (p *postgresEngine) insert(ctx context.Context, tx *transaction, table string, columns []string, rows iter.Seq2[[]any, error]) error {
	if err := tx.catchUp(ctx); err != nil {
		return err
	}
	return tx.conn.Raw(func(driver any) error {
		next, stop := iter.Pull2(rows)
		defer stop()
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
			row, err, _ := next()
			return row, err
		}))
		return err
	})
}

func (p *postgresEngine) numbers(ctx context.Context, tx *transaction, table string, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	return gather(ctx, tx, `SELECT nextval(pg_get_serial_sequence($1, 'id')) FROM generate_series(1, $2)`, []any{table, n},
		func(rows *sql.Rows) (id int64, err error) {
			err = rows.Scan(&id)
			return id, err
		})
}

// A postgresCounting looks once which rows there are, and writes once: each statement is a way to the server and back.
type postgresCounting struct {
	engine *postgresEngine
	tx     *transaction
	rows   map[spot]*counted
}

// A spot is where a row of observations is, but for its domain.
type spot struct {
	day  int64
	hash hash
}

// A counted is a row, and how many messages it gets.
type counted struct {
	domain string
	there  bool  // it was there before
	n      int64 // more messages of one that was there
	row    []any // of one that was not
}

// keys are rows as three arrays, by which they are looked for.
type keys struct {
	domains []string
	days    []int64
	hashes  [][]byte
}

func (k *keys) add(domain string, p spot) {
	k.domains = append(k.domains, domain)
	k.days = append(k.days, p.day)
	k.hashes = append(k.hashes, p.hash[:])
}

func (p *postgresEngine) counting(ctx context.Context, tx *transaction, counts []Count, level func(int64) int) (counting, error) {
	c := &postgresCounting{engine: p, tx: tx, rows: map[spot]*counted{}}
	asked := map[spot]string{}
	var k keys
	var bytes []byte
	for i := range counts {
		day := days(counts[i].Day)
		for l := 0; l <= level(day); l++ {
			folded := counts[i].Fold(l)
			bytes, _ = folded.AppendBinary(bytes[:0])
			at := spot{day, hashOf(bytes)}
			if _, ok := asked[at]; !ok {
				asked[at] = clean(folded.AuthorDomain, maxDomain)
				k.add(asked[at], at)
			}
		}
	}
	found, err := tx.QueryContext(ctx, findKnown, k.domains, k.days, k.hashes)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var day int64
		var bytes []byte
		if err := found.Scan(&day, &bytes); err != nil {
			return nil, err
		}
		at := spot{day, hash(bytes)}
		c.rows[at] = &counted{domain: asked[at], there: true}
	}
	return c, found.Err()
}

func (c *postgresCounting) more(_ context.Context, day int64, h hash, n int64) (bool, error) {
	row, ok := c.rows[spot{day, h}]
	if !ok {
		return false, nil
	}
	if row.there {
		row.n += n
	} else {
		row.row[countColumn] = row.row[countColumn].(int64) + n
	}
	return true, nil
}

// countColumn is where observationColumns has the count.
const countColumn = 2

func (c *postgresCounting) first(_ context.Context, day int64, h hash, row []any) error {
	c.rows[spot{day, h}] = &counted{row: row}
	return nil
}

func (c *postgresCounting) end(ctx context.Context) error {
	var k keys
	var more []int64
	var rows [][]any
	for at, row := range c.rows {
		switch {
		case !row.there:
			rows = append(rows, row.row)
		case row.n > 0:
			k.add(row.domain, at)
			more = append(more, row.n)
		}
	}
	if len(more) > 0 {
		if _, err := c.tx.ExecContext(ctx, countKnown, k.domains, k.days, k.hashes, more); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return c.engine.insert(ctx, c.tx, "observations", observationColumns, func(yield func([]any, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	})
}

func (p *postgresEngine) pruneObservations() string { return pruneObservationsPostgres }
