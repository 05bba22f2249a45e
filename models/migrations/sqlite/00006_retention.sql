-- What is old is forgotten: see docs/decisions/0016-retention.md.

-- +goose Up
ALTER TABLE tenants ADD COLUMN retention_days INTEGER; -- NULL = the installation's; 0 = for ever
CREATE INDEX rollups_by_age ON rollups (hour);

-- only here:
-- There are no partitions, so the events of a day must be found. Deliveries need
-- no index: their ids are in the order of time.
CREATE INDEX events_by_age ON events (accepted_at, tenant, id);
-- :only here

-- +goose Down
-- only here:
DROP INDEX events_by_age;
-- :only here
DROP INDEX rollups_by_age;
ALTER TABLE tenants DROP COLUMN retention_days;
