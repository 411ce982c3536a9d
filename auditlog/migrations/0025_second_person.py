"""Who asks for a second person to close an incident, and who that was."""

from django.db import migrations, models

import auditlog.models.incidents
from auditlog.witness import watch

BEFORE = (
    "fingerprint incident_type severity status detection_method detected_at user_id pattern potential_loss actual_loss assigned_to "
    "investigation_notes investigated_at resolved_by resolved_at resolution action_taken created_at number detector detector_version due_at "
    "withdrawal_id previous_id merged_into_id verdict"
)


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0024_holds_wanted"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="incidentevent",
            name="incident_event_kind_known",
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="approved_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="incidentlog",
            name="closing_asked_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name="incidentevent",
            name="kind",
            field=models.CharField(
                choices=[
                    ("opened", "Opened"),
                    ("repeated", "Repeated"),
                    ("raised", "Raised"),
                    ("alerted", "Alerted"),
                    ("held", "Withdrawals held"),
                    ("freed", "Hold ended"),
                    ("taken", "Taken"),
                    ("assigned", "Assigned"),
                    ("left", "Put back"),
                    ("noted", "Note"),
                    ("checked", "Looked into"),
                    ("resolved", "Resolved"),
                    ("false_positive", "False Positive"),
                    ("reopened", "Reopened"),
                    ("merged", "Merged"),
                    ("acted", "Acted"),
                    ("asked", "Asked for a second person"),
                    ("agreed", "Agreed"),
                    ("declined", "Declined"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(condition=models.Q(("closing_asked_by__isnull", False)), fields=["due_at", "number"], name="incident_closing_asked"),
        ),
        migrations.AddConstraint(
            model_name="incidentevent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "opened",
                            "repeated",
                            "raised",
                            "alerted",
                            "held",
                            "freed",
                            "taken",
                            "assigned",
                            "left",
                            "noted",
                            "checked",
                            "resolved",
                            "false_positive",
                            "reopened",
                            "merged",
                            "acted",
                            "asked",
                            "agreed",
                            "declined",
                        ],
                    )
                ),
                name="incident_event_kind_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("closing_asked_by__isnull", True),
                    models.Q(
                        models.Q(("user_id__isnull", True), models.Q(("closing_asked_by", models.F("user_id")), _negated=True), _connector="OR"),
                        models.Q(("related_users__contains", auditlog.models.incidents.ArrayOf(models.F("closing_asked_by"))), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="incident_asked_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(
                        models.Q(("user_id__isnull", True), models.Q(("approved_by", models.F("user_id")), _negated=True), _connector="OR"),
                        models.Q(("related_users__contains", auditlog.models.incidents.ArrayOf(models.F("approved_by"))), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="incident_approved_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentlog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by__isnull", True),
                    models.Q(("resolved_by__isnull", False), models.Q(("approved_by", models.F("resolved_by")), _negated=True)),
                    _connector="OR",
                ),
                name="incident_second_person",
            ),
        ),
        watch("incident_log", "incidentlog", "security", kept=f"{BEFORE} closing_asked_by approved_by"),
    ]
