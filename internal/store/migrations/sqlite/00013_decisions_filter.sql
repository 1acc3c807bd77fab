-- +goose Up

-- What decisions are asked for by, in their order: where few are of a kind, this is gone through and not the documents. Rows are added at
-- its end.
CREATE INDEX decisions_filter ON decisions (id, time, verdict, rule, author_domain, envelope_domain);

-- +goose Down
DROP INDEX decisions_filter;
