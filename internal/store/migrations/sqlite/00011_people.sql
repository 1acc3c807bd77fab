-- +goose Up

INSERT INTO counters (name, value) VALUES ('person', 0), ('token', 0), ('event', 0);

-- Who may sign in at the dashboard.
CREATE TABLE people (
	id        INTEGER PRIMARY KEY,
	name      TEXT NOT NULL,
	roles     TEXT NOT NULL, -- [{"over":"*","role":"owner"}]
	password  TEXT NOT NULL, -- a hash, in PHC form; empty for none
	totp      TEXT NOT NULL, -- the secret of the second factor; empty for none
	last_totp INTEGER NOT NULL, -- the time step of the last code, which is not taken again
	recovery  BLOB NOT NULL, -- hashes of codes, 32 bytes each
	passkeys  TEXT NOT NULL, -- [{"name":…}]
	subject   TEXT NOT NULL, -- issuer and subject of OpenID; empty for none
	disabled  INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	seen      INTEGER NOT NULL,
	version   INTEGER NOT NULL
);
CREATE UNIQUE INDEX people_name ON people (name);
CREATE UNIQUE INDEX people_subject ON people (subject) WHERE subject <> '';

-- Browsers that are signed in. Of a cookie, as of what is in a link or is a token, only the SHA-256 is here.
CREATE TABLE sessions (
	hash    BLOB PRIMARY KEY,
	person  INTEGER NOT NULL,
	created INTEGER NOT NULL,
	seen    INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	address TEXT NOT NULL,
	agent   TEXT NOT NULL,
	method  TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_expires ON sessions (expires);

-- Links that let somebody in once.
CREATE TABLE links (
	hash    BLOB PRIMARY KEY,
	person  INTEGER NOT NULL, -- 0 for a new one
	name    TEXT NOT NULL,
	roles   TEXT NOT NULL,
	enters  INTEGER NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	author  TEXT NOT NULL
) WITHOUT ROWID;

-- Programs that use the API.
CREATE TABLE tokens (
	id          INTEGER PRIMARY KEY,
	hash        BLOB NOT NULL,
	name        TEXT NOT NULL,
	person      INTEGER NOT NULL,
	role        TEXT NOT NULL,
	over_group  TEXT NOT NULL, -- the name of a group, or *
	created     INTEGER NOT NULL,
	used        INTEGER NOT NULL,
	expires     INTEGER NOT NULL -- 0 for never
);
CREATE UNIQUE INDEX tokens_hash ON tokens (hash);
CREATE INDEX tokens_person ON tokens (person);

-- The audit log: who did what.
CREATE TABLE events (
	id      INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	who     TEXT NOT NULL,
	address TEXT NOT NULL,
	what    TEXT NOT NULL,
	about   TEXT NOT NULL,
	detail  TEXT NOT NULL
);
CREATE INDEX events_at ON events (at);

-- +goose Down
DROP TABLE events;
DROP TABLE tokens;
DROP TABLE links;
DROP TABLE sessions;
DROP TABLE people;
DELETE FROM counters WHERE name IN ('person', 'token', 'event');
