-- Ids and tenants are compared and sorted byte by byte (COLLATE "C"): faster
-- than any language's rules, and the same order as in SQLite.

-- +goose Up
CREATE TABLE webhooks (
    id                    text COLLATE "C" PRIMARY KEY,
    tenant                text COLLATE "C" NOT NULL,
    provider              text COLLATE "C" NOT NULL,
    name                  text NOT NULL,
    url                   text NOT NULL,
    events                text NOT NULL,             -- JSON list; '' = none
    sources               text NOT NULL,             -- the same
    version               text NOT NULL,
    filter_campaign       text NOT NULL,
    filter_list           text NOT NULL,
    filter_schema         text NOT NULL,
    headers               bytea,                     -- sealed JSON object
    retry                 text,                      -- JSON; NULL = the provider's default
    timeout_seconds       integer NOT NULL,
    status                text COLLATE "C" NOT NULL,
    status_reason         text NOT NULL,
    status_at             timestamptz NOT NULL,
    secret                bytea,                     -- sealed
    previous_secret       bytea,                     -- sealed
    previous_secret_until timestamptz,
    failed_in_a_row       integer NOT NULL DEFAULT 0,
    fingerprint           text COLLATE "C" NOT NULL, -- hash of what makes two webhooks the same
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
);
-- The same subscription twice would send everything twice.
CREATE UNIQUE INDEX webhooks_same ON webhooks (tenant, fingerprint);
-- Who wants this event? And the lists.
CREATE INDEX webhooks_of_provider ON webhooks (tenant, provider, id);

CREATE TABLE events (
    tenant      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    provider    text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    data        text NOT NULL,             -- canonical JSON, byte for byte
    custom_data text NOT NULL,             -- the same; '' = none
    attributes  text NOT NULL,             -- JSON; '' = none
    occurred_at timestamptz NOT NULL,
    accepted_at timestamptz NOT NULL,
    body_hash   text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    run_id      text COLLATE "C" NOT NULL, -- the run that owns the event
    webhook_id  text COLLATE "C" NOT NULL, -- '' = whoever wants it
    test        boolean NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX events_newest ON events (tenant, accepted_at, id);

-- No foreign key to events: both are written in one transaction, and the check
-- would cost a lookup per delivery. A share of each page stays free so that an
-- update of state, which no index holds, need not touch the indexes.
CREATE TABLE deliveries (
    id               text COLLATE "C" PRIMARY KEY,
    tenant           text COLLATE "C" NOT NULL,
    event_id         text COLLATE "C" NOT NULL,
    webhook_id       text COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_type       text COLLATE "C" NOT NULL,
    workflow_id      text COLLATE "C" NOT NULL, -- the workflow that moves it along
    lane             text COLLATE "C" NOT NULL, -- where its first attempt runs
    timeout_seconds  integer NOT NULL,          -- of one attempt, as planned
    state            text COLLATE "C" NOT NULL,
    attempts         integer NOT NULL,
    round_start      integer NOT NULL,
    next_attempt_at  timestamptz,
    last_status_code integer,
    reason           text NOT NULL,
    test             boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    settled_at       timestamptz
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX deliveries_of_event ON deliveries (tenant, event_id, webhook_id);
CREATE INDEX deliveries_of_webhook ON deliveries (webhook_id, id);

-- The primary key is the order of the history: newest last within a webhook.
CREATE TABLE attempts (
    id                 text COLLATE "C" NOT NULL,
    tenant             text COLLATE "C" NOT NULL,
    webhook_id         text COLLATE "C" NOT NULL,
    delivery_id        text COLLATE "C" NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    event_id           text COLLATE "C" NOT NULL,
    event_type         text COLLATE "C" NOT NULL,
    number             integer NOT NULL,
    status_code        integer,
    success            boolean NOT NULL,
    reason             text NOT NULL,
    detail             text NOT NULL,
    started_at         timestamptz NOT NULL,
    duration_ms        bigint NOT NULL,
    request_url        text NOT NULL,
    request_headers    bytea, -- sealed JSON list of pairs
    request_body       bytea,
    response_headers   bytea,
    response_body      bytea,
    response_truncated boolean NOT NULL,
    test               boolean NOT NULL,
    PRIMARY KEY (webhook_id, id)
);
CREATE UNIQUE INDEX attempts_of_delivery ON attempts (delivery_id, number);
-- Filtered histories must not walk a million rows to find a few.
CREATE INDEX attempts_failed ON attempts (webhook_id, id) WHERE NOT success;
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, id);

-- +goose Down
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE events;
DROP TABLE webhooks;
