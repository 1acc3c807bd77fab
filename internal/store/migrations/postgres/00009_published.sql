-- +goose Up

-- Each text that a record of a watched domain had, and since when it has the present one.
CREATE TABLE published (
	domain     text COLLATE "C" NOT NULL,
	kind       text COLLATE "C" NOT NULL, -- spf, dmarc, dkim, …; finding, for what was found
	name       text COLLATE "C" NOT NULL, -- of the record, or id and subject of the finding
	hash       text COLLATE "C" NOT NULL, -- of all of the text
	text       text COLLATE "C" NOT NULL, -- empty where there was certainly none
	present    bigint NOT NULL, -- 1 for the text that it has now
	since      bigint NOT NULL, -- when that began, for the last time
	first_seen bigint NOT NULL,
	last_seen  bigint NOT NULL,
	PRIMARY KEY (domain, kind, name, hash)
);

-- +goose Down
DROP TABLE published;
