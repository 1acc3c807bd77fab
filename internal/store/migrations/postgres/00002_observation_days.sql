-- +goose Up

-- How many observations each day has: to count the rows would take longer than to write a batch. Who writes a day's row has hold of the
-- day until the batch is committed.
CREATE TABLE observation_days (
	day          bigint PRIMARY KEY,
	observations bigint NOT NULL
);
INSERT INTO observation_days (day, observations) SELECT day, count(*) FROM observations GROUP BY day;

-- How much the row does not tell for want of room: 0 nothing, 1 HELO, 2 the source but for its network, 3 the envelope domain,
-- 4 whose the signatures are, 5 the Author Domain.
ALTER TABLE observations ADD COLUMN folded bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE observations DROP COLUMN folded;
DROP TABLE observation_days;
