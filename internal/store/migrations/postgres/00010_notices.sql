-- +goose Up

INSERT INTO counters (name, value) VALUES ('notice', 0);

-- A case: a domain with faults, whose owner is written to, and the letter that is proposed.
CREATE TABLE notices (
	id           bigint PRIMARY KEY,
	domain       text COLLATE "C" NOT NULL,
	organization text COLLATE "C" NOT NULL, -- the Organizational Domain, by which letters are counted
	state        text COLLATE "C" NOT NULL, -- proposed, approved, declined, sent, bounced, mended, closed
	opened       bigint NOT NULL,
	changed      bigint NOT NULL, -- since when the state is what it is
	checked      bigint NOT NULL, -- when it was last looked whether the faults are there; 0 for never
	mended       bigint NOT NULL, -- when they were gone; 0 if they are not
	author       text COLLATE "C" NOT NULL, -- who made the state what it is: a person, or a rule that one wrote
	detail       text COLLATE "C" NOT NULL,
	token        text COLLATE "C" NOT NULL,
	faults       text COLLATE "C" NOT NULL, -- ["spf-softfail"]
	document     text COLLATE "C" NOT NULL -- the letter
);
CREATE INDEX notices_domain ON notices (domain);
CREATE INDEX notices_open ON notices (checked) WHERE state IN ('proposed', 'approved', 'sent', 'bounced');
CREATE UNIQUE INDEX notices_token ON notices (token);

-- What was sent of it. What is being sent is noted before it is handed over, so that it is not sent twice.
CREATE TABLE notice_letters (
	notice       bigint NOT NULL,
	recipient    text COLLATE "C" NOT NULL,
	organization text COLLATE "C" NOT NULL,
	state        text COLLATE "C" NOT NULL, -- sending, sent, waiting, failed, bounced
	at           bigint NOT NULL, -- since when
	message_id   text COLLATE "C" NOT NULL,
	attempts     bigint NOT NULL,
	detail       text COLLATE "C" NOT NULL,
	PRIMARY KEY (notice, recipient)
);
CREATE INDEX notice_letters_at ON notice_letters (at);
CREATE INDEX notice_letters_organization ON notice_letters (organization);

-- Who is not to be written to: a domain, or an address.
CREATE TABLE notice_suppressions (
	subject text COLLATE "C" PRIMARY KEY,
	reason  text COLLATE "C" NOT NULL,
	author  text COLLATE "C" NOT NULL,
	at      bigint NOT NULL
);

-- +goose Down
DROP TABLE notice_suppressions;
DROP TABLE notice_letters;
DROP TABLE notices;
DELETE FROM counters WHERE name = 'notice';
