"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0009_find")]
    operations = [
        watch(
            "incident_log",
            "incidentlog",
            "security",
            kept="fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss actual_loss assigned_to investigation_notes investigated_at resolved_by resolved_at resolution action_taken created_at",
        ),
    ]
