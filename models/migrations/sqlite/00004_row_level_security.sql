-- SQLite has no row-level security, and no connections but ours: the file is
-- opened by one machine's processes. This keeps the numbers of both databases
-- in step.

-- +goose Up

-- +goose Down
