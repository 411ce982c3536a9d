"""Refunds that nobody could send are few, and staff look for them all the time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0016_credit_ledger_rules")]

    operations = [
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(condition=models.Q(("status", "failed")), fields=["failed_at"], name="refund_failed"),
        ),
    ]
