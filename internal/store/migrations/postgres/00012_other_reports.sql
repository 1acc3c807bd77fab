-- +goose Up

-- Most reports are aggregate reports; to look for the last of another kind is not to go through all of those.
CREATE INDEX reports_others ON reports (kind, day, id) WHERE kind <> 'aggregate';

-- +goose Down
DROP INDEX reports_others;
