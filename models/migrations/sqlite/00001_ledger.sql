-- STRICT makes SQLite hold what its columns say. Times are text of fixed width,
-- such as 2026-05-30T10:00:00.000000Z, which sorts as the times do; booleans are
-- 0 and 1.

-- +goose Up
CREATE TABLE webhooks (
    id                    TEXT PRIMARY KEY,
    tenant                TEXT NOT NULL,
    provider              TEXT NOT NULL,
    name                  TEXT NOT NULL,
    url                   TEXT NOT NULL,
    events                TEXT NOT NULL, -- JSON list; '' = none
    sources               TEXT NOT NULL, -- the same
    version               TEXT NOT NULL,
    filter_campaign       TEXT NOT NULL,
    filter_list           TEXT NOT NULL,
    filter_schema         TEXT NOT NULL,
    headers               BLOB,          -- sealed JSON object
    retry                 TEXT,          -- JSON; NULL = the provider's default
    timeout_seconds       INTEGER NOT NULL,
    status                TEXT NOT NULL,
    status_reason         TEXT NOT NULL,
    status_at             TEXT NOT NULL,
    secret                BLOB,          -- sealed
    previous_secret       BLOB,          -- sealed
    previous_secret_until TEXT,
    failed_in_a_row       INTEGER NOT NULL DEFAULT 0,
    fingerprint           TEXT NOT NULL, -- hash of what makes two webhooks the same
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL
) STRICT;
-- The same subscription twice would send everything twice.
CREATE UNIQUE INDEX webhooks_same ON webhooks (tenant, fingerprint);
-- Who wants this event? And the lists.
CREATE INDEX webhooks_of_provider ON webhooks (tenant, provider, id);

CREATE TABLE events (
    tenant      TEXT NOT NULL,
    id          TEXT NOT NULL,
    provider    TEXT NOT NULL,
    type        TEXT NOT NULL,
    source      TEXT NOT NULL,
    data        TEXT NOT NULL, -- canonical JSON, byte for byte
    custom_data TEXT NOT NULL, -- the same; '' = none
    attributes  TEXT NOT NULL, -- JSON; '' = none
    occurred_at TEXT NOT NULL,
    accepted_at TEXT NOT NULL,
    body_hash   TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    run_id      TEXT NOT NULL, -- the run that owns the event
    webhook_id  TEXT NOT NULL, -- '' = whoever wants it
    test        INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT;
CREATE INDEX events_newest ON events (tenant, accepted_at, id);

-- No foreign key to events: both are written in one transaction, and the check
-- would cost a lookup per delivery.
CREATE TABLE deliveries (
    id               TEXT PRIMARY KEY,
    tenant           TEXT NOT NULL,
    event_id         TEXT NOT NULL,
    webhook_id       TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_type       TEXT NOT NULL,
    workflow_id      TEXT NOT NULL,    -- the workflow that moves it along
    lane             TEXT NOT NULL,    -- where its first attempt runs
    timeout_seconds  INTEGER NOT NULL, -- of one attempt, as planned
    state            TEXT NOT NULL,
    attempts         INTEGER NOT NULL,
    round_start      INTEGER NOT NULL,
    next_attempt_at  TEXT,
    last_status_code INTEGER,
    reason           TEXT NOT NULL,
    test             INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    settled_at       TEXT
) STRICT;
CREATE UNIQUE INDEX deliveries_of_event ON deliveries (tenant, event_id, webhook_id);
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, id);

-- The primary key is the order of the history: newest last within a webhook.
CREATE TABLE attempts (
    id                 TEXT NOT NULL,
    tenant             TEXT NOT NULL,
    webhook_id         TEXT NOT NULL,
    delivery_id        TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    event_id           TEXT NOT NULL,
    event_type         TEXT NOT NULL,
    number             INTEGER NOT NULL,
    status_code        INTEGER,
    success            INTEGER NOT NULL,
    reason             TEXT NOT NULL,
    detail             TEXT NOT NULL,
    started_at         TEXT NOT NULL,
    duration_ms        INTEGER NOT NULL,
    request_url        TEXT NOT NULL,
    request_headers    BLOB, -- sealed JSON list of pairs
    request_body       BLOB,
    response_headers   BLOB,
    response_body      BLOB,
    response_truncated INTEGER NOT NULL,
    test               INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, id)
) STRICT;
CREATE UNIQUE INDEX attempts_of_delivery ON attempts (delivery_id, number);
-- Filtered histories must not walk a million rows to find a few.
CREATE INDEX attempts_failed ON attempts (webhook_id, id) WHERE NOT success;
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, id);

-- +goose Down
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhooks;
