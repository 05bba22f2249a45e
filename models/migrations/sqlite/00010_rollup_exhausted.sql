-- How many of the deliveries that settled had failed. The column delivered does not
-- tell: it counts attempts, each in the hour in which it began.

-- +goose Up
-- Of settled: deliveries that ended failed or unknown. A process of the version
-- before goes on adding rows and counts none.
ALTER TABLE rollups ADD COLUMN exhausted INTEGER NOT NULL DEFAULT 0;

-- What settled before there was this column, in the first row of each hour: only
-- the sum of the rows is read. The deliveries tell, but for those that were pruned
-- or sent again since. As many of these are taken to have failed as the hour lacks
-- attempts that succeeded.
UPDATE rollups SET exhausted = past.failed + CASE
    WHEN past.lacking < 0 OR past.lost < 0 THEN 0
    WHEN past.lacking > past.lost THEN past.lost
    ELSE past.lacking
END
FROM (
    SELECT sums.webhook_id, sums.hour, sums.slot, COALESCE(kept.failed, 0) AS failed,
        sums.settled - sums.delivered - COALESCE(kept.failed, 0) AS lacking,
        sums.settled - COALESCE(kept.delivered, 0) - COALESCE(kept.failed, 0) AS lost
    FROM (
        SELECT webhook_id, hour, MIN(slot) AS slot, SUM(settled) AS settled, SUM(delivered) AS delivered
        FROM rollups GROUP BY webhook_id, hour
    ) AS sums
    LEFT JOIN (
        SELECT webhook_id, substr(settled_at, 1, 13) || ':00:00.000000Z' AS hour,
            COUNT(*) FILTER (WHERE state = 'delivered') AS delivered, COUNT(*) FILTER (WHERE state IN ('failed', 'unknown')) AS failed
        FROM deliveries WHERE NOT test AND settled_at IS NOT NULL AND state IN ('delivered', 'failed', 'unknown')
        GROUP BY 1, 2
    ) AS kept ON kept.webhook_id = sums.webhook_id AND kept.hour = sums.hour
    WHERE sums.settled > 0
) AS past
WHERE rollups.webhook_id = past.webhook_id AND rollups.hour = past.hour AND rollups.slot = past.slot;

-- +goose Down
ALTER TABLE rollups DROP COLUMN exhausted;
