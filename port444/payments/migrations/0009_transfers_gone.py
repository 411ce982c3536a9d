from django.db import migrations, models

# A reorganisation moves a transfer to another block, or takes it away; what it was stays as it was read.
RIGHTS = """
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'port444_app') AND current_user <> 'port444_app' THEN
    GRANT UPDATE (block_number, block_hash, gone_at) ON payments_chaintransfer TO port444_app;
  END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_withdrawals")]

    operations = [
        migrations.AddField(model_name="chaintransfer", name="gone_at", field=models.DateTimeField(null=True)),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
