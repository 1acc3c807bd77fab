-- +goose Up

-- Each letter that was sent or is to be. What is being sent is noted before it is handed over, so that it is not sent twice.
CREATE TABLE letters (
	name       TEXT NOT NULL, -- of the digest
	period     TEXT NOT NULL, -- 2026-W47
	state      TEXT NOT NULL, -- sending, sent, waiting, failed, nothing
	at         INTEGER NOT NULL, -- since when
	message_id TEXT NOT NULL,
	attempts   INTEGER NOT NULL,
	detail     TEXT NOT NULL, -- why it waits or failed
	PRIMARY KEY (name, period)
) WITHOUT ROWID;

-- What was told, so that it is not told again while it is quiet.
CREATE TABLE alerts (
	channel  TEXT NOT NULL, -- mail, or the address of a webhook
	kind     TEXT NOT NULL,
	domain   TEXT NOT NULL,
	subject  TEXT NOT NULL, -- what it is about, within its kind
	state    TEXT NOT NULL, -- sending, sent, waiting
	at       INTEGER NOT NULL, -- since when
	told     INTEGER NOT NULL, -- the last time, and 0 for never
	attempts INTEGER NOT NULL,
	PRIMARY KEY (channel, kind, domain, subject)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE alerts;
DROP TABLE letters;
