"""Transaction ids as plain numbers, and an actor that nobody has named.

Seals and exports compare and store transaction ids; `xid8` has no arithmetic and no driver knows it. The log has no seals before
this, so nothing that was proved is changed.
"""

from django.db import migrations

FORWARDS = """
ALTER TABLE audit_log ALTER COLUMN xid DROP DEFAULT;
ALTER TABLE audit_log ALTER COLUMN xid TYPE bigint USING xid::text::bigint;
ALTER TABLE audit_log ALTER COLUMN xid SET DEFAULT pg_current_xact_id()::text::bigint;
ALTER TABLE audit_log DROP CONSTRAINT audit_log_actor_type_check;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_actor_type_check
  CHECK (actor_type IN ('user', 'admin', 'builder', 'client', 'system', 'unknown'));
"""


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0006_proof_privileges")]
    operations = [migrations.RunSQL(FORWARDS, migrations.RunSQL.noop)]
