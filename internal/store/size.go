package store

import "context"

func (s *sqliteEngine) kind() string { return SQLite }
func (s *sqliteEngine) size() string {
	return `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
}

func (p *postgresEngine) kind() string { return PostgreSQL }
func (p *postgresEngine) size() string {
	return `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = ` + ourSchema
}

// Size is as Store says.
func (d *database) Size(ctx context.Context) (Size, error) {
	if err := d.ready(); err != nil {
		return Size{}, err
	}
	s := Size{Engine: d.kind()}
	for _, n := range []struct {
		to    *int64
		query string
	}{
		{&s.Bytes, d.size()},
		{&s.Decisions, `SELECT count(*) FROM decisions`},
		{&s.Observations, `SELECT count(*) FROM observations`},
		{&s.Reports, `SELECT count(*) FROM reports`},
		{&s.Records, `SELECT coalesce(sum(records), 0) FROM reports WHERE chunks > 0`},
		{&s.Raws, `SELECT count(*) FROM raws WHERE chunks > 0`},
	} {
		if err := d.read.QueryRowContext(ctx, n.query).Scan(n.to); err != nil {
			return Size{}, d.explain(err)
		}
	}
	return s, nil
}
