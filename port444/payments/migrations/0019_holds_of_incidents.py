"""What an incident keeps held is found by it."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0018_asked_in"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="payouthold",
            index=models.Index(
                condition=models.Q(("ended_at__isnull", True), ("incident_id__isnull", False)), fields=["incident_id"], name="payout_hold_of_incident"
            ),
        ),
    ]
