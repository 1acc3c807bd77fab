-- +goose Up

-- Numbers that only grow. They are taken in the transaction that uses them, so that what is committed later has a higher one.
CREATE TABLE counters (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('decision', 0), ('exception', 0), ('exceptions_version', 0);

-- The last batch of each source.
CREATE TABLE sources (
	source TEXT PRIMARY KEY,
	number INTEGER NOT NULL,
	at     INTEGER NOT NULL -- microseconds since 1970, as all times
) WITHOUT ROWID;

-- What is searched for is a column; everything else is in the document.
CREATE TABLE decisions (
	id              INTEGER PRIMARY KEY,
	time            INTEGER NOT NULL,
	reference       TEXT NOT NULL,
	author_domain   TEXT NOT NULL,
	envelope_domain TEXT NOT NULL,
	verdict         TEXT NOT NULL,
	rule            TEXT NOT NULL,
	document        TEXT NOT NULL
);
CREATE INDEX decisions_reference ON decisions (reference) WHERE reference <> '';
CREATE INDEX decisions_author_domain ON decisions (author_domain) WHERE author_domain <> '';

-- The hash stands for all that makes an observation, of which the columns are a readable copy.
CREATE TABLE observations (
	day             INTEGER NOT NULL, -- days since 1970
	hash            BLOB NOT NULL,
	count           INTEGER NOT NULL,
	author_domain   TEXT NOT NULL,
	envelope_domain TEXT NOT NULL,
	helo_domain     TEXT NOT NULL,
	source_ip       TEXT NOT NULL,
	spf             TEXT NOT NULL,
	spf_helo        TEXT NOT NULL,
	dkim            TEXT NOT NULL, -- [{"result":"pass","sdid":"example.com","selector":"s1"}]
	arc             TEXT NOT NULL,
	dmarc           TEXT NOT NULL,
	policy_domain   TEXT NOT NULL,
	policy          TEXT NOT NULL,
	disposition     TEXT NOT NULL,
	record          TEXT NOT NULL,
	aligned_spf     INTEGER NOT NULL,
	aligned_dkim    INTEGER NOT NULL,
	verdict         TEXT NOT NULL,
	rule            TEXT NOT NULL,
	mode            TEXT NOT NULL,
	done            TEXT NOT NULL,
	PRIMARY KEY (day, hash)
) WITHOUT ROWID;

CREATE TABLE exceptions (
	id        INTEGER PRIMARY KEY,
	domain    TEXT NOT NULL,
	network   TEXT NOT NULL,
	sdid      TEXT NOT NULL,
	until     INTEGER NOT NULL,
	reason    TEXT NOT NULL,
	author    TEXT NOT NULL,
	created   INTEGER NOT NULL,
	uses      INTEGER NOT NULL,
	last_used INTEGER NOT NULL
);

-- +goose Down
DROP TABLE exceptions;
DROP TABLE observations;
DROP TABLE decisions;
DROP TABLE sources;
DROP TABLE counters;
