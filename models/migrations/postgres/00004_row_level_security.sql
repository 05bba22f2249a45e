-- The second lock between tenants. Every statement names its tenant already; a
-- statement that forgot to would see nobody else's rows all the same. The
-- setting posthaste.tenant names the tenant of a transaction, or '*' for what
-- serves all of them; a connection without it sees nothing. FORCE holds the
-- tables' owner too, which we are. Superusers and roles with BYPASSRLS are held
-- by nothing.
--
-- The setting is read in a subselect so that a statement reads it once and not
-- once per row.

-- +goose Up
ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- Without WITH CHECK, USING holds for what is written as well.
CREATE POLICY of_tenant ON webhooks USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON events USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON deliveries USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON attempts USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON tenants USING ((SELECT current_setting('posthaste.tenant', true)) IN (id, '*'));
CREATE POLICY of_tenant ON api_keys USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));
CREATE POLICY of_tenant ON audit USING ((SELECT current_setting('posthaste.tenant', true)) IN (tenant, '*'));

-- +goose Down
DROP POLICY of_tenant ON webhooks;
DROP POLICY of_tenant ON events;
DROP POLICY of_tenant ON deliveries;
DROP POLICY of_tenant ON attempts;
DROP POLICY of_tenant ON tenants;
DROP POLICY of_tenant ON api_keys;
DROP POLICY of_tenant ON audit;
ALTER TABLE webhooks DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE events DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE deliveries DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE attempts DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE tenants DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
