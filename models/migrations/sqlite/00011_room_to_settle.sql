-- SQLite updates rows in place. This keeps the numbers of both databases in step.

-- +goose Up

-- +goose Down
