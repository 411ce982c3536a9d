"""What the row witness keeps of tokens; the model says the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_api_callers"), ("auditlog", "0008_row_witness")]
    operations = [
        watch(
            "accounts_apitoken",
            "apitoken",
            "security",
            kept="user_id scopes created_at expires_at revoked_at",
            personal="name",
            hidden="digest",
        ),
    ]
