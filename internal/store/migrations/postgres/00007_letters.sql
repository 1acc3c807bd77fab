-- +goose Up

-- Each letter that was sent or is to be. What is being sent is noted before it is handed over, so that it is not sent twice.
CREATE TABLE letters (
	name       text COLLATE "C" NOT NULL, -- of the digest
	period     text COLLATE "C" NOT NULL, -- 2026-W47
	state      text COLLATE "C" NOT NULL, -- sending, sent, waiting, failed, nothing
	at         bigint NOT NULL, -- since when
	message_id text COLLATE "C" NOT NULL,
	attempts   bigint NOT NULL,
	detail     text COLLATE "C" NOT NULL, -- why it waits or failed
	PRIMARY KEY (name, period)
);

-- What was told, so that it is not told again while it is quiet.
CREATE TABLE alerts (
	channel  text COLLATE "C" NOT NULL, -- mail, or the address of a webhook
	kind     text COLLATE "C" NOT NULL,
	domain   text COLLATE "C" NOT NULL,
	subject  text COLLATE "C" NOT NULL, -- what it is about, within its kind
	state    text COLLATE "C" NOT NULL, -- sending, sent, waiting
	at       bigint NOT NULL, -- since when
	told     bigint NOT NULL, -- the last time, and 0 for never
	attempts bigint NOT NULL,
	PRIMARY KEY (channel, kind, domain, subject)
);

-- +goose Down
DROP TABLE alerts;
DROP TABLE letters;
