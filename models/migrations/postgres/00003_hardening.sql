-- Rate limits, the span of failures after which a webhook is broken, and the
-- audit log.

-- +goose Up
ALTER TABLE webhooks ADD COLUMN max_per_second integer NOT NULL DEFAULT 0; -- 0 = no limit
ALTER TABLE webhooks ADD COLUMN paced_until timestamptz;                   -- the next free slot under that limit
ALTER TABLE webhooks ADD COLUMN failing_since timestamptz;                 -- the first failure since the last success

ALTER TABLE deliveries ADD COLUMN slot_at timestamptz;    -- the slot under the webhook's limit; NULL = none taken
ALTER TABLE deliveries ADD COLUMN held_until timestamptz; -- a process is in the middle of a long attempt; NULL = none is

-- No foreign key: what was done to a webhook outlives it.
CREATE TABLE audit (
    id         text COLLATE "C" PRIMARY KEY, -- UUIDv7: when it happened
    tenant     text COLLATE "C" NOT NULL,
    webhook_id text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL,
    actor_kind text COLLATE "C" NOT NULL,    -- token, api-key or system
    actor      text NOT NULL,                -- a token's subject, an API key's id; '' = unnamed
    action     text COLLATE "C" NOT NULL,
    changes    text NOT NULL,                -- JSON: member to before and after; nothing secret
    request_id text NOT NULL
);
CREATE INDEX audit_of_webhook ON audit (tenant, webhook_id, id);

-- +goose Down
DROP TABLE audit;
ALTER TABLE deliveries DROP COLUMN held_until;
ALTER TABLE deliveries DROP COLUMN slot_at;
ALTER TABLE webhooks DROP COLUMN failing_since;
ALTER TABLE webhooks DROP COLUMN paced_until;
ALTER TABLE webhooks DROP COLUMN max_per_second;
