"""Incidents that are more than weak signals, and those that somebody has, are found without reading the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0022_verdicts"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(
                condition=models.Q(("status__in", ["open", "investigating"]), models.Q(("severity", "low"), _negated=True)),
                fields=["due_at", "number"],
                name="incident_worth_a_look",
            ),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(
                condition=models.Q(("assigned_to__isnull", False), ("status__in", ["open", "investigating"])),
                fields=["assigned_to"],
                name="incident_taken",
            ),
        ),
    ]
