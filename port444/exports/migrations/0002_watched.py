"""What the row witness keeps of these tables; the models say the same as `audited`."""

from django.db import migrations

from auditlog.witness import watch


class Migration(migrations.Migration):
    dependencies = [("exports", "0001_initial"), ("auditlog", "0018_light_witness")]
    operations = [
        watch("exports_personalcopy", "personalcopy", "security", kept="user_id status asked_at ready_at until gone_at size"),
        watch("exports_closing", "closing", "security", kept="user_id asked_at closes_at in_the_way kept_at closed_at"),
    ]
