-- What tells a process that the webhooks which it has read are still all of
-- them, and as they were: see docs/decisions/0022-subscription-cache.md.

-- +goose Up
CREATE TABLE subscribers (
    tenant   TEXT NOT NULL,
    provider TEXT NOT NULL,
    version  TEXT NOT NULL, -- drawn anew by each change of their webhooks; no row = '', no change yet
    PRIMARY KEY (tenant, provider)
) STRICT;
-- Those in bad health. They come and go too often for a version.
CREATE INDEX webhooks_failing ON webhooks (tenant, provider, id) WHERE failing_since IS NOT NULL;

-- only here:
-- Triggers, since no statement that changes a webhook may forget it.
-- +goose StatementBegin
CREATE TRIGGER webhooks_came AFTER INSERT ON webhooks BEGIN
    INSERT INTO subscribers VALUES (NEW.tenant, NEW.provider, hex(randomblob(16)))
        ON CONFLICT (tenant, provider) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER webhooks_went AFTER DELETE ON webhooks BEGIN
    INSERT INTO subscribers VALUES (OLD.tenant, OLD.provider, hex(randomblob(16)))
        ON CONFLICT (tenant, provider) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
-- All that matching reads but the health: openColumns of models/webhook.go.
-- +goose StatementBegin
CREATE TRIGGER webhooks_changed AFTER UPDATE ON webhooks
    WHEN (OLD.name, OLD.url, OLD.events, OLD.sources, OLD.version, OLD.filter_campaign, OLD.filter_list, OLD.filter_schema,
            OLD.retry, OLD.timeout_seconds, OLD.max_per_second, OLD.status, OLD.status_reason, OLD.status_at,
            OLD.previous_secret_until, OLD.updated_at)
        IS NOT (NEW.name, NEW.url, NEW.events, NEW.sources, NEW.version, NEW.filter_campaign, NEW.filter_list, NEW.filter_schema,
            NEW.retry, NEW.timeout_seconds, NEW.max_per_second, NEW.status, NEW.status_reason, NEW.status_at,
            NEW.previous_secret_until, NEW.updated_at)
BEGIN
    INSERT INTO subscribers VALUES (NEW.tenant, NEW.provider, hex(randomblob(16)))
        ON CONFLICT (tenant, provider) DO UPDATE SET version = excluded.version;
END;
-- +goose StatementEnd
-- :only here

-- +goose Down
-- only here:
DROP TRIGGER webhooks_changed;
DROP TRIGGER webhooks_went;
DROP TRIGGER webhooks_came;
-- :only here
DROP INDEX webhooks_failing;
DROP TABLE subscribers;
