"""What whoever decided found, closed incidents in the order of their closing, and four eyes on what detectors work with."""

from django.db import migrations, models
from django.db.models import F, Q

from auditlog.witness import watch

VERDICTS = ["confirmed", "inconclusive", "household", "team", "harmless"]
KEPT = (
    "fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss actual_loss assigned_to "
    "investigation_notes investigated_at resolved_by resolved_at resolution action_taken created_at number detector detector_version due_at "
    "withdrawal_id previous_id merged_into_id"
)


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0021_casework_rules")]
    operations = [
        migrations.AddField(
            model_name="incidentlog",
            name="verdict",
            field=models.CharField(
                blank=True,
                choices=[
                    ("confirmed", "Confirmed"),
                    ("inconclusive", "Inconclusive"),
                    ("household", "Same household"),
                    ("team", "Registered team"),
                    ("harmless", "Harmless for another reason"),
                ],
                default="",
                max_length=20,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="incidentlog", constraint=models.CheckConstraint(condition=Q(verdict__in=["", *VERDICTS]), name="incident_verdict_known")
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(fields=["-resolved_at", "-number"], condition=Q(resolved_at__isnull=False), name="incident_closed"),
        ),
        migrations.AddConstraint(
            model_name="detectorversion",
            constraint=models.CheckConstraint(
                condition=Q(activated_by__isnull=True) | ~Q(activated_by=F("made_by")), name="detector_version_second_person"
            ),
        ),
        watch("incident_log", "incidentlog", "security", kept=f"{KEPT} verdict"),
    ]
