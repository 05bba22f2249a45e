-- What is old is forgotten: see docs/decisions/0016-retention.md.

-- +goose Up
ALTER TABLE tenants ADD COLUMN retention_days integer; -- NULL = the installation's; 0 = for ever
CREATE INDEX rollups_by_age ON rollups (hour);

-- only here:
-- Events and attempts are partitioned by the day, in UTC, on which they were
-- accepted and made. A day is dropped as a whole; what lies outside of all days
-- falls into a default partition.
--
-- A unique index of a partitioned table must hold what it is partitioned by.
-- For an event that is accepted_at, which a repeated plan has from the same
-- workflow's input. Where an id may come with another time, because it is made
-- of an Idempotency-Key, event_keys keeps it unique. The attempts of a delivery
-- are numbered by the update of deliveries.attempts in the same transaction,
-- which lets one of two writers through; the index on them no longer says so.
--
-- Attempts have no foreign key to their delivery any more: dropping a partition
-- that has one would lock the deliveries. Who deletes a delivery deletes its
-- attempts.

-- The boundary of a day, as a partition of the table has it. An attempt's id is
-- compared as text, and its first 48 bits are milliseconds.
-- +goose StatementBegin
CREATE FUNCTION posthaste_bound(parent text, day date) RETURNS text LANGUAGE sql AS $$
    SELECT CASE parent WHEN 'events' THEN to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00'
        ELSE regexp_replace(lpad(to_hex((extract(epoch FROM day::timestamp AT TIME ZONE 'UTC') * 1000)::bigint), 12, '0'),
            '^(.{8})(.{4})$', '\1-\2')
    END
$$;
-- +goose StatementEnd

-- Makes the partition of a day with what the default partition has of it. Only
-- attaching locks anything, the default partition, and that comes last. The
-- partition has the row-level security of its parent, for whoever asks it
-- directly.
-- +goose StatementBegin
CREATE FUNCTION posthaste_add_partition(parent text, day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part text := parent || '_' || to_char(day, 'YYYYMMDD');
    rest text := parent || '_default';
    age  text := CASE parent WHEN 'events' THEN 'accepted_at' ELSE 'id' END;
    low  text := posthaste_bound(parent, day);
    high text := posthaste_bound(parent, day + 1);
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', part, parent);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', part);
    EXECUTE format('CREATE POLICY of_tenant ON %I USING ((SELECT current_setting(%L, true)) IN (tenant, %L))',
        part, 'posthaste.tenant', '*');
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', rest);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM moved',
        rest, age, low, age, high, part);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part, low, high);
END
$$;
-- +goose StatementEnd

ALTER TABLE events RENAME TO events_whole;
ALTER INDEX events_pkey RENAME TO events_whole_pkey;
ALTER INDEX events_newest RENAME TO events_whole_newest;
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
    test        boolean NOT NULL
) PARTITION BY RANGE (accepted_at);
CREATE TABLE events_default PARTITION OF events DEFAULT;

ALTER TABLE attempts RENAME TO attempts_whole;
ALTER INDEX attempts_pkey RENAME TO attempts_whole_pkey;
ALTER INDEX attempts_of_delivery RENAME TO attempts_whole_of_delivery;
ALTER INDEX attempts_of_result RENAME TO attempts_whole_of_result;
ALTER INDEX attempts_of_type RENAME TO attempts_whole_of_type;
CREATE TABLE attempts (
    id                 text COLLATE "C" NOT NULL,
    tenant             text COLLATE "C" NOT NULL,
    webhook_id         text COLLATE "C" NOT NULL,
    delivery_id        text COLLATE "C" NOT NULL,
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
    test               boolean NOT NULL
) PARTITION BY RANGE (id);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

-- The days of what is there, and a week ahead; the indexes come when the rows
-- are in. What lies more than 400 days back stays in the default partition.
-- +goose StatementBegin
DO $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day   date;
BEGIN
    FOR day IN
        SELECT (accepted_at AT TIME ZONE 'UTC')::date FROM events_whole
            WHERE accepted_at >= today - 400 AND accepted_at < today + 8
        UNION SELECT generate_series(today, today + 7, '1 day')::date
    LOOP
        PERFORM posthaste_add_partition('events', day);
    END LOOP;
    FOR day IN
        SELECT (to_timestamp(('x' || translate(left(id, 13), '-', ''))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC')::date FROM attempts_whole
            WHERE id >= posthaste_bound('attempts', today - 400) AND id < posthaste_bound('attempts', today + 8)
        UNION SELECT generate_series(today, today + 7, '1 day')::date
    LOOP
        PERFORM posthaste_add_partition('attempts', day);
    END LOOP;
END
$$;
-- +goose StatementEnd

INSERT INTO events SELECT tenant, id, provider, type, source, data, custom_data, attributes, occurred_at, accepted_at,
    body_hash, workflow_id, run_id, webhook_id, test FROM events_whole;
DROP TABLE events_whole;
ALTER TABLE events ADD PRIMARY KEY (tenant, id, accepted_at);
CREATE INDEX events_newest ON events (tenant, accepted_at, id);

INSERT INTO attempts SELECT id, tenant, webhook_id, delivery_id, event_id, event_type, number, status_code, success, reason,
    detail, started_at, duration_ms, request_url, request_headers, request_body, response_headers, response_body,
    response_truncated, test FROM attempts_whole;
DROP TABLE attempts_whole;
-- The primary key is the order of the history: newest last within a webhook.
ALTER TABLE attempts ADD PRIMARY KEY (webhook_id, id);
CREATE INDEX attempts_of_delivery ON attempts (delivery_id, number);
CREATE INDEX attempts_of_result ON attempts (webhook_id, success, id);
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, success, id);

-- The events whose id does not tell when they were accepted.
CREATE TABLE event_keys (
    tenant      text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    accepted_at timestamptz NOT NULL, -- where in events it lies
    PRIMARY KEY (tenant, id)
);
CREATE INDEX event_keys_by_age ON event_keys (accepted_at);
-- The condition is eventIDTells of models/event_keys.go.
INSERT INTO event_keys SELECT tenant, id, accepted_at FROM events WHERE CASE
    WHEN id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
    THEN abs(('x' || translate(left(id, 13), '-', ''))::bit(48)::bigint - floor(extract(epoch FROM accepted_at) * 1000)) > 3600000
    ELSE true END;

ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE events_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE event_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON events USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON events_default USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON attempts USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON attempts_default USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON event_keys USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
-- :only here

-- +goose Down
-- only here:
ALTER TABLE events RENAME TO events_parts;
ALTER INDEX events_pkey RENAME TO events_parts_pkey;
DROP INDEX events_newest;
CREATE TABLE events (LIKE events_parts INCLUDING DEFAULTS, PRIMARY KEY (tenant, id));
INSERT INTO events SELECT * FROM events_parts ON CONFLICT DO NOTHING;
DROP TABLE events_parts;
CREATE INDEX events_newest ON events (tenant, accepted_at, id);

ALTER TABLE attempts RENAME TO attempts_parts;
ALTER INDEX attempts_pkey RENAME TO attempts_parts_pkey;
DROP INDEX attempts_of_delivery;
DROP INDEX attempts_of_result;
DROP INDEX attempts_of_type;
CREATE TABLE attempts (LIKE attempts_parts INCLUDING DEFAULTS, PRIMARY KEY (webhook_id, id),
    FOREIGN KEY (delivery_id) REFERENCES deliveries (id) ON DELETE CASCADE);
INSERT INTO attempts SELECT p.* FROM attempts_parts p JOIN deliveries d ON d.id = p.delivery_id;
DROP TABLE attempts_parts;
CREATE UNIQUE INDEX attempts_of_delivery ON attempts (delivery_id, number);
CREATE INDEX attempts_of_result ON attempts (webhook_id, success, id);
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, success, id);

ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON events USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON attempts USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
DROP TABLE event_keys;
DROP FUNCTION posthaste_add_partition;
DROP FUNCTION posthaste_bound;
-- :only here
DROP INDEX rollups_by_age;
ALTER TABLE tenants DROP COLUMN retention_days;
