"""Who is of the staff is found without looking at everybody."""

from django.db import migrations, models

# What a try left that was broken off is invalid and goes first.
MAKE = [
    "DROP INDEX CONCURRENTLY IF EXISTS user_staff",
    "CREATE INDEX CONCURRENTLY user_staff ON accounts_user (name, id) WHERE is_staff",
]


class Migration(migrations.Migration):
    atomic = False  # the index is made beside the site, which goes on

    dependencies = [("accounts", "0009_job_pulse")]

    operations = [
        migrations.RunSQL(
            MAKE,
            "DROP INDEX CONCURRENTLY IF EXISTS user_staff",
            state_operations=[
                migrations.AddIndex("user", models.Index(condition=models.Q(("is_staff", True)), fields=["name", "id"], name="user_staff"))
            ],
        )
    ]
