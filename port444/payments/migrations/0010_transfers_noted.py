"""When a transfer's payment has succeeded is written beside it, so that a sweep finds the others without reading all payments."""

from django.db import migrations, models

NOTED = """
UPDATE payments_chaintransfer t SET noted_at = p.succeeded_at
FROM payments_payment p WHERE p.id = t.payment_id AND p.status = 'succeeded'
"""


GRANT = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    GRANT UPDATE (noted_at) ON payments_chaintransfer TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0009_transfers_gone"),
    ]

    operations = [
        migrations.AddField(
            model_name="chaintransfer",
            name="noted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.RunSQL(GRANT, migrations.RunSQL.noop),
        migrations.RunSQL(NOTED, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(
                condition=models.Q(("noted_at__isnull", True), ("payment__isnull", False)), fields=["found_at"], name="chain_transfer_unnoted"
            ),
        ),
    ]
