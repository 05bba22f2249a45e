-- What the attempts of an hour came to, written in the transaction that records
-- them, so that nothing is counted when somebody looks. Test sends do not count.
-- No foreign key: the last transaction of DeleteWebhook deletes a webhook's rows,
-- and pruned attempts leave theirs behind. The columns ms_… count the attempts
-- that took so many milliseconds at most and longer than the column before.
--
-- Each process has a slot of its own, mostly: two that count for the same webhook
-- would wait for each other's commits on one row. The rows are updated all the
-- time, so each page keeps room for their next versions.

-- +goose Up
CREATE TABLE rollups (
    tenant     text COLLATE "C" NOT NULL,
    webhook_id text COLLATE "C" NOT NULL,
    hour       timestamptz NOT NULL, -- its beginning, UTC
    slot       integer NOT NULL,
    attempts   integer NOT NULL,
    delivered  integer NOT NULL,     -- attempts that succeeded
    failed     integer NOT NULL,     -- attempts that did not
    settled    integer NOT NULL,     -- deliveries that ended delivered, failed or unknown
    ms_5       integer NOT NULL,
    ms_10      integer NOT NULL,
    ms_20      integer NOT NULL,
    ms_30      integer NOT NULL,
    ms_50      integer NOT NULL,
    ms_75      integer NOT NULL,
    ms_100     integer NOT NULL,
    ms_150     integer NOT NULL,
    ms_200     integer NOT NULL,
    ms_300     integer NOT NULL,
    ms_500     integer NOT NULL,
    ms_750     integer NOT NULL,
    ms_1000    integer NOT NULL,
    ms_1500    integer NOT NULL,
    ms_2000    integer NOT NULL,
    ms_3000    integer NOT NULL,
    ms_5000    integer NOT NULL,
    ms_7500    integer NOT NULL,
    ms_10000   integer NOT NULL,
    ms_15000   integer NOT NULL,
    ms_20000   integer NOT NULL,
    ms_30000   integer NOT NULL,
    ms_more    integer NOT NULL,
    PRIMARY KEY (webhook_id, hour, slot)
) WITH (fillfactor = 50);
-- The sum of a tenant's webhooks.
CREATE INDEX rollups_of_tenant ON rollups (tenant, hour);
ALTER TABLE rollups ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON rollups USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));

-- What was recorded before there were rollups.
INSERT INTO rollups
SELECT tenant, webhook_id, hour, 0,
    COUNT(*) FILTER (WHERE tried), COUNT(*) FILTER (WHERE tried AND success), COUNT(*) FILTER (WHERE tried AND NOT success),
    COUNT(*) FILTER (WHERE NOT tried),
    COUNT(*) FILTER (WHERE timed AND duration_ms <= 5), COUNT(*) FILTER (WHERE timed AND duration_ms > 5 AND duration_ms <= 10),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 10 AND duration_ms <= 20), COUNT(*) FILTER (WHERE timed AND duration_ms > 20 AND duration_ms <= 30),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 30 AND duration_ms <= 50), COUNT(*) FILTER (WHERE timed AND duration_ms > 50 AND duration_ms <= 75),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 75 AND duration_ms <= 100), COUNT(*) FILTER (WHERE timed AND duration_ms > 100 AND duration_ms <= 150),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 150 AND duration_ms <= 200), COUNT(*) FILTER (WHERE timed AND duration_ms > 200 AND duration_ms <= 300),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 300 AND duration_ms <= 500), COUNT(*) FILTER (WHERE timed AND duration_ms > 500 AND duration_ms <= 750),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 750 AND duration_ms <= 1000), COUNT(*) FILTER (WHERE timed AND duration_ms > 1000 AND duration_ms <= 1500),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 1500 AND duration_ms <= 2000), COUNT(*) FILTER (WHERE timed AND duration_ms > 2000 AND duration_ms <= 3000),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 3000 AND duration_ms <= 5000), COUNT(*) FILTER (WHERE timed AND duration_ms > 5000 AND duration_ms <= 7500),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 7500 AND duration_ms <= 10000), COUNT(*) FILTER (WHERE timed AND duration_ms > 10000 AND duration_ms <= 15000),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 15000 AND duration_ms <= 20000), COUNT(*) FILTER (WHERE timed AND duration_ms > 20000 AND duration_ms <= 30000),
    COUNT(*) FILTER (WHERE timed AND duration_ms > 30000)
FROM (
    SELECT tenant, webhook_id, date_trunc('hour', started_at, 'UTC') AS hour, true AS tried, success,
        status_code IS NOT NULL OR duration_ms > 0 AS timed, duration_ms
    FROM attempts WHERE NOT test
    UNION ALL
    SELECT tenant, webhook_id, date_trunc('hour', settled_at, 'UTC'), false, false, false, 0
    FROM deliveries WHERE NOT test AND settled_at IS NOT NULL AND state IN ('delivered', 'failed', 'unknown')
) AS past
GROUP BY tenant, webhook_id, hour;

-- Histories filtered by result, by type and by both are each read along an index,
-- whatever share of a million rows the filter lets through. A filter by type
-- alone reads two stretches of the last one.
DROP INDEX attempts_failed;
DROP INDEX attempts_of_type;
CREATE INDEX attempts_of_result ON attempts (webhook_id, success, id);
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, success, id);

-- +goose Down
DROP TABLE rollups;
DROP INDEX attempts_of_result;
DROP INDEX attempts_of_type;
CREATE INDEX attempts_failed ON attempts (webhook_id, id) WHERE NOT success;
CREATE INDEX attempts_of_type ON attempts (webhook_id, event_type, id);
