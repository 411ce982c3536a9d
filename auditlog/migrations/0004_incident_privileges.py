"""Incidents are worked on but never removed; export batches are only added."""

from django.db import migrations

REVOKE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON audit_export_batch FOR EACH ROW EXECUTE FUNCTION audit_reject();
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE DELETE, TRUNCATE ON incident_log FROM port444_app;
    REVOKE UPDATE, DELETE, TRUNCATE ON audit_export_batch FROM port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0003_incident_log")]
    operations = [migrations.RunSQL(REVOKE, "DROP TRIGGER no_change ON audit_export_batch")]
