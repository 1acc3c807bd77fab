-- +goose Up

-- For gatepost log --since, which otherwise looks at every decision. The other index answered no question: a domain is looked for in two
-- columns.
CREATE INDEX decisions_time ON decisions (time);
DROP INDEX decisions_author_domain;

-- +goose Down
CREATE INDEX decisions_author_domain ON decisions (author_domain) WHERE author_domain <> '';
DROP INDEX decisions_time;
