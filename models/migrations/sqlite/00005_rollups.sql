-- What the attempts of an hour came to, written in the transaction that records
-- them, so that nothing is counted when somebody looks. Test sends do not count.
-- No foreign key: the last transaction of DeleteWebhook deletes a webhook's rows,
-- and pruned attempts leave theirs behind. The columns ms_… count the attempts
-- that took so many milliseconds at most and longer than the column before.

-- +goose Up
CREATE TABLE rollups (
    tenant     TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    hour       TEXT NOT NULL,    -- its beginning, UTC
    slot       INTEGER NOT NULL, -- as on PostgreSQL; one writer needs only one
    attempts   INTEGER NOT NULL,
    delivered  INTEGER NOT NULL, -- attempts that succeeded
    failed     INTEGER NOT NULL, -- attempts that did not
    settled    INTEGER NOT NULL, -- deliveries that ended delivered, failed or unknown
    ms_5       INTEGER NOT NULL,
    ms_10      INTEGER NOT NULL,
    ms_20      INTEGER NOT NULL,
    ms_30      INTEGER NOT NULL,
    ms_50      INTEGER NOT NULL,
    ms_75      INTEGER NOT NULL,
    ms_100     INTEGER NOT NULL,
    ms_150     INTEGER NOT NULL,
    ms_200     INTEGER NOT NULL,
    ms_300     INTEGER NOT NULL,
    ms_500     INTEGER NOT NULL,
    ms_750     INTEGER NOT NULL,
    ms_1000    INTEGER NOT NULL,
    ms_1500    INTEGER NOT NULL,
    ms_2000    INTEGER NOT NULL,
    ms_3000    INTEGER NOT NULL,
    ms_5000    INTEGER NOT NULL,
    ms_7500    INTEGER NOT NULL,
    ms_10000   INTEGER NOT NULL,
    ms_15000   INTEGER NOT NULL,
    ms_20000   INTEGER NOT NULL,
    ms_30000   INTEGER NOT NULL,
    ms_more    INTEGER NOT NULL,
    PRIMARY KEY (webhook_id, hour, slot)
) STRICT;
-- The sum of a tenant's webhooks.
CREATE INDEX rollups_of_tenant ON rollups (tenant, hour);

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
    SELECT tenant, webhook_id, substr(started_at, 1, 13) || ':00:00.000000Z' AS hour, true AS tried, success,
        status_code IS NOT NULL OR duration_ms > 0 AS timed, duration_ms
    FROM attempts WHERE NOT test
    UNION ALL
    SELECT tenant, webhook_id, substr(settled_at, 1, 13) || ':00:00.000000Z', false, false, false, 0
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
