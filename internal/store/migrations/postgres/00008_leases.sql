-- +goose Up

-- What one node at a time does, and who does it.
CREATE TABLE leases (
	name   text COLLATE "C" PRIMARY KEY,
	holder text COLLATE "C" NOT NULL,
	until  bigint NOT NULL
);

-- +goose Down
DROP TABLE leases;
