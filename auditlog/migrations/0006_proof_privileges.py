"""What proves the log is as closed as the log: rows are added to these tables, and nothing else is done to them."""

from django.db import migrations

TABLES = ("audit_seal", "audit_leaves", "audit_anchor", "audit_check", "audit_export", "audit_move")

CLOSE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION audit_reject();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION audit_reject();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER no_change;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER no_truncate;
"""

REVOKE = """
-- Hashes do not get smaller by packing.
ALTER TABLE audit_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL;
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON audit_seal, audit_leaves, audit_anchor, audit_check, audit_export, audit_move FROM port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0005_proof_and_storage")]
    operations = [
        migrations.RunSQL("".join(CLOSE.format(table=table) for table in TABLES) + REVOKE, migrations.RunSQL.noop),
    ]
