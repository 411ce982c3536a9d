"""Incidents that are about somebody, or name them beside others, are found without reading all of them."""

import django.contrib.postgres.indexes
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("auditlog", "0018_light_witness")]

    operations = [
        migrations.AddIndex(
            model_name="incidentlog",
            index=models.Index(condition=models.Q(("user_id__isnull", False)), fields=["user_id", "-detected_at"], name="incident_of_user"),
        ),
        migrations.AddIndex(
            model_name="incidentlog",
            index=django.contrib.postgres.indexes.GinIndex(fields=["related_users"], name="incident_related"),
        ),
    ]
