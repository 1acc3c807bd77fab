-- +goose Up

INSERT INTO counters (name, value) VALUES ('notice', 0);

-- A case: a domain with faults, whose owner is written to, and the letter that is proposed.
CREATE TABLE notices (
	id           INTEGER PRIMARY KEY,
	domain       TEXT NOT NULL,
	organization TEXT NOT NULL, -- the Organizational Domain, by which letters are counted
	state        TEXT NOT NULL, -- proposed, approved, declined, sent, bounced, mended, closed
	opened       INTEGER NOT NULL,
	changed      INTEGER NOT NULL, -- since when the state is what it is
	checked      INTEGER NOT NULL, -- when it was last looked whether the faults are there; 0 for never
	mended       INTEGER NOT NULL, -- when they were gone; 0 if they are not
	author       TEXT NOT NULL, -- who made the state what it is: a person, or a rule that one wrote
	detail       TEXT NOT NULL,
	token        TEXT NOT NULL,
	faults       TEXT NOT NULL, -- ["spf-softfail"]
	document     TEXT NOT NULL -- the letter
);
CREATE INDEX notices_domain ON notices (domain);
CREATE INDEX notices_open ON notices (checked) WHERE state IN ('proposed', 'approved', 'sent', 'bounced');
CREATE UNIQUE INDEX notices_token ON notices (token);

-- What was sent of it. What is being sent is noted before it is handed over, so that it is not sent twice.
CREATE TABLE notice_letters (
	notice       INTEGER NOT NULL,
	recipient    TEXT NOT NULL,
	organization TEXT NOT NULL,
	state        TEXT NOT NULL, -- sending, sent, waiting, failed, bounced
	at           INTEGER NOT NULL, -- since when
	message_id   TEXT NOT NULL,
	attempts     INTEGER NOT NULL,
	detail       TEXT NOT NULL,
	PRIMARY KEY (notice, recipient)
) WITHOUT ROWID;
CREATE INDEX notice_letters_at ON notice_letters (at);
CREATE INDEX notice_letters_organization ON notice_letters (organization);

-- Who is not to be written to: a domain, or an address.
CREATE TABLE notice_suppressions (
	subject TEXT PRIMARY KEY,
	reason  TEXT NOT NULL,
	author  TEXT NOT NULL,
	at      INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE notice_suppressions;
DROP TABLE notice_letters;
DROP TABLE notices;
DELETE FROM counters WHERE name = 'notice';
