"""What the row witness keeps of this table; the model says the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0001_initial"), ("auditlog", "0018_light_witness")]
    operations = [
        watch(
            "webhooks_webhookendpoint",
            "webhookendpoint",
            "security",
            kept="user_id events renewed_at former_until status disabled_why disabled_at client_key created_at",
            personal="url description",
            hidden="secret",
        ),
    ]
