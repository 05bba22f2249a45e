-- Replays of a webhook's settled deliveries, and what Posthaste has to tell a
-- tenant of its webhooks.

-- +goose Up
CREATE TABLE replays (
    id         text COLLATE "C" PRIMARY KEY,
    tenant     text COLLATE "C" NOT NULL,
    webhook_id text COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    run_id     text COLLATE "C" NOT NULL, -- the workflow run that does it
    body_hash  text COLLATE "C" NOT NULL, -- of the request, where it had an Idempotency-Key
    since      timestamptz NOT NULL,      -- of when the events were accepted; inclusive
    until      timestamptz NOT NULL,      -- exclusive
    status     text COLLATE "C" NOT NULL, -- which deliveries were asked for
    per_second integer NOT NULL,
    count      integer NOT NULL,          -- how many there were when it began
    more       boolean NOT NULL,          -- or more than that
    state      text COLLATE "C" NOT NULL,
    reason     text NOT NULL,             -- why it ended early
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX replays_of_webhook ON replays (webhook_id, created_at, id);

-- How far each part of a replay has come. Its numbers are read from the
-- deliveries and replaced, never added to, so that writing them twice is once.
CREATE TABLE replay_pages (
    replay_id text COLLATE "C" NOT NULL REFERENCES replays (id) ON DELETE CASCADE,
    tenant    text COLLATE "C" NOT NULL,
    page      integer NOT NULL,
    found     integer NOT NULL,
    reopened  integer NOT NULL,
    delivered integer NOT NULL,
    failed    integer NOT NULL,
    skipped   integer NOT NULL,
    cancelled integer NOT NULL,
    PRIMARY KEY (replay_id, page)
);

-- What happened to a webhook and has not become an event yet: written with what
-- it tells of, and deleted once Temporal has the event. No foreign key: it is
-- told even when the webhook has gone meanwhile.
CREATE TABLE notices (
    id            text COLLATE "C" PRIMARY KEY, -- of the event that it becomes
    tenant        text COLLATE "C" NOT NULL,
    type          text COLLATE "C" NOT NULL,
    at            timestamptz NOT NULL,
    webhook_id    text COLLATE "C" NOT NULL,
    webhook_name  text NOT NULL,
    provider      text COLLATE "C" NOT NULL,
    url           text NOT NULL,
    reason        text NOT NULL,
    delivery_id   text COLLATE "C" NOT NULL,    -- '' unless it tells of a delivery, as the next four
    event_id      text COLLATE "C" NOT NULL,
    event_type    text COLLATE "C" NOT NULL,
    attempts      integer NOT NULL,
    status_code   integer
);

ALTER TABLE replays ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE replay_pages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON replays USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON replay_pages USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON notices USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));

-- +goose Down
DROP TABLE notices;
DROP TABLE replay_pages;
DROP TABLE replays;
