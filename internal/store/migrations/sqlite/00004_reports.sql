-- +goose Up

-- Names that many rows have. They are never deleted: programs remember their numbers.
CREATE TABLE domains (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);
CREATE TABLE texts (
	id   INTEGER PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
);

-- What arrived. The row outlives the bytes, so that the same bytes are known again.
CREATE TABLE raws (
	id            INTEGER PRIMARY KEY AUTOINCREMENT,
	hash          BLOB NOT NULL UNIQUE, -- SHA-256 of the bytes
	size          INTEGER NOT NULL,
	chunks        INTEGER NOT NULL, -- that the bytes are kept in; 0: they are gone
	reports       INTEGER NOT NULL, -- that were found in it; 0: refused as a whole
	name          TEXT NOT NULL,
	input         TEXT NOT NULL,
	at            INTEGER NOT NULL,
	client_ip     TEXT NOT NULL,
	mail_from     TEXT NOT NULL,
	author_domain TEXT NOT NULL,
	dmarc         TEXT NOT NULL,
	token_domain  TEXT NOT NULL,
	refusals      TEXT NOT NULL, -- ["report.xml: cut off"], or empty
	times         INTEGER NOT NULL, -- how often it came
	last_at       INTEGER NOT NULL
);
CREATE INDEX raws_kept ON raws (at) WHERE chunks > 0;
CREATE INDEX raws_refused ON raws (id) WHERE refusals <> '';

-- One zstd stream, cut.
CREATE TABLE raw_chunks (
	id   INTEGER PRIMARY KEY,
	raw  INTEGER NOT NULL,
	n    INTEGER NOT NULL,
	data BLOB NOT NULL,
	UNIQUE (raw, n)
);

-- They are kept for ever, so that none is counted twice, but for failure reports.
CREATE TABLE reports (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	same        BLOB NOT NULL, -- hash of kind, reporter, report_id, domain, begins and ends
	content     BLOB NOT NULL, -- SHA-256 of the report, unwrapped
	kind        TEXT NOT NULL,
	domain      INTEGER NOT NULL, -- of domains
	reporter    INTEGER NOT NULL, -- of texts
	policy      INTEGER NOT NULL, -- of texts: as JSON; 0 for none
	email       TEXT NOT NULL,
	report_id   TEXT NOT NULL,
	begins      INTEGER NOT NULL,
	ends        INTEGER NOT NULL,
	day         INTEGER NOT NULL, -- that it is counted on
	at          INTEGER NOT NULL, -- when it came first
	part        TEXT NOT NULL,
	verified    INTEGER NOT NULL,
	conflicting INTEGER NOT NULL,
	records     INTEGER NOT NULL,
	messages    INTEGER NOT NULL,
	chunks      INTEGER NOT NULL, -- that its records are kept in; 0: they are gone, or there were none
	warnings    TEXT NOT NULL, -- ["record 3: no source_ip: left out"], or empty
	document    TEXT NOT NULL,
	UNIQUE (same, content)
);
CREATE INDEX reports_day ON reports (day);
CREATE INDEX reports_domain ON reports (domain, day);
CREATE INDEX reports_chunks ON reports (day) WHERE chunks > 0;
CREATE INDEX reports_doubtful ON reports (day) WHERE conflicting = 1 OR verified = 0;

-- The same report may come in several wrappings.
CREATE TABLE report_raws (
	report INTEGER NOT NULL,
	raw    INTEGER NOT NULL,
	PRIMARY KEY (report, raw)
) WITHOUT ROWID;
CREATE INDEX report_raws_raw ON report_raws (raw);

-- The records of aggregate reports, some hundreds in a chunk. Figures are in the roll-ups; these are read only as a whole.
CREATE TABLE report_rows (
	report INTEGER NOT NULL,
	n      INTEGER NOT NULL,
	data   BLOB NOT NULL,
	PRIMARY KEY (report, n)
) WITHOUT ROWID;

CREATE TABLE failures (
	report          INTEGER PRIMARY KEY,
	at              INTEGER NOT NULL, -- when it came
	arrived         INTEGER NOT NULL, -- when the message did of which it tells
	domain          INTEGER NOT NULL,
	source          BLOB NOT NULL,
	author_domain   TEXT NOT NULL,
	auth_failure    TEXT NOT NULL,
	alignment       TEXT NOT NULL,
	delivery_result TEXT NOT NULL,
	redacted        INTEGER NOT NULL
);
CREATE INDEX failures_at ON failures (at);
CREATE INDEX failures_domain ON failures (domain, at);
CREATE INDEX failures_whole ON failures (at) WHERE redacted = 0;

CREATE TABLE tls_results (
	report       INTEGER NOT NULL,
	n            INTEGER NOT NULL,
	domain       INTEGER NOT NULL,
	policy_type  TEXT NOT NULL,
	mx           TEXT NOT NULL, -- the receiving host
	result       TEXT NOT NULL, -- success, or a result type of RFC 8460 4.3
	sessions     INTEGER NOT NULL,
	sending_ip   TEXT NOT NULL,
	receiving_ip TEXT NOT NULL,
	helo         TEXT NOT NULL,
	reason       TEXT NOT NULL,
	information  TEXT NOT NULL,
	PRIMARY KEY (report, n)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE tls_results;
DROP TABLE failures;
DROP TABLE report_rows;
DROP TABLE report_raws;
DROP TABLE reports;
DROP TABLE raw_chunks;
DROP TABLE raws;
DROP TABLE texts;
DROP TABLE domains;
