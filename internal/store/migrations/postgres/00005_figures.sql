-- +goose Up

-- All that makes a record but its source and its numbers. The ID is the beginning of the hash of the columns.
CREATE TABLE facets (
	id            bigint PRIMARY KEY,
	header_from   text COLLATE "C" NOT NULL,
	envelope_from text COLLATE "C" NOT NULL,
	dkim          text COLLATE "C" NOT NULL, -- as evaluated for DMARC
	spf           text COLLATE "C" NOT NULL,
	disposition   text COLLATE "C" NOT NULL,
	auth          text COLLATE "C" NOT NULL -- {"dkim":[…],"spf":[…],"reasons":["mailing_list"]}
);

-- Messages, by what a question begins with. The two large tables have a partition a month, so that what is written and what is asked most
-- is in small indexes. In details the day stands before the source: what comes in is of a few days, and lies together. In sources it stands
-- behind: many of them are summed up over all days of a month.
CREATE TABLE report_details (
	domain   bigint NOT NULL,
	day      bigint NOT NULL,
	source   bytea NOT NULL, -- 4 or 16 bytes
	verified bigint NOT NULL,
	reporter bigint NOT NULL,
	facet    bigint NOT NULL,
	messages bigint NOT NULL,
	PRIMARY KEY (domain, day, source, verified, reporter, facet)
) PARTITION BY RANGE (day);

CREATE TABLE report_sources (
	domain      bigint NOT NULL,
	day         bigint NOT NULL,
	source      bytea NOT NULL,
	verified    bigint NOT NULL,
	messages    bigint NOT NULL,
	passed      bigint NOT NULL,
	dkim        bigint NOT NULL,
	spf         bigint NOT NULL,
	quarantined bigint NOT NULL,
	rejected    bigint NOT NULL,
	PRIMARY KEY (domain, source, day, verified)
) PARTITION BY RANGE (day);
CREATE INDEX report_sources_top ON report_sources (domain, verified, day, messages) INCLUDE (source);

-- Reporter 0 is all of them.
CREATE TABLE report_days (
	domain      bigint NOT NULL,
	reporter    bigint NOT NULL,
	day         bigint NOT NULL,
	verified    bigint NOT NULL,
	messages    bigint NOT NULL,
	passed      bigint NOT NULL,
	dkim        bigint NOT NULL,
	spf         bigint NOT NULL,
	quarantined bigint NOT NULL,
	rejected    bigint NOT NULL,
	PRIMARY KEY (domain, reporter, day, verified)
);

-- The first day that each source was seen on.
CREATE TABLE domain_sources (
	domain   bigint NOT NULL,
	source   bytea NOT NULL,
	verified bigint NOT NULL,
	first    bigint NOT NULL,
	PRIMARY KEY (domain, source, verified)
);
CREATE INDEX domain_sources_first ON domain_sources (domain, first);

CREATE TABLE tls_days (
	domain      bigint NOT NULL,
	day         bigint NOT NULL,
	reporter    bigint NOT NULL,
	verified    bigint NOT NULL,
	policy_type text COLLATE "C" NOT NULL,
	mx          text COLLATE "C" NOT NULL,
	result      text COLLATE "C" NOT NULL,
	sessions    bigint NOT NULL,
	PRIMARY KEY (domain, day, reporter, verified, policy_type, mx, result)
);

-- Every source that was ever seen, and what was found out about it.
CREATE TABLE addresses (
	ip        bytea PRIMARY KEY,
	ptr       text COLLATE "C" NOT NULL,
	confirmed bigint NOT NULL,
	asn       bigint NOT NULL,
	as_name   text COLLATE "C" NOT NULL,
	country   text COLLATE "C" NOT NULL,
	service   text COLLATE "C" NOT NULL,
	looked_at bigint NOT NULL -- 0: not yet
);
CREATE INDEX addresses_looked_at ON addresses (looked_at);

-- An administrator's word on the class of a source.
CREATE TABLE source_marks (
	domain text COLLATE "C" NOT NULL,
	source text COLLATE "C" NOT NULL, -- an address, a network or a service
	class  text COLLATE "C" NOT NULL,
	reason text COLLATE "C" NOT NULL,
	author text COLLATE "C" NOT NULL,
	at     bigint NOT NULL,
	PRIMARY KEY (domain, source)
);

-- +goose Down
DROP TABLE source_marks;
DROP TABLE addresses;
DROP TABLE tls_days;
DROP TABLE domain_sources;
DROP TABLE report_days;
DROP TABLE report_sources;
DROP TABLE report_details;
DROP TABLE facets;
