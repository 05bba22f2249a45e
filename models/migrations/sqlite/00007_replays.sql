-- Replays of a webhook's settled deliveries, and what Posthaste has to tell a
-- tenant of its webhooks.

-- +goose Up
CREATE TABLE replays (
    id         TEXT PRIMARY KEY,
    tenant     TEXT NOT NULL,
    webhook_id TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    run_id     TEXT NOT NULL, -- the workflow run that does it
    body_hash  TEXT NOT NULL, -- of the request, where it had an Idempotency-Key
    since      TEXT NOT NULL,      -- of when the events were accepted; inclusive
    until      TEXT NOT NULL,      -- exclusive
    status     TEXT NOT NULL, -- which deliveries were asked for
    per_second INTEGER NOT NULL,
    count      INTEGER NOT NULL,          -- how many there were when it began
    more       INTEGER NOT NULL,          -- or more than that
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,             -- why it ended early
    created_at TEXT NOT NULL,
    ended_at   TEXT
) STRICT;
CREATE INDEX replays_of_webhook ON replays (webhook_id, created_at, id);

-- How far each part of a replay has come. Its numbers are read from the
-- deliveries and replaced, never added to, so that writing them twice is once.
CREATE TABLE replay_pages (
    replay_id TEXT NOT NULL REFERENCES replays (id) ON DELETE CASCADE,
    tenant    TEXT NOT NULL,
    page      INTEGER NOT NULL,
    found     INTEGER NOT NULL,
    reopened  INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    failed    INTEGER NOT NULL,
    skipped   INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    PRIMARY KEY (replay_id, page)
) STRICT;

-- What happened to a webhook and has not become an event yet: written with what
-- it tells of, and deleted once Temporal has the event. No foreign key: it is
-- told even when the webhook has gone meanwhile.
CREATE TABLE notices (
    id            TEXT PRIMARY KEY, -- of the event that it becomes
    tenant        TEXT NOT NULL,
    type          TEXT NOT NULL,
    at            TEXT NOT NULL,
    webhook_id    TEXT NOT NULL,
    webhook_name  TEXT NOT NULL,
    provider      TEXT NOT NULL,
    url           TEXT NOT NULL,
    reason        TEXT NOT NULL,
    delivery_id   TEXT NOT NULL,    -- '' unless it tells of a delivery, as the next four
    event_id      TEXT NOT NULL,
    event_type    TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    status_code   INTEGER
) STRICT;

-- +goose Down
DROP TABLE notices;
DROP TABLE replay_pages;
DROP TABLE replays;
