"""What happened to an incident is written once; nothing of its casework is removed, and the row witness keeps decisions."""

from django.db import migrations

from auditlog.witness import watch

CLOSE = """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON incident_event FOR EACH ROW EXECUTE FUNCTION audit_reject();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON incident_event FOR EACH STATEMENT EXECUTE FUNCTION audit_reject();
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    REVOKE UPDATE, DELETE, TRUNCATE ON incident_event FROM port444_app;
    REVOKE DELETE, TRUNCATE ON incident_suppression, incident_alert, detector_version FROM port444_app;
  END IF;
END $$;
"""
OPEN = "DROP TRIGGER no_change ON incident_event; DROP TRIGGER no_truncate ON incident_event"
BEFORE = (
    "fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss actual_loss assigned_to "
    "investigation_notes investigated_at resolved_by resolved_at resolution action_taken created_at"
)


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0020_casework")]
    operations = [
        migrations.RunSQL(CLOSE, OPEN),
        watch(
            "incident_log",
            "incidentlog",
            "security",
            kept=f"{BEFORE} number detector detector_version due_at withdrawal_id previous_id merged_into_id",
        ),
        watch(
            "incident_suppression",
            "suppression",
            "security",
            kept="fingerprint detector incident_id reason ceiling made_by made_at expires_at ended_at ended_by",
        ),
        watch(
            "detector_version",
            "detectorversion",
            "security",
            kept="detector number parameters note made_by made_at backtested_at activated_by activated_at retired_at",
        ),
    ]
