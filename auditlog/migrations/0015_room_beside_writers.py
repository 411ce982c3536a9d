"""Room for coming months is made beside whoever writes and reads.

`CREATE TABLE ... PARTITION OF` locks the whole log: it waits for every transaction that has touched it, a backup above all, and
meanwhile every action waits for it. A table that is made alone and attached waits for none of them.
"""

from django.db import migrations

BEGIN = """
CREATE OR REPLACE FUNCTION audit_ensure_partitions(months_ahead int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
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
"""
ALONE = """
    EXECUTE format('CREATE TABLE %I (LIKE audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)', part);
"""
ATTACHED = """
    EXECUTE format('ALTER TABLE audit_log ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
"""
AT_ONCE = """
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_log FOR VALUES FROM (%L) TO (%L)',
                   part, month::timestamp AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
"""
CLOSED = """
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_reject()', part);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER no_truncate', part);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
      EXECUTE format('REVOKE ALL ON %I FROM port444_app', part);
      EXECUTE format('GRANT SELECT ON %I TO port444_app', part);
    END IF;
"""
END = """
  END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0014_light_writes")]
    operations = [migrations.RunSQL(BEGIN + ALONE + CLOSED + ATTACHED + END, BEGIN + AT_ONCE + CLOSED + END)]
