-- +goose Up

-- Texts are compared byte by byte, as SQLite does: an order that depends on a language changes with the operating system, and an index
-- with it.

-- Numbers that only grow. They are taken in the transaction that uses them, so that what is committed later has a higher one.
CREATE TABLE counters (
	name  text COLLATE "C" PRIMARY KEY,
	value bigint NOT NULL
);
INSERT INTO counters (name, value) VALUES ('decision', 0), ('exception', 0), ('exceptions_version', 0);

-- The last batch of each source. Who writes its row has hold of it until the batch is committed: the next one waits.
CREATE TABLE sources (
	source text COLLATE "C" PRIMARY KEY,
	number bigint NOT NULL,
	at     bigint NOT NULL -- microseconds since 1970, as all times
);

-- What is searched for is a column; everything else is in the document.
CREATE TABLE decisions (
	id              bigint PRIMARY KEY,
	time            bigint NOT NULL,
	reference       text COLLATE "C" NOT NULL,
	author_domain   text COLLATE "C" NOT NULL,
	envelope_domain text COLLATE "C" NOT NULL,
	verdict         text COLLATE "C" NOT NULL,
	rule            text COLLATE "C" NOT NULL,
	document        text COLLATE "C" NOT NULL
);
CREATE INDEX decisions_reference ON decisions (reference) WHERE reference <> '';
CREATE INDEX decisions_author_domain ON decisions (author_domain) WHERE author_domain <> '';

-- The hash stands for all that makes an observation, of which the columns are a readable copy. Each month is a partition, made when the
-- first row of it comes. The domain is part of the key because it says, in a cluster, on which node a row is. Rows come in about the order
-- of their days, so that an index of ranges tells where a day is at next to no cost.
CREATE TABLE observations (
	day             bigint NOT NULL, -- days since 1970
	hash            bytea NOT NULL,
	count           bigint NOT NULL,
	author_domain   text COLLATE "C" NOT NULL,
	envelope_domain text COLLATE "C" NOT NULL,
	helo_domain     text COLLATE "C" NOT NULL,
	source_ip       text COLLATE "C" NOT NULL,
	spf             text COLLATE "C" NOT NULL,
	spf_helo        text COLLATE "C" NOT NULL,
	dkim            text COLLATE "C" NOT NULL, -- [{"result":"pass","sdid":"example.com","selector":"s1"}]
	arc             text COLLATE "C" NOT NULL,
	dmarc           text COLLATE "C" NOT NULL,
	policy_domain   text COLLATE "C" NOT NULL,
	policy          text COLLATE "C" NOT NULL,
	disposition     text COLLATE "C" NOT NULL,
	record          text COLLATE "C" NOT NULL,
	aligned_spf     bigint NOT NULL,
	aligned_dkim    bigint NOT NULL,
	verdict         text COLLATE "C" NOT NULL,
	rule            text COLLATE "C" NOT NULL,
	mode            text COLLATE "C" NOT NULL,
	done            text COLLATE "C" NOT NULL,
	PRIMARY KEY (author_domain, day, hash)
) PARTITION BY RANGE (day);
CREATE INDEX observations_day ON observations USING brin (day) WITH (autosummarize = on);

CREATE TABLE exceptions (
	id        bigint PRIMARY KEY,
	domain    text COLLATE "C" NOT NULL,
	network   text COLLATE "C" NOT NULL,
	sdid      text COLLATE "C" NOT NULL,
	until     bigint NOT NULL,
	reason    text COLLATE "C" NOT NULL,
	author    text COLLATE "C" NOT NULL,
	created   bigint NOT NULL,
	uses      bigint NOT NULL,
	last_used bigint NOT NULL
);

-- +goose Down
DROP TABLE exceptions;
DROP TABLE observations;
DROP TABLE decisions;
DROP TABLE sources;
DROP TABLE counters;
