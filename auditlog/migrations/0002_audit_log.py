"""The log itself: monthly partitions, written by one function, refused to everybody else.

Three layers, because each alone has a hole: the serving role has no right to write; triggers stop accidents of the owner;
what an owner does on purpose is a matter for evidence outside the database.
"""

from django.db import migrations

TABLE = """
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY,
  timestamp timestamptz NOT NULL DEFAULT clock_timestamp(),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  event_type text NOT NULL,
  event_category text NOT NULL CHECK (event_category IN ('financial', 'administrative', 'security', 'user_action')),
  severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  actor_type text NOT NULL CHECK (actor_type IN ('user', 'admin', 'builder', 'client', 'system')),
  actor_id uuid,
  actor_email text NOT NULL DEFAULT '',
  on_behalf_of uuid,
  target_type text NOT NULL,
  target_id uuid,
  action text NOT NULL,
  description text NOT NULL DEFAULT '',
  before_state jsonb,
  after_state jsonb,
  metadata jsonb NOT NULL DEFAULT '{}',
  ip_address inet,
  user_agent text NOT NULL DEFAULT '',
  request_id uuid,
  device_id uuid,
  amount numeric(38,18),
  currency text NOT NULL DEFAULT '',
  transaction_hash text NOT NULL DEFAULT '',
  PRIMARY KEY (timestamp, id)
) PARTITION BY RANGE (timestamp);
CREATE INDEX audit_log_target ON audit_log (target_type, target_id, timestamp);
CREATE INDEX audit_log_actor ON audit_log (actor_id, timestamp);
CREATE INDEX audit_log_commit_order ON audit_log (xid, id);
CREATE INDEX audit_log_request ON audit_log (request_id);

CREATE FUNCTION audit_reject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit rows are append-only (% on %)', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_reject();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER no_change;
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_reject();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER no_truncate;

-- A TRUNCATE trigger is not cloned to partitions, so each gets its own. There is no default partition: it would forbid
-- detaching old months while the log is in use.
CREATE FUNCTION audit_ensure_partitions(months_ahead int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  month date;
  part text;
BEGIN
  IF months_ahead NOT BETWEEN 0 AND 24 THEN RAISE EXCEPTION 'months_ahead is out of range'; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
  FOR i IN 0..months_ahead LOOP
    month := date_trunc('month', (now() AT TIME ZONE 'UTC'))::date + make_interval(months => i);
    part := 'audit_log_' || to_char(month, 'YYYYMM');
    CONTINUE WHEN to_regclass(part) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_log FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_reject()', part);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', part);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
      EXECUTE format('REVOKE ALL ON %I FROM port444_app', part);
      EXECUTE format('GRANT SELECT ON %I TO port444_app', part);
    END IF;
  END LOOP;
END $$;
SELECT audit_ensure_partitions(3);

-- The only door: the caller chooses neither the id nor the moment.
CREATE FUNCTION audit_append(
  event_type text, event_category text, severity text, actor_type text, actor_id uuid, actor_email text, on_behalf_of uuid,
  target_type text, target_id uuid, action text, description text, before_state jsonb, after_state jsonb, metadata jsonb,
  ip_address inet, user_agent text, request_id uuid, device_id uuid, amount numeric, currency text, transaction_hash text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  made bigint;
BEGIN
  INSERT INTO audit_log (event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id,
                         action, description, before_state, after_state, metadata, ip_address, user_agent, request_id, device_id,
                         amount, currency, transaction_hash)
  VALUES (event_type, event_category, severity, actor_type, actor_id, actor_email, on_behalf_of, target_type, target_id,
          action, description, before_state, after_state, metadata, ip_address, left(user_agent, 512), request_id, device_id,
          amount, currency, transaction_hash)
  RETURNING id INTO made;
  RETURN made;
END $$;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE ALL ON audit_log FROM port444_app;
    GRANT SELECT ON audit_log TO port444_app;
    REVOKE ALL ON FUNCTION audit_append, audit_ensure_partitions FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION audit_append, audit_ensure_partitions TO port444_app;
  END IF;
END $$;
"""

DROP = """
DROP FUNCTION audit_append;
DROP FUNCTION audit_ensure_partitions;
DROP TABLE audit_log;
DROP FUNCTION audit_reject;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0001_privileges")]
    operations = [migrations.RunSQL(TABLE, DROP)]
