-- A tenant without a row has the installation's default limits and is active.

-- +goose Up
CREATE TABLE tenants (
    id                      text COLLATE "C" PRIMARY KEY,
    status                  text COLLATE "C" NOT NULL, -- active or inactive
    limit_webhooks          integer NOT NULL,          -- 0 = none
    limit_events_per_minute integer NOT NULL,          -- the same
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id           text COLLATE "C" PRIMARY KEY,
    tenant       text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    hash         text COLLATE "C" NOT NULL, -- SHA-256 of the key, in hex; the key itself is nowhere
    shown        text COLLATE "C" NOT NULL, -- how the key begins, to tell it from others
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at   timestamptz                -- NULL = never
);
-- Whose key is this?
CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);
CREATE INDEX api_keys_of_tenant ON api_keys (tenant, id);

-- +goose Down
DROP TABLE api_keys;
DROP TABLE tenants;
