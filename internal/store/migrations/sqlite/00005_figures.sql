-- +goose Up

-- All that makes a record but its source and its numbers. The ID is the beginning of the hash of the columns.
CREATE TABLE facets (
	id            INTEGER PRIMARY KEY,
	header_from   TEXT NOT NULL,
	envelope_from TEXT NOT NULL,
	dkim          TEXT NOT NULL, -- as evaluated for DMARC
	spf           TEXT NOT NULL,
	disposition   TEXT NOT NULL,
	auth          TEXT NOT NULL -- {"dkim":[…],"spf":[…],"reasons":["mailing_list"]}
);

-- Messages, by what a question begins with. The day stands before the source: what comes in is of a few days, and lies together.
CREATE TABLE report_details (
	domain   INTEGER NOT NULL,
	day      INTEGER NOT NULL,
	source   BLOB NOT NULL, -- 4 or 16 bytes
	verified INTEGER NOT NULL,
	reporter INTEGER NOT NULL,
	facet    INTEGER NOT NULL,
	messages INTEGER NOT NULL,
	PRIMARY KEY (domain, day, source, verified, reporter, facet)
) WITHOUT ROWID;

CREATE TABLE report_sources (
	domain      INTEGER NOT NULL,
	day         INTEGER NOT NULL,
	source      BLOB NOT NULL,
	verified    INTEGER NOT NULL,
	messages    INTEGER NOT NULL,
	passed      INTEGER NOT NULL,
	dkim        INTEGER NOT NULL,
	spf         INTEGER NOT NULL,
	quarantined INTEGER NOT NULL,
	rejected    INTEGER NOT NULL,
	PRIMARY KEY (domain, day, source, verified)
) WITHOUT ROWID;
CREATE INDEX report_sources_top ON report_sources (domain, day, messages);

-- Reporter 0 is all of them.
CREATE TABLE report_days (
	domain      INTEGER NOT NULL,
	reporter    INTEGER NOT NULL,
	day         INTEGER NOT NULL,
	verified    INTEGER NOT NULL,
	messages    INTEGER NOT NULL,
	passed      INTEGER NOT NULL,
	dkim        INTEGER NOT NULL,
	spf         INTEGER NOT NULL,
	quarantined INTEGER NOT NULL,
	rejected    INTEGER NOT NULL,
	PRIMARY KEY (domain, reporter, day, verified)
) WITHOUT ROWID;

-- The first day that each source was seen on.
CREATE TABLE domain_sources (
	domain   INTEGER NOT NULL,
	source   BLOB NOT NULL,
	verified INTEGER NOT NULL,
	first    INTEGER NOT NULL,
	PRIMARY KEY (domain, source, verified)
) WITHOUT ROWID;
CREATE INDEX domain_sources_first ON domain_sources (domain, first);

CREATE TABLE tls_days (
	domain      INTEGER NOT NULL,
	day         INTEGER NOT NULL,
	reporter    INTEGER NOT NULL,
	verified    INTEGER NOT NULL,
	policy_type TEXT NOT NULL,
	mx          TEXT NOT NULL,
	result      TEXT NOT NULL,
	sessions    INTEGER NOT NULL,
	PRIMARY KEY (domain, day, reporter, verified, policy_type, mx, result)
) WITHOUT ROWID;

-- Every source that was ever seen, and what was found out about it.
CREATE TABLE addresses (
	ip        BLOB PRIMARY KEY,
	ptr       TEXT NOT NULL,
	confirmed INTEGER NOT NULL,
	asn       INTEGER NOT NULL,
	as_name   TEXT NOT NULL,
	country   TEXT NOT NULL,
	service   TEXT NOT NULL,
	looked_at INTEGER NOT NULL -- 0: not yet
) WITHOUT ROWID;
CREATE INDEX addresses_looked_at ON addresses (looked_at);

-- An administrator's word on the class of a source.
CREATE TABLE source_marks (
	domain TEXT NOT NULL,
	source TEXT NOT NULL, -- an address, a network or a service
	class  TEXT NOT NULL,
	reason TEXT NOT NULL,
	author TEXT NOT NULL,
	at     INTEGER NOT NULL,
	PRIMARY KEY (domain, source)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE source_marks;
DROP TABLE addresses;
DROP TABLE tls_days;
DROP TABLE domain_sources;
DROP TABLE report_days;
DROP TABLE report_sources;
DROP TABLE report_details;
DROP TABLE facets;
