"""Incidents whose withdrawals are to be held, until a job has done that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auditlog", "0023_worth_a_look"),
    ]

    operations = [
        migrations.AddField(
            model_name="incidentlog",
            name="hold_wanted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(condition=models.Q(("hold_wanted_at__isnull", False)), fields=["hold_wanted_at"], name="incident_hold_wanted"),
        ),
    ]
