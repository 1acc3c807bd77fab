-- +goose Up

INSERT INTO counters (name, value) VALUES ('person', 0), ('token', 0), ('event', 0);

-- Who may sign in at the dashboard.
CREATE TABLE people (
	id        bigint PRIMARY KEY,
	name      text COLLATE "C" NOT NULL,
	roles     text COLLATE "C" NOT NULL, -- [{"over":"*","role":"owner"}]
	password  text COLLATE "C" NOT NULL, -- a hash, in PHC form; empty for none
	totp      text COLLATE "C" NOT NULL, -- the secret of the second factor; empty for none
	last_totp bigint NOT NULL, -- the time step of the last code, which is not taken again
	recovery  bytea NOT NULL, -- hashes of codes, 32 bytes each
	passkeys  text COLLATE "C" NOT NULL, -- [{"name":…}]
	subject   text COLLATE "C" NOT NULL, -- issuer and subject of OpenID; empty for none
	disabled  bigint NOT NULL,
	created   bigint NOT NULL,
	seen      bigint NOT NULL,
	version   bigint NOT NULL
);
CREATE UNIQUE INDEX people_name ON people (name);
CREATE UNIQUE INDEX people_subject ON people (subject) WHERE subject <> '';

-- Browsers that are signed in. Of a cookie, as of what is in a link or is a token, only the SHA-256 is here.
CREATE TABLE sessions (
	hash    bytea PRIMARY KEY,
	person  bigint NOT NULL,
	created bigint NOT NULL,
	seen    bigint NOT NULL,
	expires bigint NOT NULL,
	address text COLLATE "C" NOT NULL,
	agent   text COLLATE "C" NOT NULL,
	method  text COLLATE "C" NOT NULL
);
CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_expires ON sessions (expires);

-- Links that let somebody in once.
CREATE TABLE links (
	hash    bytea PRIMARY KEY,
	person  bigint NOT NULL, -- 0 for a new one
	name    text COLLATE "C" NOT NULL,
	roles   text COLLATE "C" NOT NULL,
	enters  bigint NOT NULL,
	created bigint NOT NULL,
	expires bigint NOT NULL,
	author  text COLLATE "C" NOT NULL
);

-- Programs that use the API.
CREATE TABLE tokens (
	id          bigint PRIMARY KEY,
	hash        bytea NOT NULL,
	name        text COLLATE "C" NOT NULL,
	person      bigint NOT NULL,
	role        text COLLATE "C" NOT NULL,
	over_group  text COLLATE "C" NOT NULL, -- the name of a group, or *
	created     bigint NOT NULL,
	used        bigint NOT NULL,
	expires     bigint NOT NULL -- 0 for never
);
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_person ON tokens (person);

-- The audit log: who did what.
CREATE TABLE events (
	id      bigint PRIMARY KEY,
	at      bigint NOT NULL,
	who     text COLLATE "C" NOT NULL,
	address text COLLATE "C" NOT NULL,
	what    text COLLATE "C" NOT NULL,
	about   text COLLATE "C" NOT NULL,
	detail  text COLLATE "C" NOT NULL
);
CREATE INDEX events_at ON events (at);

-- +goose Down
DROP TABLE events;
DROP TABLE tokens;
DROP TABLE links;
DROP TABLE sessions;
DROP TABLE people;
DELETE FROM counters WHERE name IN ('person', 'token', 'event');
