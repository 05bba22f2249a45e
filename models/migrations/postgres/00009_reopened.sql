-- What a delivery was before it was reopened, so that giving up sending it again
-- leaves it so.

-- +goose Up
-- '' = never reopened, or settled since. It stays when the round is cancelled,
-- which tells the state that the delivery is in again from one that the round
-- has come to.
ALTER TABLE deliveries ADD COLUMN reopened_from text COLLATE "C" NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE deliveries DROP COLUMN reopened_from;
