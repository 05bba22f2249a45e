-- A tenant without a row has the installation's default limits and is active.

-- +goose Up
CREATE TABLE tenants (
    id                      TEXT PRIMARY KEY,
    status                  TEXT NOT NULL,    -- active or inactive
    limit_webhooks          INTEGER NOT NULL, -- 0 = none
    limit_events_per_minute INTEGER NOT NULL, -- the same
    created_at              TEXT NOT NULL,
    updated_at              TEXT NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    tenant       TEXT NOT NULL,
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL, -- SHA-256 of the key, in hex; the key itself is nowhere
    shown        TEXT NOT NULL, -- how the key begins, to tell it from others
    created_at   TEXT NOT NULL,
    last_used_at TEXT,
    expires_at   TEXT           -- NULL = never
) STRICT;
-- Whose key is this?
CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant, id);

-- +goose Down
DROP TABLE api_keys;
DROP TABLE tenants;
