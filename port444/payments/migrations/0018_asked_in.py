"""In which transaction a withdrawal was asked for: those that are there count as asked for in that of the migration."""

import django.db.models.functions.comparison
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0017_failed_refunds"),
    ]

    operations = [
        migrations.AddField(
            model_name="withdrawal",
            name="asked_xid",
            field=models.BigIntegerField(
                db_default=django.db.models.functions.comparison.Cast(
                    django.db.models.functions.comparison.Cast(models.Func(function="pg_current_xact_id"), models.TextField()),
                    models.BigIntegerField(),
                ),
                editable=False,
            ),
        ),
    ]
