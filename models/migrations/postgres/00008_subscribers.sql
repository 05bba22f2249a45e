-- What tells a process that the webhooks which it has read are still all of
-- them, and as they were: see docs/decisions/0022-subscription-cache.md.

-- +goose Up
CREATE TABLE subscribers (
    tenant   text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    version  text COLLATE "C" NOT NULL, -- drawn anew by each change of their webhooks; no row = '', no change yet
    PRIMARY KEY (tenant, provider)
);
-- Those in bad health. They come and go too often for a version.
CREATE INDEX webhooks_failing ON webhooks (tenant, provider, id) WHERE failing_since IS NOT NULL;
ALTER TABLE subscribers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON subscribers USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));

-- only here:
-- A trigger, since no statement that changes a webhook may forget it: neither a
-- process of the version before nor an operator's.
-- +goose StatementBegin
CREATE FUNCTION posthaste_webhook_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hook webhooks := NEW;
BEGIN
    IF TG_OP = 'DELETE' THEN
        hook := OLD;
    END IF;
    INSERT INTO subscribers VALUES (hook.tenant, hook.provider, gen_random_uuid())
        ON CONFLICT (tenant, provider) DO UPDATE SET version = excluded.version;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER webhooks_came_or_went AFTER INSERT OR DELETE ON webhooks
    FOR EACH ROW EXECUTE FUNCTION posthaste_webhook_changed();
-- All that matching reads but the health: openColumns of models/webhook.go.
CREATE TRIGGER webhooks_changed AFTER UPDATE ON webhooks FOR EACH ROW
    WHEN ((OLD.name, OLD.url, OLD.events, OLD.sources, OLD.version, OLD.filter_campaign, OLD.filter_list, OLD.filter_schema,
            OLD.retry, OLD.timeout_seconds, OLD.max_per_second, OLD.status, OLD.status_reason, OLD.status_at,
            OLD.previous_secret_until, OLD.updated_at)
        IS DISTINCT FROM (NEW.name, NEW.url, NEW.events, NEW.sources, NEW.version, NEW.filter_campaign, NEW.filter_list, NEW.filter_schema,
            NEW.retry, NEW.timeout_seconds, NEW.max_per_second, NEW.status, NEW.status_reason, NEW.status_at,
            NEW.previous_secret_until, NEW.updated_at))
    EXECUTE FUNCTION posthaste_webhook_changed();
-- :only here

-- +goose Down
-- only here:
DROP TRIGGER webhooks_changed ON webhooks;
DROP TRIGGER webhooks_came_or_went ON webhooks;
DROP FUNCTION posthaste_webhook_changed;
-- :only here
DROP INDEX webhooks_failing;
DROP TABLE subscribers;
