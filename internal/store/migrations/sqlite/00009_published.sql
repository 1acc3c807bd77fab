-- +goose Up

-- Each text that a record of a watched domain had, and since when it has the present one.
CREATE TABLE published (
	domain     TEXT NOT NULL,
	kind       TEXT NOT NULL, -- spf, dmarc, dkim, …; finding, for what was found
	name       TEXT NOT NULL, -- of the record, or id and subject of the finding
	hash       TEXT NOT NULL, -- of all of the text
	text       TEXT NOT NULL, -- empty where there was certainly none
	present    INTEGER NOT NULL, -- 1 for the text that it has now
	since      INTEGER NOT NULL, -- when that began, for the last time
	first_seen INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL,
	PRIMARY KEY (domain, kind, name, hash)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE published;
